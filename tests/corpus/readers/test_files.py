from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import zstandard

from dateline.corpus.readers import (
    Columns,
    Reader,
    Record,
    Unreadable,
    expand_paths,
    file_fingerprint,
    file_size,
    open_file,
    open_raw,
    read_files,
)
from dateline.corpus.readers.files import explained
from dateline.corpus.readers.registry import extensions, readers
from dateline.errors import UserError

LINES = b'{"text": "a"}\n{"text": "b"}\n'


def texts(*paths: Path | str) -> list[str]:
    return [item.text for item in read_files(map(str, paths), Columns()) if isinstance(item, Record)]


def content(path: Path | str) -> bytes:
    with open_file(str(path)) as file:
        return file.read()


@pytest.fixture
def memory() -> Iterator[Any]:
    """A remote file system within this process."""
    system = fsspec.filesystem("memory")
    files = {
        "/news/1.jsonl": LINES,
        "/news/b/2.jsonl.gz": gzip.compress(LINES),
        "/news/note.md": b"",
        "/[1].csv": b"text\n",
    }
    system.pipe(files)
    yield system
    for name in files:
        if system.exists(name):
            system.rm_file(name)


class Sets(Reader):
    """Takes folders that end in `.set` as one data set each, and addresses of its own."""

    extensions = ()

    def claims(self, path: str) -> bool:
        return path.endswith(".set")

    def fingerprint(self, file: str) -> str | None:
        return "commit 1234" if file.startswith("sets://") else None

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        yield from ()


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> Sets:
    reader = Sets()
    known = readers() | {"sets": reader}
    monkeypatch.setattr("dateline.corpus.readers.registry.readers", lambda: known)
    return reader


# --- from paths to files


