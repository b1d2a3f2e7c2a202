import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.dropped import DroppedFiles, json_line, slug
from dateline.corpus.readers import Columns, Record, read_files

from .helpers import read_jsonl

ROWS = [
    {"reason": "too short", "detail": "3 characters", "text": "abc", "url": "https://a.ke/1"},
    {"reason": "language", "detail": "sw 0.99", "text": "Habari za leo.\nNjema – ‘sana’.", "url": ""},
    {"reason": "too short", "detail": "1 characters", "text": "é", "url": "https://a.ke/2"},
]


def test_each_reason_has_a_folder_with_its_documents_in_order(tmp_path: Path) -> None:
    with DroppedFiles(tmp_path, "00004") as files:
        for row in ROWS:
            files.write(row)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.gz")) == [
        "language/00004.jsonl.gz",
        "too-short/00004.jsonl.gz",
    ]
    assert read_jsonl(tmp_path / "too-short" / "00004.jsonl.gz") == [ROWS[0], ROWS[2]]
    assert read_jsonl(tmp_path / "language" / "00004.jsonl.gz") == [ROWS[1]]


def test_a_reader_reads_them_again(tmp_path: Path) -> None:
    with DroppedFiles(tmp_path, "00000") as files:
        for row in ROWS:
            files.write(row)
    paths = [str(path) for path in sorted(tmp_path.rglob("*.gz"))]
    found = [record for record in read_files(paths, Columns()) if isinstance(record, Record)]
    assert [record.text for record in found] == [ROWS[1]["text"], ROWS[0]["text"], ROWS[2]["text"]]


def test_the_bytes_depend_on_the_documents_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with DroppedFiles(tmp_path / name, "00000") as files:
            files.write(ROWS[0])
    first, second = (next((tmp_path / name).rglob("*.gz")).read_bytes() for name in ("a", "b"))
    assert first == second


def test_what_other_tasks_dropped_is_put_before_ones_own(tmp_path: Path) -> None:
    with DroppedFiles(tmp_path, "00000") as files:
        files.raw("too-short").write(gzip.compress(json_line(ROWS[2])))
        files.write(ROWS[0])
    assert read_jsonl(tmp_path / "too-short" / "00000.jsonl.gz") == [ROWS[2], ROWS[0]]


def test_without_a_dropped_document_there_is_no_folder(tmp_path: Path) -> None:
    with DroppedFiles(tmp_path / "dropped", "00000"):
        pass
    assert not (tmp_path / "dropped").exists()


@pytest.mark.parametrize(
    ("reason", "name"),
    [("too short", "too-short"), ("../../etc", "etc"), ("Nicht  da!", "nicht-da"), ("…", "other"), ("", "other")],
)
def test_a_reason_is_a_harmless_folder_name(reason: str, name: str) -> None:
    assert slug(reason) == name


@given(st.text())
def test_no_reason_leads_out_of_the_folder(reason: str) -> None:
    assert slug(reason).replace("-", "").isalnum()


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=4))
def test_a_row_is_one_line_and_comes_back_whatever_is_in_it(row: dict[str, str]) -> None:
    line = json_line(row)
    assert line.count(b"\n") == 1
    assert json.loads(line) == row


def test_text_that_is_no_unicode_comes_back_too() -> None:
    row = {"raw": "bytes \udcff and half \ud800"}
    assert json.loads(json_line(row)) == row
