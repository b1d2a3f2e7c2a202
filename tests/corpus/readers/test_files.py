import gzip
import json
from pathlib import Path

import fsspec
import pytest
import zstandard

from dateline.corpus.readers import Columns, Record, expand_paths, file_fingerprint, read_file, read_files
from dateline.corpus.readers.files import kind_of
from dateline.errors import UserError

LINES = b'{"text": "a"}\n{"text": "b"}\n'


def texts(*paths: Path | str) -> list[str]:
    return [item.text for item in read_files(map(str, paths), Columns()) if isinstance(item, Record)]


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
)
def test_the_extension_chooses_the_reader(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert texts(tmp_path / name) == ["a", "b"]


def test_kinds_are_known_by_their_end() -> None:
    assert kind_of("s3://bucket/x.y/News.JSONL.zst") == ("jsonl", "zstd")
    assert kind_of("a.parquet") == ("parquet", "")
    assert kind_of("a.parquet.gz") is None
    assert kind_of("a.html") is None


def test_folders_and_globs_are_expanded_by_name_and_each_file_is_read_once(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "b/1.csv", "a.jsonl", ".hidden/x.jsonl", "b/readme.md", "c[1].jsonl"):
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


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("x")
    (tmp_path / "a\udcff.jsonl").write_text("x")
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "page.html").write_text("x")
    with pytest.raises(UserError, match=r"^'.*a\\udcff\.jsonl': the name of this file is not plain UTF-8"):
        expand_paths([str(tmp_path / "a\udcff.jsonl")])
    known = r"readable are \.jsonl, \.ndjson, \.json, \.csv, \.tsv"
    for path, message in [
        (tmp_path / "page.html", rf"page\.html: unknown kind of file; {known}"),
        (tmp_path / "gone.jsonl", r"gone\.jsonl: no such file or folder$"),
        (tmp_path / "*.csv", r"\*\.csv: no readable file matches this pattern \(0 others do\)"),
        (tmp_path / "pages", rf": no readable file in this folder \(1 others\); {known}"),
    ]:
        with pytest.raises(UserError, match=message):
            expand_paths([str(path)])
    with pytest.raises(UserError, match=r"gone\.jsonl: no such file$"):
        texts(tmp_path / "gone.jsonl")
    with pytest.raises(UserError, match=r"gone\.jsonl: no such file$"):
        file_fingerprint(str(tmp_path / "gone.jsonl"))
    with pytest.raises(UserError, match=r"page\.html: unknown kind of file"):
        list(read_file(str(tmp_path / "page.html"), Columns()))


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


def test_the_fingerprint_is_of_content_and_not_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(LINES)
    second.write_bytes(LINES)
    assert file_fingerprint(str(first)) == file_fingerprint(str(second))
    assert file_fingerprint(str(first)).startswith(f"{len(LINES)}-")
    second.write_bytes(LINES.replace(b"b", b"c"))
    assert file_fingerprint(str(first)) != file_fingerprint(str(second))


def test_addresses_with_a_scheme_go_through_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/news/1.jsonl": LINES, "/news/2.jsonl.gz": gzip.compress(LINES), "/news/note.txt": b""})
    try:
        assert list(expand_paths(["memory:///news"])) == list(expand_paths(["memory://news/*"]))
        assert texts(*expand_paths(["memory:///news"])) == ["a", "b", "a", "b"]
        assert texts("memory:///news/1.jsonl") == ["a", "b"]
        assert file_fingerprint("memory:///news/1.jsonl").startswith(f"{len(LINES)}-")
        with pytest.raises(UserError, match=r"^memory:///news/9\.jsonl: no such file$"):
            texts("memory:///news/9.jsonl")
    finally:
        memory.rm("/news", recursive=True)
    with pytest.raises(UserError, match=r"^nosuch://x/a\.jsonl: this scheme cannot be opened \("):
        expand_paths(["nosuch://x/a.jsonl"])


def test_records_say_where_they_stood(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a"}) + "\n")
    [record] = read_file(str(path), Columns())
    assert record.source == f"{path}:1"
