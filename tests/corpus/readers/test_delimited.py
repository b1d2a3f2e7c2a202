import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.delimited import read_delimited
from dateline.errors import UserError


def rows(data: bytes, separator: str = ",") -> list[Record | Unreadable]:
    return list(read_delimited(io.BytesIO(data), "f.csv", Columns(), separator=separator))


def test_quoted_fields_may_hold_anything() -> None:
    found = rows(b'\xef\xbb\xbftitle,text,link\n"A, b","one\ntwo ""x""",http://a.b\nC,d,e\n')
    assert found == [
        Record("http://a.b", "A, b", 'one\ntwo "x"', "", "", "f.csv:2"),
        Record("e", "C", "d", "", "", "f.csv:4"),
    ]


def test_tabs_separate_tsv() -> None:
    assert rows(b"title\ttext\na,b\tc\n", "\t") == [Record("", "a,b", "c", "", "", "f.csv:2")]


def test_bad_rows_are_counted_one_by_one() -> None:
    found = rows(b"title,text\na,b\nonly\na,b,c\n\nd,\xff\ne,f\n")
    assert [item.problem if isinstance(item, Unreadable) else item.text for item in found] == [
        "b",
        "1 fields where the header has 2",
        "3 fields where the header has 2",
        "not UTF-8",
        "f",
    ]
    assert [item.source for item in found] == ["f.csv:2", "f.csv:3", "f.csv:4", "f.csv:6", "f.csv:7"]
    assert isinstance(found[2], Unreadable)
    assert found[2].excerpt == "a,b,c"


def test_long_fields_are_read() -> None:
    [found] = rows(b"title,text\na," + b"x" * 300_000 + b"\n")
    assert isinstance(found, Record)
    assert len(found.text) == 300_000


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=15)


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=10))
def test_what_csv_writes_is_read_back(pairs: list[tuple[str, str]]) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(["title", "text"])
    writer.writerows(pairs)
    found = rows(buffer.getvalue().encode())
    assert [(item.title, item.text) for item in found if isinstance(item, Record)] == pairs


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"title,text\na\nb\n", r"^f\.csv: not one of its 2 rows fits the header \(2 columns\)$"),
        (b"t\xffitle,text\na,b\n", r"^f\.csv:1: the header is not UTF-8; save the file as UTF-8$"),
        (b"a;b\n1;2\n", r"^f\.csv: no column looks like the text of an article; columns there: a;b; write"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rows(data)


def test_an_empty_file_holds_nothing() -> None:
    assert rows(b"") == []
    assert rows(b"title,text\n") == []


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.jsonl.MAX_LINE", 100)
    monkeypatch.setattr("dateline.corpus.readers.delimited.MAX_LINE", 100)
    with pytest.raises(UserError, match=r"^f\.csv:3: a line of more than 64 MiB; is this a table\?$"):
        rows(b"title,text\na,b\n" + b"x" * 250 + b"\n")