def test_folders_and_globs_are_expanded_by_name_and_each_file_is_read_once(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/1.csv", "a.jsonl", ".hidden/x.jsonl", "b/.x.jsonl", "b/readme.md", "c[1].jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(LINES)
    inside = [str(tmp_path / name) for name in ("b/1.csv", "b/2.jsonl")]
    assert list(expand_paths([str(tmp_path / "b")])) == inside
    assert list(expand_paths([str(tmp_path / "**" / "[12].*"), str(tmp_path)])) == [
        *inside,
        str(tmp_path / "a.jsonl"),
        str(tmp_path / "c[1].jsonl"),
    ]
    assert list(expand_paths([str(tmp_path / "c[1].jsonl")])) == [str(tmp_path / "c[1].jsonl")]
    assert list(expand_paths([inside[1], inside[0], inside[1]])) == [inside[1], inside[0]]
    assert expand_paths([]) == ()


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.jsonl").write_bytes(LINES)
    assert texts(*expand_paths(["~/a.jsonl"])) == ["a", "b"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.docx").write_text("x")
    (tmp_path / "a\udcff.jsonl").write_text("x")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "page.docx").write_text("x")
    known = f"readable are {extensions()}"
    for path, message in [
        (tmp_path / "page.docx", f"{tmp_path}/page.docx: unknown kind of file; {known}"),
        (tmp_path / "gone.jsonl", f"{tmp_path}/gone.jsonl: no such file or folder"),
        (tmp_path / "*.csv", f"{tmp_path}/*.csv: no readable file matches this pattern (0 others do); {known}"),
        (tmp_path / "*.docx", f"{tmp_path}/*.docx: no readable file matches this pattern (1 others do); {known}"),
        (tmp_path / "pages", f"{tmp_path}/pages: no readable file in this folder (1 others); {known}"),
        (
            tmp_path / "a\udcff.jsonl",
            f"'{tmp_path}/a\\udcff.jsonl': the name of this file is not plain UTF-8 text; rename it",
        ),
    ]:
        with pytest.raises(UserError) as raised:
            expand_paths([str(path)])
        assert str(raised.value) == message


def test_a_folder_that_is_one_data_set_stands_for_itself(tmp_path: Path, sets: Sets) -> None:
    for name in ("a.jsonl", "x.set/a.jsonl", "x.set/b.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(LINES)
    assert expand_paths([str(tmp_path / "x.set")]) == (str(tmp_path / "x.set"),)
    assert expand_paths(["sets://a/b.set", str(tmp_path / "a.jsonl")]) == ("sets://a/b.set", str(tmp_path / "a.jsonl"))


# --- from files to bytes


def test_the_name_says_how_a_file_is_decompressed(tmp_path: Path) -> None:
    for name, data in {
        "a": LINES,
        "a.gz": gzip.compress(LINES[:9]) + gzip.compress(LINES[9:]),
        "a.GZ": gzip.compress(LINES),
        "a.zst": zstandard.compress(LINES[:9]) + zstandard.compress(LINES[9:]),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert content(tmp_path / name) == LINES
        with open_raw(str(tmp_path / name)) as raw:
            assert raw.read() == data


@pytest.mark.parametrize("opened", [open_file, open_raw])
def test_what_the_file_system_says_becomes_one_line(tmp_path: Path, opened: Any) -> None:
    (tmp_path / "folder").mkdir()
    for path, message in [
        (tmp_path / "gone.jsonl", "no such file"),
        (tmp_path / "folder", "cannot be read (Is a directory)"),
    ]:
        with pytest.raises(UserError) as raised, opened(str(path)):
            pass
        assert str(raised.value) == f"{path}: {message}"
    with pytest.raises(UserError, match=r"^a\.csv: cannot be read \(no entry\)$"), explained("a.csv"):
        raise PermissionError("no entry")


def test_a_stream_that_broke_stays_broken(tmp_path: Path) -> None:
    whole = zstandard.compress(" ".join(f"town {n * n}" for n in range(50)).encode())
    broken = 0
    for at in range(len(whole)):
        (tmp_path / "a.zst").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with open_file(str(tmp_path / "a.zst")) as file:
            try:
                file.read()
            except OSError:
                broken += 1
                with pytest.raises(OSError, match=r"(?i)zstd|truncated"):  # pyarrow would give memory never written
                    file.read(100)
    assert broken > 10


@pytest.mark.parametrize("end", ["gz", "zst"])
def test_compressed_files_that_are_cut_off_or_are_none_are_refused(tmp_path: Path, end: str) -> None:
    data = b"".join(b'{"text": "%d"}\n' % (n * 7919 % 10007) for n in range(40_000))
    whole = gzip.compress(data) if end == "gz" else zstandard.compress(data)
    path = tmp_path / f"a.jsonl.{end}"
    path.write_bytes(whole[:-50])
    with pytest.raises(UserError, match=rf"a\.jsonl\.{end}:\d+: the compressed file is cut off here; fetch it again$"):
        texts(path)
    path.write_bytes(data)
    with pytest.raises(UserError, match=rf"a\.jsonl\.{end}:0: cannot be "):
        texts(path)


# --- what identifies a file


def test_the_fingerprint_is_of_content_and_not_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(LINES)
    second.write_bytes(LINES)
    assert file_fingerprint(str(first)) == file_fingerprint(str(second))
    assert file_fingerprint(str(first)).startswith(f"{len(LINES)}-")
    second.write_bytes(LINES.replace(b"b", b"c"))
    assert file_fingerprint(str(first)) != file_fingerprint(str(second))
    with pytest.raises(UserError, match=r"gone\.jsonl: no such file$"):
        file_fingerprint(str(tmp_path / "gone.jsonl"))


def test_the_fingerprint_of_a_data_set_is_its_readers_or_that_of_all_its_files(tmp_path: Path, sets: Sets) -> None:
    assert file_fingerprint("sets://a/b.set") == "commit 1234"
    folder = tmp_path / "x.set"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(b"12")
    (folder / "deep" / "b").write_bytes(b"3")
    before = file_fingerprint(str(folder))
    assert before.startswith("3-")
    (folder / "deep" / "b").rename(folder / "deep" / "c")
    renamed = file_fingerprint(str(folder))
    assert renamed != before
    (folder / "deep" / "c").write_bytes(b"4")
    assert file_fingerprint(str(folder)) not in (before, renamed)
    (folder / "deep" / "c").unlink()
    assert file_fingerprint(str(folder)).startswith("2-")


def test_sizes_are_those_on_disk_and_0_where_only_reading_would_tell(tmp_path: Path, memory: Any, sets: Sets) -> None:
    packed = gzip.compress(LINES)
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    assert file_size(str(tmp_path / "a.jsonl.gz")) == len(packed)
    assert file_size("memory:///news/1.jsonl") == len(LINES)
    assert file_size("sets://a/b.set") == file_size(str(tmp_path)) == 0
    with pytest.raises(UserError, match=r"^memory:///news/9\.jsonl: no such file$"):
        file_size("memory:///news/9.jsonl")


# --- addresses with a scheme


def test_addresses_with_a_scheme_go_through_fsspec(memory: Any) -> None:
    found = ("memory:///news/1.jsonl", "memory:///news/b/2.jsonl.gz")
    assert expand_paths(["memory:///news"]) == expand_paths(["memory://news/**"]) == found
    assert expand_paths(["memory:///news/1.jsonl", "memory:///news"]) == found
    assert texts(*found) == ["a", "b", "a", "b"]
    assert expand_paths(["memory:///[1].csv"]) == ("memory:///[1].csv",)
    assert content("memory:///news/b/2.jsonl.gz") == LINES


def test_remote_files_are_identified_by_what_the_store_says(memory: Any) -> None:
    before = file_fingerprint("memory:///news/1.jsonl")
    assert before.startswith(f"{len(LINES)}-")
    assert file_fingerprint("memory:///news/1.jsonl") == before
    memory.pipe({"/news/1.jsonl": LINES + LINES})
    assert file_fingerprint("memory:///news/1.jsonl") != before


def test_addresses_that_lead_nowhere_are_named(memory: Any) -> None:
    for path, message in [
        ("memory:///news/9.jsonl", "memory:///news/9.jsonl: no such file"),
        ("memory:///news/*.csv", f"memory:///news/*.csv: no readable file there; readable are {extensions()}"),
    ]:
        with pytest.raises(UserError) as raised:
            texts(*expand_paths([path]))
        assert str(raised.value) == message
    with pytest.raises(UserError, match=r"^memory:///news/9\.jsonl: no such file$"):
        file_fingerprint("memory:///news/9.jsonl")
    with pytest.raises(UserError, match=r"^nosuch://x/a\.jsonl: this scheme cannot be opened \("):
        texts(*expand_paths(["nosuch://x/a.jsonl"]))
