from hypothesis import given
from hypothesis import strategies as st

from dateline.errors import Interrupted, TrainingDiverged, UserError, one_line


def test_bad_input_is_a_value_error_and_the_others_are_not():
    assert issubclass(UserError, ValueError)
    assert not issubclass(TrainingDiverged, ValueError)
    assert not issubclass(Interrupted, ValueError | RuntimeError)


def test_an_interruption_is_no_keyboard_interrupt_so_that_it_can_be_caught_as_an_exception():
    assert issubclass(Interrupted, Exception)
    assert str(Interrupted("resume with --resume")) == "resume with --resume"


def test_a_message_is_shown_on_one_line_and_obeyed_by_no_terminal():
    assert one_line("a\nb\t c ") == "a b c"
    assert one_line("\x1b[31m\u202e\ud800\x9b \U000e0001") == r"\x1b[31m\u202e\ud800\x9b \U000e0001"
    assert one_line("caf\u00e9 \u0915\u094d\u200d\u0937") == "caf\u00e9 \u0915\u094d\u200d\u0937"


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_in_a_message_it_can_be_printed(message):
    line = one_line(message)
    assert line.replace("\u200c", "").replace("\u200d", "").isprintable()
    assert one_line(line) == line
    line.encode("utf-8")
