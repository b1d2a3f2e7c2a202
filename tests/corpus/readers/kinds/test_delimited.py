import csv
import gzip
import io
import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds.delimited import Delimited, read_delimited, separator_of
from dateline.errors import UserError


def rows(data: bytes, separator: str | None = ",") -> list[Record | Unreadable]:
    return list(read_delimited(io.BytesIO(data), "f.csv", Columns(), separator=separator))


def texts(found: list[Record | Unreadable]) -> list[str]:
    return [item.text for item in found if isinstance(item, Record)]


def bad(found: list[Record | Unreadable]) -> list[tuple[str, str, str]]:
    return [(item.source, item.problem, item.raw) for item in found if isinstance(item, Unreadable)]


def test_quoted_fields_may_hold_anything() -> None:
    found = rows(b'\xef\xbb\xbftitle,text,link\n"A, b","one\ntwo ""x""",http://a.b\nC,d,e\n')
    assert found == [
        Record("http://a.b", "A, b", 'one\ntwo "x"', "", "", "f.csv:2"),
        Record("e", "C", "d", "", "", "f.csv:4"),
    ]


@pytest.mark.parametrize(
    ("line", "separator"),
    [
        ("title,text\n", ","),
        ("title;text;a,b\n", ";"),
        ('title|"a,b"|text\n', "|"),
        ('"a|b|c|d",text\n', ","),
        ("title\ttext\n", "\t"),
        ("a,b;c", ","),
        ("text\n", ","),
        ("", ","),
        ('"open,;\n', ","),
    ],
)
def test_the_first_line_tells_the_separator(line: str, separator: str) -> None:
    assert separator_of(line) == separator


def test_files_are_read_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftitle;text\na,b;c\n")
    (tmp_path / "b.TSV.gz").write_bytes(gzip.compress(b"title\ttext,a,b\nx\ty\n"))
    (tmp_path / "c.tsv").write_bytes(b"title\ttext\na,b\tc\n")
    for name, expected in (("a.csv", ("a,b", "c")), ("c.tsv", ("a,b", "c"))):
        (found,) = Delimited().read((str(tmp_path / name),), Columns())
        assert isinstance(found, Record)
        assert (found.title, found.text) == expected
    (found,) = Delimited().read((str(tmp_path / "b.TSV.gz"),), Columns(text="text,a,b"))
    assert isinstance(found, Record)
    assert found.text == "y"


def test_bad_rows_are_counted_one_by_one() -> None:
    found = rows(b'title,text\na,b\nonly\na,b,c\n\nd,\xff\ne,f\n"x\ny",\x80\n')
    assert texts(found) == ["b", "f"]
    assert bad(found) == [
        ("f.csv:3", "1 fields where the header has 2", "only\n"),
        ("f.csv:4", "3 fields where the header has 2", "a,b,c\n"),
        ("f.csv:6", "not UTF-8", "d,\udcff\n"),
        ("f.csv:8", "not UTF-8", '"x\ny",\udc80\n'),
    ]


def test_a_quote_that_is_never_closed_costs_one_line() -> None:
    found = rows(b'title,text\na,b\nc,"d\ne,f\ng,"h\ni"\nj,k\n')
    assert texts(found) == ["b", "f", "h\ni", "k"]
    assert bad(found) == [("f.csv:3", "not a row: ',' expected after '\"'", 'c,"d\n')]
    found = rows(b'title,text\na,b\nc,"d\ne,f\ng,h\n')
    assert texts(found) == ["b", "f", "h"]
    assert bad(found) == [("f.csv:3", "not a row: a quote that is opened here is never closed", 'c,"d\n')]


def test_stray_quotes_are_told_rather_than_guessed_at() -> None:
    found = rows(b'title,text\na,he said "x" to me\nb,"he said "x" to me"\nc,d\x00e\n')
    assert texts(found) == ['he said "x" to me', "d\x00e"]
    assert [source for source, _, _ in bad(found)] == ["f.csv:3"]


def test_long_fields_are_read_and_endless_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = rows(b"title,text\na," + b"x" * 300_000 + b"\n")
    assert isinstance(found, Record)
    assert len(found.text) == 300_000
    monkeypatch.setattr("dateline.corpus.readers.kinds.delimited.MAX_FIELD", 100)
    items = rows(b'title,text\na,"' + b"x\n" * 60 + b'c,d\n"\ne,f\n')
    assert texts(items)[-1] == "f"
    assert len(items) == 63
    monkeypatch.setattr("dateline.corpus.readers.kinds.delimited.MAX_ROW", 200)
    items = rows(b'title,text\n"a\n","b\n","c\n","d\n"\ne,f\n')
    assert bad(items)[0] == ("f.csv:2", "not a row: longer than 64 MiB, of which at least the first is kept", '"a\n')
    assert texts(items)[-1] == "f"


