"""One thread for each test process: two processes share two cores, and small matrices gain nothing from more."""

import torch

torch.set_num_threads(1)
