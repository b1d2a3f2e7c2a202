from __future__ import annotations

from collections.abc import Iterator

import pytest

from dateline.corpus.readers import Columns, Reader, Record, Unreadable
from dateline.corpus.readers.registry import READERS, readers


class Lines(Reader):
    """The least that a reader must say."""

    extensions = (".lines",)

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        for file in files:
            yield Record("", "", file, "", "", f"{file}:1")


def test_a_reader_needs_extensions_and_read_only() -> None:
    plain = Lines()
    assert plain.plain
    assert plain.units(["b.lines", "a.lines"]) == [("b.lines",), ("a.lines",)]
    assert plain.units([]) == []
    assert not plain.claims("a.lines")
    assert plain.fingerprint("a.lines") is None
    assert [item.source for item in plain.read(("a.lines",), Columns())] == ["a.lines:1"]


def test_a_reader_that_cannot_read_is_none() -> None:
    class Nothing(Reader):
        extensions = (".nothing",)

    with pytest.raises(TypeError, match="abstract"):
        Nothing()  # type: ignore[abstract]


@pytest.mark.parametrize("name", READERS)
def test_every_reader_of_the_package_keeps_the_contract(name: str) -> None:
    reader = readers()[name]
    assert isinstance(reader, Reader)
    assert type(reader).__doc__
    assert all(end.startswith(".") and end == end.lower() for end in reader.extensions)
    assert not vars(reader), "a reader holds no state"
    assert not reader.plain or not any(end.endswith((".gz", ".zst")) for end in reader.extensions)
    assert not reader.claims("news/a.unknown")
    assert not reader.claims("s3://bucket/a.unknown")
