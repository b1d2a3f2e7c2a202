"""The contract of a reader: it yields what stands in a file, whole and uncleaned, or says what is wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from dateline.corpus.readers.columns import Columns, Record, Unreadable


class Reader(ABC):
    """One kind of file. Instances hold no state, so that a unit can be read in any process, any number of times."""

    extensions: ClassVar[tuple[str, ...]]
    """File name endings in lower case: `(".jsonl", ".ndjson")`."""
    plain: ClassVar[bool] = True
    """Whether the kind has no compression of its own, so that files may also end in `.gz` and `.zst`."""

    def claims(self, path: str) -> bool:
        """Says whether a path is this reader's whatever its extension: an address, or a folder that is one data set."""
        return False

    def expects(self, path: str) -> bool:
        """Says whether a file is meant that nobody named: one that a folder or a glob turned up."""
        return True

    def units(self, files: Sequence[str]) -> list[tuple[str, ...]]:
        """Returns the files that must be read together, in order; by default each file stands alone.

        Every unit is one piece of work for one process, and may be read again after a crash.
        """
        return [(file,) for file in files]

    def fingerprint(self, file: str) -> str | None:
        """Returns what identifies the content of a claimed path; None leaves it to the file itself."""
        return None

    @abstractmethod
    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields the records of one unit in a fixed order and in bounded memory.

        Raises:
            UserError: where the unit as a whole is no such file or does not fit `columns`, or from where on it is
                damaged. What was yielded before counts; the build names the file and goes on with the next unit.
        """
