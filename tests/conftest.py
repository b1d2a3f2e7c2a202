"""What all tests share.

One thread for each test process: two processes share two cores, and small matrices gain nothing from more. SIGINT is
as Python sets it up: a shell that starts the tests in the background ignores it, which tests of Ctrl-C would inherit.
No deadline for single cases of a property: the first of them reads tables and libraries, on a machine that may be busy.
"""

import signal

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("dateline", deadline=None)
hypothesis.settings.load_profile("dateline")

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Runs the longest files first, so that no process is left alone with one of them in the end."""
    items.sort(
        key=lambda item: not item.nodeid.startswith(("tests/end_to_end", "tests/report", "tests/train/test_loop"))
    )


def pytest_runtest_setup(item):
    """Skips tests marked `cuda` where there is no GPU; `pytest -m cuda` runs them alone."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
