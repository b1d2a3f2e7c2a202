"""The exceptions with an exit code: `UserError` (2), `TrainingDiverged` and `RunsFailed` (1), `Interrupted` (130)."""

import errno


def one_line(message: str) -> str:
    """Returns a message on one line, with escapes for what a terminal would obey (`\\x1b`) instead of showing it.

    Names of files, columns and elements come from strangers, and messages name them.
    """
    line = " ".join(message.split())
    if line.isprintable():
        return line
    shown = (char if char.isprintable() or char in "\u200c\u200d" else ascii(char)[1:-1] for char in line)
    return "".join(shown)


def is_full_disk(error: Exception) -> bool:
    """Says whether an error is one of writing to a full disk."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "No space left on device" in str(error)  # libraries that write by themselves have exceptions of their own


def in_words(error: Exception) -> str:
    """Returns what an error says: of one of the system which file is concerned, of a full disk what to do."""
    where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    if is_full_disk(error):
        return f"{where}the disk is full; free some space and run the same command again; what was finished is kept"
    return f"{where}{(isinstance(error, OSError) and error.strerror) or error}"


class UserError(ValueError):
    """Bad input: the message says what is wrong, where, and what to do, in one line."""


class TrainingDiverged(RuntimeError):
    """Loss or gradient is not finite; the message says where the last good weights are."""


class RunsFailed(RuntimeError):
    """Some runs of an experiment failed, and the others were finished; the message names them."""


class Interrupted(Exception):
    """A signal asked the run to stop, and what was done has been saved; the message says how to continue."""
