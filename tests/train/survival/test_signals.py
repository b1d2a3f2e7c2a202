"""Signals are noted, once, and only while the block runs."""

import os
import signal
import threading

import pytest

from dateline.train.survival.signals import collect_signals

BOTH = (signal.SIGINT, signal.SIGTERM)


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
