"""Which reader reads which file, by its name, and what one process reads at a time.

A reader of one's own is a subclass of `Reader` that a package names under the entry point group `dateline.readers`;
it comes before the ones here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import NamedTuple

from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.errors import UserError

ENTRY_POINTS = "dateline.readers"
READERS = {
    "json lines": "dateline.corpus.readers.kinds.jsonl:JsonLines",
    "json": "dateline.corpus.readers.kinds.jsonl:Json",
    "csv": "dateline.corpus.readers.kinds.delimited:Delimited",
    "parquet": "dateline.corpus.readers.kinds.tables:Parquet",
    "arrow": "dateline.corpus.readers.kinds.tables:ArrowFile",
    "feed": "dateline.corpus.readers.kinds.feed:Feed",
    "html": "dateline.corpus.readers.kinds.html:HtmlPages",
    "warc": "dateline.corpus.readers.kinds.warc:Warc",
    "now": "dateline.corpus.readers.kinds.now:NewsOnTheWeb",
    "hugging face": "dateline.corpus.readers.kinds.huggingface:HuggingFace",
}
"""Name -> where the class is; the modules import nothing heavy before they read."""
COMPRESSIONS = (".gz", ".zst")


class Unit(NamedTuple):
    """What one process reads from beginning to end."""

    reader: str
    files: tuple[str, ...]


@cache
def readers() -> dict[str, Reader]:
    """Returns every reader by name, those of other packages first.

    Raises:
        UserError: where an entry point does not lead to a reader.
    """
    found: dict[str, Reader] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            kind = entry.load()
        except (ImportError, AttributeError) as error:
            raise UserError(
                f"entry point '{entry.name}' ({entry.value}): cannot be imported ({error}); mend that package"
            ) from None
        if not (isinstance(kind, type) and issubclass(kind, Reader)):
            raise UserError(f"entry point '{entry.name}' ({entry.value}): is no subclass of Reader; mend that package")
        found[entry.name] = kind()
    for name, place in READERS.items():
        module, _, kind = place.partition(":")
        found.setdefault(name, getattr(import_module(module), kind)())
    return found


def extensions() -> str:
    """Returns the readable extensions for people."""
    return ", ".join(dict.fromkeys(end for reader in readers().values() for end in reader.extensions))


def claimed_by(path: str) -> Reader | None:
    """Returns the reader that takes a path whatever its extension: an address, or a folder that is one data set."""
    return next((reader for reader in readers().values() if reader.claims(path)), None)


def reader_of(path: str) -> str | None:
    """Returns the name of the reader that takes a path, or None."""
    lower = path.rsplit("/", 1)[-1].lower()
    stem = next((lower.removesuffix(end) for end in COMPRESSIONS if lower.endswith(end)), lower)
    for name, reader in readers().items():
        if reader.claims(path):
            return name
        if lower.endswith(reader.extensions) or (reader.plain and stem.endswith(reader.extensions)):
            return name
    return None


def is_expected(path: str) -> bool:
    """Says whether a file that a folder or a glob turned up is to be read."""
    name = reader_of(path)
    return name is not None and readers()[name].expects(path)


def work_units(files: Sequence[str]) -> list[Unit]:
    """Returns the units of all files, in the order of their first files.

    Raises:
        UserError: where no reader takes a file, or files that belong together are incomplete.
    """
    position = {file: number for number, file in reversed(list(enumerate(files)))}
    by_reader: dict[str, list[str]] = {}
    for file in files:
        name = reader_of(file)
        if name is None:
            raise UserError(f"{file}: unknown kind of file; readable are {extensions()}")
        by_reader.setdefault(name, []).append(file)
    placed: list[tuple[int, int, Unit]] = []
    for name, members in by_reader.items():
        for number, group in enumerate(readers()[name].units(members)):
            first = group[0] if group[0] in position else _whole_of(group[0], members)
            placed.append((position[first], number, Unit(name, group)))
    return [unit for _, _, unit in sorted(placed, key=lambda item: item[:2])]


def _whole_of(part: str, files: Sequence[str]) -> str:
    """Returns the one of some files that a part (`hf-dataset://a/b#shard=0/2`, `folder/0.arrow`) belongs to."""
    return max((file for file in files if part.startswith(file)), key=len, default=files[0])


def read_unit(unit: Unit, columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of one unit."""
    return readers()[unit.reader].read(unit.files, columns)


def read_files(files: Iterable[str], columns: Columns) -> Iterator[Record | Unreadable]:
    """Yields the records of all files, unit by unit.

    Example:
        >>> next(read_files(["news.jsonl"], Columns(text="body_text"))).source
        'news.jsonl:1'
    """
    for unit in work_units(list(files)):
        yield from read_unit(unit, columns)
