from dateline.errors import Interrupted, TrainingDiverged, UserError


def test_bad_input_is_a_value_error_and_the_others_are_not():
    assert issubclass(UserError, ValueError)
    assert not issubclass(TrainingDiverged, ValueError)
    assert not issubclass(Interrupted, ValueError | RuntimeError)


def test_an_interruption_is_no_keyboard_interrupt_so_that_it_can_be_caught_as_an_exception():
    assert issubclass(Interrupted, Exception)
    assert str(Interrupted("resume with --resume")) == "resume with --resume"
