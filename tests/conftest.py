"""What all tests share.

One thread for each test process: two processes share two cores, and small matrices gain nothing from more. SIGINT is
as Python sets it up: a shell that starts the tests in the background ignores it, which tests of Ctrl-C would inherit.
"""

import signal

import torch

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)