def test_a_file_built_to_be_read_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.kinds.delimited.REREAD", 30 << 20)
    count = 100_000
    data = b"title,text\nx,y\n" + b'a","c\n' * count  # every line closes a field and opens another
    begun = time.monotonic()
    found = rows(data)
    assert time.monotonic() - begun < 20
    assert "".join(raw for _, _, raw in bad(found)).encode() == data[15:]
    assert len(found) < 20


FIELDS = st.text(st.characters(codec="utf-8"), max_size=15)
PAIRS = st.lists(st.tuples(FIELDS, FIELDS), max_size=10)


def written(pairs: list[tuple[str, str]], separator: str) -> list[bytes]:
    found = []
    for pair in [("title", "text"), *pairs]:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\r\n", delimiter=separator).writerow(pair)
        found.append(buffer.getvalue().encode())
    return found


@given(PAIRS, st.sampled_from(",;\t|"))
@example([("\x00", "\r"), ("", "")], ",")
def test_what_csv_writes_is_read_back(pairs: list[tuple[str, str]], separator: str) -> None:
    found = rows(b"".join(written(pairs, separator)), None)
    assert [(item.title, item.text) for item in found if isinstance(item, Record)] == pairs


BROKEN = st.sampled_from([b"one\r\n", b"one,two,three\r\n", b"a,\xff\r\n", b'a,"b"c"\r\n', b'"a"b,c\r\n'])


@given(PAIRS, st.lists(st.tuples(st.integers(0, 10), BROKEN), max_size=6))
def test_broken_rows_cost_nothing_but_themselves(pairs: list[tuple[str, str]], broken: list[tuple[int, bytes]]) -> None:
    header, *lines = written([("x", "y"), *pairs], ",")
    for at, line in sorted(broken, reverse=True):
        lines.insert(at, line)
    found = rows(header + b"".join(lines))
    assert sorted((item.title, item.text) for item in found if isinstance(item, Record)) == sorted([("x", "y"), *pairs])
    assert sorted(raw.encode("utf-8", "surrogateescape") for _, _, raw in bad(found)) == sorted(x for _, x in broken)


@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_every_line_of_any_file_is_in_a_record_or_kept(noise: bytes, seed: int) -> None:
    letters = random.Random(seed).choices(b'a",\n\r\x00\xff', k=200)
    data = bytes(letters) + noise + b"\n"
    data = b"title,text\nx,y\n" + data
    lines = io.BytesIO(data).readlines()
    found = rows(data)
    begins = [int(item.source.removeprefix("f.csv:")) - 1 for item in found]
    assert begins == sorted(set(begins))
    for item, begin, end in zip(found, begins, [*begins[1:], len(lines)], strict=True):
        if isinstance(item, Unreadable):
            raw = item.raw.encode("utf-8", "surrogateescape")
            covered = raw.count(b"\n")
            assert raw == b"".join(lines[begin : begin + covered])
            assert not b"".join(lines[begin + covered : end]).strip(b"\r\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"title,text\na\nb\n", r"^f\.csv: not one of its 2 rows fits the header \(2 columns\)$"),
        (b"t\xffitle,text\na,b\n", r"^f\.csv:1: the header is not UTF-8; save the file as UTF-8$"),
        (b"a;b\n1;2\n", r"^f\.csv: no column looks like the text of an article; columns there: a;b; write"),
        (b'title,"text\na,b\n', r"^f\.csv:1: the header cannot be read \(unexpected end of data\)$"),
        (b"title,text\ra,b\r", r"^f\.csv:1: the header cannot be read \(new-line character seen in unquoted field"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rows(data)


def test_an_empty_file_holds_nothing() -> None:
    assert rows(b"", None) == []
    assert rows(b"title,text\n") == []


def test_a_truncated_gzip_gives_what_it_has(tmp_path: Path) -> None:
    write = random.Random(0)
    data = [b'%d,"%x\n"\n' % (number, write.getrandbits(800)) for number in range(5000)]
    packed = gzip.compress(b"title,text\n" + b"".join(data))
    path = tmp_path / "f.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found: list[Record | Unreadable] = []
    with pytest.raises(UserError, match=r"f\.csv\.gz:\d+: the compressed file is cut off here; fetch it again$"):
        found.extend(Delimited().read((str(path),), Columns()))
    assert 1500 < len(texts(found)) <= 2500
    assert [problem for _, problem, _ in bad(found)] in ([], ["not a row: the file breaks off inside it"])


def test_a_line_without_end_is_one_bad_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.files.KEPT_OF_LONG", 20)
    for module in ("files", "kinds.delimited"):
        monkeypatch.setattr(f"dateline.corpus.readers.{module}.MAX_LINE", 100)
    found = rows(b"title,text\na,b\n" + b"x" * 250 + b"\nc,d\n")
    assert texts(found) == ["b", "d"]
    assert bad(found) == [("f.csv:3", "not a row: longer than 64 MiB, of which at least the first is kept", "x" * 20)]
