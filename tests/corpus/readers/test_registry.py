from __future__ import annotations

import gzip
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unit, read_files, read_unit, work_units
from dateline.corpus.readers.registry import READERS, claimed_by, extensions, reader_of, readers
from dateline.errors import UserError

LINES = b'{"text": "a"}\n{"text": "b"}\n'
NAMES = itertools.count()

PACKAGE = """
from dateline.corpus.readers import Reader, Record

class Lines(Reader):
    \"\"\"One article a line.\"\"\"

    extensions = (".lines",)

    def claims(self, path):
        return path.startswith("lines://")

    def units(self, files):
        plain = [(file,) for file in files if "://" not in file]
        return plain + [(f"{file}#{number}",) for file in files if "://" in file for number in range(2)]

    def read(self, files, columns):
        for file in files:
            with open(file) as lines:
                for number, line in enumerate(lines, 1):
                    yield Record("", "", line.strip(), "", "", f"{file}:{number}")

class Csv(Lines):
    \"\"\"In place of the package's own.\"\"\"

    extensions = (".csv",)

class NoReader:
    pass
"""


class Installed:
    """Installs a package with one reader, as pip would leave it, for the length of a test."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        self.module = f"made_up_reader_{next(NAMES)}"

    def __call__(self, name: str, place: str) -> None:
        (self.folder / f"{self.module}.py").write_text(PACKAGE)
        about = self.folder / f"{self.module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {self.module}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[dateline.readers]\n{name} = {self.module}{place}\n")
        self.patch.syspath_prepend(str(self.folder))
        readers.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    (tmp_path / "site").mkdir()
    installed = Installed(tmp_path / "site", monkeypatch)
    yield installed
    sys.modules.pop(installed.module, None)
    readers.cache_clear()


def texts(*paths: Path | str, columns: Columns = Columns()) -> list[str]:  # noqa: B008
    return [item.text for item in read_files(map(str, paths), columns) if isinstance(item, Record)]


# --- which reader


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES),
        ("a.JSONL.gz", gzip.compress(LINES)),
        ("a.jsonl.gz", gzip.compress(LINES[:14]) + gzip.compress(LINES[14:])),
        ("a.jsonl.zst", zstandard.compress(LINES)),
        ("a.jsonl.zst", zstandard.compress(LINES[:14]) + zstandard.compress(LINES[14:])),
        ("a.json", LINES),
        ("a.csv", b"text\na\nb\n"),
        ("a.csv.gz", gzip.compress(b"text\na\nb\n")),
        ("a.tsv", b"text\turl\na\tx\nb\ty\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # compressed bytes hold the time of day
)
def test_the_extension_chooses_the_reader(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert texts(tmp_path / name) == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("s3://bucket/x.y/News.JSONL.zst", "json lines"),
        ("a.json.gz", "json"),
        ("dir.csv/a.tsv", "csv"),
        ("a.parquet", "parquet"),
        ("a.parquet.gz", None),
        ("a.arrow", "arrow"),
        ("CC-NEWS-2024.warc.gz", "warc"),
        ("https://x.org/feed.xml", "feed"),
        ("a.html", "html"),
        ("19-01.txt", "now"),
        ("a.jsonl.gz.gz", None),
        ("a.jsonl/", None),
        ("jsonl", None),
        ("a.md", None),
        ("", None),
    ],
)
def test_kinds_are_known_by_their_end(path: str, name: str | None) -> None:
    assert reader_of(path) == name


def test_every_reader_of_the_package_is_there_and_its_extensions_are_told() -> None:
    assert set(READERS) <= set(readers())
    assert all(end in extensions().split(", ") for reader in readers().values() for end in reader.extensions)
    assert len(set(extensions().split(", "))) == len(extensions().split(", "))


def test_an_unknown_kind_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        work_units(["a.jsonl", "b.docx"])
    assert str(raised.value) == f"b.docx: unknown kind of file; readable are {extensions()}"
    assert extensions().startswith(".jsonl, ")


# --- units


@given(st.permutations(["a.jsonl", "b.csv", "c.json", "d.jsonl.gz", "e.tsv", "f.parquet", "g.jsonl"]))
def test_units_follow_the_order_of_the_files(files: list[str]) -> None:
    units = work_units(files)
    assert [unit.files for unit in units] == [(file,) for file in files]
    assert [unit.reader for unit in units] == [reader_of(file) for file in files]


def test_no_files_make_no_units() -> None:
    assert work_units([]) == []


def test_a_unit_is_read_by_its_reader_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    [unit] = work_units([str(tmp_path / "a.jsonl")])
    assert unit == Unit("json lines", (str(tmp_path / "a.jsonl"),))
    found = list(read_unit(unit, Columns()))
    assert [item.source for item in found] == [f"{tmp_path / 'a.jsonl'}:{n}" for n in (1, 2)]
    assert found == list(read_unit(unit, Columns()))


# --- readers of other packages


def test_a_reader_of_another_package_reads_its_files(tmp_path: Path, install: Installed) -> None:
    install("lines", ":Lines")
    (tmp_path / "a.lines").write_text("one\ntwo\n")
    (tmp_path / "b.jsonl").write_bytes(LINES)
    assert texts(tmp_path / "b.jsonl", tmp_path / "a.lines") == ["a", "b", "one", "two"]
    assert reader_of("a.lines.gz") == "lines"
    assert next(iter(readers())) == "lines"
    assert ".lines" in extensions()


def test_a_reader_of_another_package_may_stand_in_for_one_of_the_same_name(tmp_path: Path, install: Installed) -> None:
    install("csv", ":Csv")
    (tmp_path / "a.csv").write_text("text\na\n")
    assert texts(tmp_path / "a.csv") == ["text", "a"]
    assert list(readers()).count("csv") == 1


def test_an_address_that_a_reader_claims_is_its_own_and_its_parts_stay_where_it_stood(install: Installed) -> None:
    install("lines", ":Lines")
    claiming = claimed_by("lines://a/b.csv")
    assert claiming is readers()["lines"]
    assert claimed_by("b.csv") is None
    files = ["lines://one", "b.csv", "lines://two", "c.lines"]
    assert [unit.files[0] for unit in work_units(files)] == [
        *("lines://one#0", "lines://one#1", "b.csv", "lines://two#0", "lines://two#1", "c.lines")
    ]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (":NoReader", r"^entry point 'lines' \(made_up\w+:NoReader\): is no subclass of Reader; mend that package$"),
        (":Gone", r"^entry point 'lines' \(made_up\w+:Gone\): cannot be imported \(.*Gone.*\); mend that package$"),
        ("_gone:Lines", r"^entry point 'lines' .* cannot be imported \(No module named 'made_up\w+_gone'\); mend"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_named(install: Installed, place: str, message: str) -> None:
    install("lines", place)
    with pytest.raises(UserError, match=message):
        readers()
