import io
import sys

import pytest

from dateline import progress as module
from dateline.progress import progress, span


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    fake = Clock()
    monkeypatch.setattr(module, "time", fake)
    return fake


def test_a_log_gets_a_line_at_most_every_ten_seconds_and_one_at_the_end(capsys, clock):
    with progress("encode", 4000, "articles") as advance:
        advance(1000)
        clock.now += 9.9
        advance(500)
        clock.now += 0.1
        advance(1000, note="loss 2.31")
        clock.now += 5
        advance(1500)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "encode: 2,500/4,000 articles 10s loss 2.31",
        "encode: 4,000 articles in 15.0s loss 2.31",
    ]


def test_an_unknown_total_is_left_out(capsys, clock):
    with progress("corpus", None, "articles") as advance:
        clock.now += 10
        advance(7)
    assert capsys.readouterr().err.splitlines() == ["corpus: 7 articles 10s", "corpus: 7 articles in 10.0s"]


def test_long_lines_stay_one_line_and_brackets_stay_brackets(capsys, clock):
    note = "[/red] [bold]:smile: " + "x" * 200
    with progress("train", 1, "steps") as advance:
        advance(1, note)
    assert capsys.readouterr().err == f"train: 1 steps in 0.0s {note}\n"


def test_a_block_that_fails_claims_no_end(capsys):
    with pytest.raises(ZeroDivisionError), progress("encode", 2) as advance:
        advance(1 // 0)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_on_standard_error(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress("encode", 4, "articles") as advance:
        advance(3, note="loss 1.5")
        advance()
    assert "4/4" in terminal.getvalue()
    assert "loss 1.5" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (7_500, "2 h 5 min"),
        (93_600, "1 d 2 h"),
    ],
)
def test_lengths_of_time(seconds, words):
    assert span(seconds) == words


def test_a_loop_that_did_nothing_says_nothing(capsys):
    with progress("corpus: decide", None, "documents"):
        pass
    assert capsys.readouterr().err == ""
