"""Which steps are taken, skipped, or end a run; signals are noted, once, and only while the block runs."""

import json
import math
import os
import signal
import threading

import pytest

from dateline.config import validate_recipe
from dateline.errors import UserError
from dateline.train.guard import Guard, Sentinel, collect_signals

INF, NAN = math.inf, math.nan
BOTH = (signal.SIGINT, signal.SIGTERM)


def actions(sentinel, norms, loss=1.0):
    return [sentinel.judge(loss, norm).action for norm in norms]


def test_by_default_the_first_number_that_is_none_stops():
    sentinel = Sentinel(Guard())
    assert actions(sentinel, [1.0, 1e9]) == ["take", "take"]
    assert sentinel.judge(INF, 1.0) == ("stop", "loss inf and gradient norm 1.0")
    assert sentinel.judge(1.0, NAN).action == "stop"


def test_skips_are_borne_up_to_a_bound_in_a_row():
    sentinel = Sentinel(Guard(on_nonfinite="skip", max_skips=2))
    assert actions(sentinel, [NAN, NAN, 1.0, INF, INF, INF]) == ["skip", "skip", "take", "skip", "skip", "stop"]
    assert sentinel.skipped == 5
    assert sentinel.judge(1.0, NAN).reason == "loss 1.0 and gradient norm nan, after 2 skipped steps in a row"


def test_a_spike_is_more_than_so_many_times_the_median_of_the_steps_taken():
    sentinel = Sentinel(Guard(spike_factor=2.0, window=3))
    assert actions(sentinel, [1.0, 50.0, 1.0]) == ["take"] * 3, "until the window is full"
    assert sentinel.judge(1.0, 2.1) == ("skip", "gradient norm 2.1 is over 2 times the usual 1")
    assert actions(sentinel, [2.0, 1.9, 3.7, 4.1]) == ["take", "take", "take", "skip"]
    assert sentinel.norms == [2.0, 1.9, 3.7], "skipped steps do not move the median"


def test_spikes_are_skipped_even_where_what_is_not_finite_stops():
    sentinel = Sentinel(Guard(spike_factor=2.0, window=1))
    assert actions(sentinel, [1.0, 9.0, INF]) == ["take", "skip", "stop"]


def test_what_is_remembered_goes_through_a_checkpoint():
    recipe = Guard(on_nonfinite="skip", spike_factor=1.5, window=4, max_skips=3)
    norms = [1.0, 1.1, 0.9, 1.0, 2.0, NAN, 1.0, 9.0, 9.0, 9.0]
    whole = Sentinel(recipe)
    expected = actions(whole, norms)
    for cut in range(len(norms)):
        first = Sentinel(recipe)
        begun = actions(first, norms[:cut])
        second = Sentinel(recipe, json.loads(json.dumps(first.state())))
        assert begun + actions(second, norms[cut:]) == expected
        assert second.state() == whole.state()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"spike_factor": 1}, "spike_factor: .*greater than 1"),
        ({"window": 0}, "window: "),
        ({"skip": 1}, "unknown key"),
    ],
)
def test_impossible_values_are_refused(data, message):
    with pytest.raises(UserError, match=message):
        validate_recipe(Guard, data)


def handlers():
    return [signal.getsignal(number) for number in BOTH]


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_is_noted(number):
    with collect_signals() as received:
        assert received == []
        os.kill(os.getpid(), number)
        assert received == [number]


def test_both_kinds_are_noted_in_order():
    with collect_signals() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        assert received == [signal.SIGTERM, signal.SIGINT]


def test_a_second_interrupt_is_not_held_back():
    with collect_signals() as received:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert received == [signal.SIGINT]


@pytest.mark.parametrize("arrived", [False, True])
def test_handlers_are_put_back(arrived):
    before = handlers()
    with collect_signals():
        assert all(now != then for now, then in zip(handlers(), before, strict=True))
        if arrived:
            os.kill(os.getpid(), signal.SIGTERM)
    assert handlers() == before


def test_handlers_are_put_back_after_an_error():
    before = handlers()
    with pytest.raises(ZeroDivisionError), collect_signals():
        raise ZeroDivisionError
    assert handlers() == before


def test_a_handler_from_outside_python_does_not_break_the_block(monkeypatch):
    before = handlers()
    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", lambda number: None)
        with collect_signals():
            pass
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    for number, handler in zip(BOTH, before, strict=True):
        signal.signal(number, handler)


def test_another_thread_leaves_signals_alone():
    before, seen = handlers(), []

    def work():
        with collect_signals() as received:
            seen.append((list(received), handlers()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [([], before)]
