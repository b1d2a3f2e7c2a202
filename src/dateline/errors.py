"""The exceptions with an exit code: `UserError` (2), `TrainingDiverged` and `RunsFailed` (1), `Interrupted` (130)."""


def one_line(message: str) -> str:
    """Returns a message on one line, with escapes for what a terminal would obey (`\\x1b`) instead of showing it.

    Names of files, columns and elements come from strangers, and messages name them.
    """
    line = " ".join(message.split())
    if line.isprintable():
        return line
    shown = (char if char.isprintable() or char in "\u200c\u200d" else ascii(char)[1:-1] for char in line)
    return "".join(shown)


class UserError(ValueError):
    """Bad input: the message says what is wrong, where, and what to do, in one line."""


class TrainingDiverged(RuntimeError):
    """Loss or gradient is not finite; the message says where the last good weights are."""


class RunsFailed(RuntimeError):
    """Some runs of an experiment failed, and the others were finished; the message names them."""


class Interrupted(Exception):
    """A signal asked the run to stop, and what was done has been saved; the message says how to continue."""
