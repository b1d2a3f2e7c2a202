import gzip
import random
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds.now import NO_ROW, NO_TEXT, TWICE, NewsOnTheWeb
from dateline.errors import UserError

READER = NewsOnTheWeb()
GAP = "@ @ @ @ @ @ @ @ @ @"


def units(*files: Path) -> list[tuple[str, ...]]:
    return READER.units([str(file) for file in files])


def read(unit: Iterable[str | Path]) -> list[Record | Unreadable]:
    return list(READER.read(tuple(map(str, unit)), Columns()))


def delivery(folder: Path, files: dict[str, str | bytes]) -> list[Path]:
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def all_of(files: list[Path]) -> list[Record | Unreadable]:
    return [item for unit in units(*files) for item in read(unit)]


def row(number: int, date: str = "10-01-06", country: str = "US", title: str = "A title", site: str = "A Site") -> str:
    return f"{number}\t342\t{date}\t{country}\t{site}\thttp://site.com/{number}\t{title}\n"


def test_a_delivery_in_the_usual_layout(tmp_path: Path) -> None:
    """One text a line, tab-separated sources with names of columns: nothing but the join happens to the content."""
    files = delivery(
        tmp_path,
        {
            "10-01-us.txt": f"@@101 <h> Mayor 's plan <p> She did n't agree . {GAP} the end &amp; more . <p> Next .\r\n"
            "@@102 <p> No headline here . <h> Not one either <p> Text .\n",
            "now_sources_pt1.txt": "textID\t#words\tdate\tcountry\twebsite\turl\ttitle\n-----\t-----\t-----\t-----\n\n"
            '101\t342\t10-01-06\tUS\tThe "Daily" Post\thttps://post.com/a?b=1\tMayor\'s "plan"\n'
            "102\t21\t10-01-31\tUS\tKPBS\thttp://kpbs.org/2\t\n",
        },
    )
    texts, sources = map(str, files)
    assert units(*files) == [(texts, sources), (sources,)]
    assert read(units(*files)[0]) == [
        Record(
            url="https://post.com/a?b=1",
            title='Mayor\'s "plan"',
            text=f"<p> She did n't agree . {GAP} the end &amp; more . <p> Next .",
            date="2010-01-06",
            country="US",
            source=f"{texts}:1",
        ),
        Record(
            url="http://kpbs.org/2",
            title="",
            text="<p> No headline here . <h> Not one either <p> Text .",
            date="2010-01-31",
            country="US",
            source=f"{texts}:2",
        ),
    ]
    assert read([sources]) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "5 342 13-01-06 US The Daily Post http://p.com/a Mayor's plan",
            ("http://p.com/a", "Mayor's plan", "2013-01-06"),
        ),
        ("5 342 2013-01-06 US Post https://p.com/a", ("https://p.com/a", "<h>", "2013-01-06")),
        ("  5 342 13-01-06 US http://p.com/a Title", ("http://p.com/a", "Title", "2013-01-06")),
        ("5 342 13-01-06 US The Daily Post", ("", "<h>", "2013-01-06")),
        ("5\t342\t13-01-06\tUS\tPost\tp.com/a\tTitle", ("p.com/a", "Title", "2013-01-06")),
        ("5\t342\t13-01-06\tUS\thttp://p.com\thttp://p.com/a\tTitle", ("http://p.com/a", "Title", "2013-01-06")),
        (
            "5\t342\t13-01-06\tUS\tA\tPost\thttp://p.com/a\tTitle\tin two",
            ("http://p.com/a", "Title in two", "2013-01-06"),
        ),
        ("5\t\t2013-01-06 10:00\tUS\tPost\thttp://p.com/a", ("http://p.com/a", "<h>", "2013-01-06 10:00")),
        ("5\t342\t13/1/6\tUS\tPost\thttp://p.com/a\tT", ("http://p.com/a", "T", "2013/1/6")),
        ("5\t342\tunknown\tUS\tPost\thttp://p.com/a\tT", ("http://p.com/a", "T", "unknown")),
        ("5\t342\t13-02-06\tUS\tPost\thttp://p.com/a\tT", ("http://p.com/a", "T", "2013-02-06")),
        ("5\t342\t13-01-06\tUS", ("", "<h>", "2013-01-06")),
        ('5\t342\t13-01-06\tUS\t"Post"\thttp://p.com/a\t"T"', ("http://p.com/a", '"T"', "2013-01-06")),
    ],
)
def test_rows_of_every_layout(tmp_path: Path, line: str, expected: tuple[str, str, str]) -> None:
    files = delivery(tmp_path, {"13-01-us.txt": "@@5 <h> <h> <p> Text", "sources.txt": line})
    found = all_of(files)
    assert len(found) == 1
    assert isinstance(found[0], Record)
    url, title, date = expected
    assert (found[0].url, found[0].title or "<h>", found[0].date) == (url, title, date)


@pytest.mark.parametrize(("declared", "expected"), [("US", "US"), ("", "us"), ("United States", "United States")])
def test_the_country_is_that_of_the_row(tmp_path: Path, declared: str, expected: str) -> None:
    files = delivery(tmp_path, {"10-01-us.txt": "@@1 a", "sources.txt": row(1, country=declared)})
    assert [item.country for item in all_of(files) if isinstance(item, Record)] == [expected]


def test_texts_of_several_lines_and_the_other_mark(tmp_path: Path) -> None:
    """A file has one kind of mark: `@@2` is text where the first was `##1`."""
    content = "\n##1\n<h>A headline</h>\n<p>One .\n@@2 is text .\n\n##3<h>Only a headline\n##4 <h> No end\n"
    sources = row(1, title="") + row(3, title="") + row(4, title="")
    found = all_of(delivery(tmp_path, {"10-01-us.txt": content, "sources.txt": sources}))
    assert [(item.title, item.text, item.source[-2:]) for item in found if isinstance(item, Record)] == [
        ("A headline", "<p>One .\n@@2 is text .", ":2"),
        ("Only a headline", "", ":7"),
        ("No end", "", ":8"),
    ]


def test_a_headline_that_nothing_follows_is_the_text(tmp_path: Path) -> None:
    found = all_of(delivery(tmp_path, {"10-01-us.txt": "@@1 <h> All there is", "sources.txt": row(1, title="")}))
    assert [(item.title, item.text) for item in found if isinstance(item, Record)] == [("", "<h> All there is")]


def test_encodings_may_change_from_line_to_line(tmp_path: Path) -> None:
    texts = (
        "@@1 café “quoted”\n".encode() + b"@@2 caf\xe9 \x93quoted\x94 \x81\n" + "@@3\nnaïve\n".encode() + b"na\xefve"
    )
    sources = (
        b"\xef\xbb\xbf1\t9\t10-01-02\tUS\tS\thttp://s\tcaf\xe9\n" + row(2, title="café").encode() + row(3).encode()
    )
    found = all_of(delivery(tmp_path, {"10-01-us.txt": texts, "sources.txt": sources}))
    assert [(item.title, item.text) for item in found if isinstance(item, Record)] == [
        ("café", "café “quoted”"),
        ("café", "café “quoted” \x81"),
        ("A title", "naïve\nnaïve"),
    ]


def test_what_cannot_be_joined_says_why(tmp_path: Path) -> None:
    """Every text and every row of the month and country is accounted for once, rows of others are not."""
    files = delivery(
        tmp_path,
        {
            "10-01-us.txt": "Copyright notice\n@@1 one\n@@2 two\n@@1 once\nmore\n@@3 three \xe9".encode("latin-1"),
            "now-sources-2010.txt": row(1) + row(3) + row(9) + row(3, title="again") + row(10, date="10-02-01")
            + row(11, country="CA") + row(12, country="UK") + row(13, date="??") + "7 is no row\n"
            + row(14, "2010-01-30"),
        },
    )  # fmt: skip
    joined, alone = units(*files)
    found = read(joined)
    texts, sources = joined
    assert [(item.source, item.reason, item.problem) for item in found if isinstance(item, Unreadable)] == [
        (f"{sources}:4", TWICE, f"id 3 has a row already ({sources}:2)"),
        (f"{texts}:1", "unreadable", "stands above the first @@ID"),
        (f"{texts}:3", NO_ROW, "id 2 has no row"),
        (f"{texts}:4", TWICE, "id 1 has a text already"),
        (f"{sources}:3", NO_TEXT, "no text of 2010-01 and us has this id"),
        (f"{sources}:10", NO_TEXT, "no text of 2010-01 and us has this id"),
    ]
    assert [item.raw for item in found if isinstance(item, Unreadable)] == [
        row(3, title="again").rstrip(), "Copyright notice", "@@2 two", "@@1 once\nmore", row(9).rstrip(),
        row(14, "2010-01-30").rstrip(),
    ]  # fmt: skip
    assert [item.text for item in found if isinstance(item, Record)] == ["one", "three é"]
    problem = "not a sources row (id, words, date, country, website, URL, title)"
    assert read(alone) == [Unreadable(f"{sources}:9", problem, "7 is no row")]


def test_a_dropped_text_can_be_recovered_to_the_byte(tmp_path: Path) -> None:
    content = b"@@1 caf\xe9 \x00 \xff\n more"
    joined, _ = units(*delivery(tmp_path, {"10-01-us.txt": content, "sources.txt": "-"}))
    found = read(joined)
    assert [item.raw.encode("utf-8", "surrogateescape") for item in found if isinstance(item, Unreadable)] == [content]


def test_great_britain_is_also_called_uk(tmp_path: Path) -> None:
    files = delivery(tmp_path, {"10-01-gb.txt": "@@1 one", "sources.txt": row(1, country="UK") + row(2, country="UK")})
    assert [getattr(item, "reason", "kept") for item in all_of(files)] == ["kept", NO_TEXT]


def test_shards_are_one_unit_and_sources_go_where_they_can_matter(tmp_path: Path) -> None:
    names = (
        "19-10-us2.txt", "19-10-us10.txt", "text_19-10-US1.txt", "19_10-gb.txt.gz", "2019-11-gb.txt", "10-12-ke.txt",
        "sources-19-10.txt", "now-sources-2019.txt", "now_sources_pt1.txt", "sources-10-12.txt.gz",
    )  # fmt: skip
    files = [tmp_path / name for name in names]
    shortened = [tuple(Path(path).name for path in unit) for unit in units(*files)]
    assert shortened == [
        ("10-12-ke.txt", "now_sources_pt1.txt", "sources-10-12.txt.gz"),
        ("19_10-gb.txt.gz", "now-sources-2019.txt", "now_sources_pt1.txt", "sources-19-10.txt"),
        ("text_19-10-US1.txt", "19-10-us2.txt", "19-10-us10.txt", "now-sources-2019.txt", "now_sources_pt1.txt",
         "sources-19-10.txt"),
        ("2019-11-gb.txt", "now-sources-2019.txt", "now_sources_pt1.txt"),
        ("now-sources-2019.txt",), ("now_sources_pt1.txt",), ("sources-10-12.txt.gz",), ("sources-19-10.txt",),
    ]  # fmt: skip
    assert units(*reversed(files)) == units(*files)


def test_shards_are_joined_together(tmp_path: Path) -> None:
    texts = {f"19-10-us{shard}.txt": f"@@{shard} text {shard}\n@@7 in each" for shard in (1, 2)}
    sources = row(1, "19-10-01") + row(2, "19-10-01") + row(7, "19-10-01")
    files = delivery(tmp_path, {**texts, "sources-19-10.txt": sources})
    found = all_of(files)
    assert [getattr(item, "text", None) or item.reason for item in found] == ["text 1", "in each", "text 2", TWICE]  # type: ignore[union-attr]


def test_compressed_and_zipped_deliveries_read_the_same(tmp_path: Path) -> None:
    texts, more, sources = "@@1 one\n", "@@2 two\n", row(1) + row(2, "10-02-01") + row(3)
    with zipfile.ZipFile(tmp_path / "text-10.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text-10-01/10-01-us.txt", texts)
        archive.writestr("text-10-02/10-02-us.txt", more)
        archive.writestr("lexicon.txt", "7\tthe\tthe\tat\n")
    with zipfile.ZipFile(tmp_path / "sources.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("now-sources-2010.txt", sources)
    packed = [tmp_path / "text-10.zip", tmp_path / "sources.zip"]
    assert units(*packed)[0] == (
        f"{tmp_path}/text-10.zip!text-10-01/10-01-us.txt",
        f"{tmp_path}/sources.zip!now-sources-2010.txt",
    )
    pressed = delivery(
        tmp_path,
        {
            "10-01-us.txt.gz": gzip.compress(texts.encode()),
            "10-02-us.txt.zst": zstandard.compress(more.encode()),
            "now-sources-2010.txt.gz": gzip.compress(sources.encode()),
        },
    )
    outcomes = [
        [
            (getattr(item, "text", None), getattr(item, "raw", None), item.source.rsplit(":")[-1])
            for item in all_of(files)
        ]
        for files in (packed, pressed)
    ]
    assert outcomes[0] == outcomes[1]
    assert [text for text, _, _ in outcomes[0]] == ["one", None, "two"]


NAMES = "NOW's texts are called like 10-01-us.txt or 19-10-us1.txt, its sources like sources-16-11.txt"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["10-01-us.txt", "10-01-gb.txt"],
            "10-01-us.txt: no sources, which hold the URLs and countries, among 2 files",
        ),
        (["sources-10-01.txt"], "sources-10-01.txt: no texts among 1 files of NOW; " + NAMES),
        (["10-01-us.txt", "sources.txt", "notes.txt"], "notes.txt: neither texts nor sources by its name; " + NAMES),
        (["10-13-us.txt", "sources.txt"], "10-13-us.txt: neither texts nor sources by its name; " + NAMES),
        (["wlp_10-01-us.txt", "sources.txt"], "wlp_10-01-us.txt: neither texts nor sources by its name; " + NAMES),
    ],
)
def test_an_incomplete_delivery_is_refused(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(UserError) as raised:
        units(*(tmp_path / name for name in names))
    assert str(raised.value).startswith(f"{tmp_path}/{message}")


def test_zip_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    for name, member in (("a.zip", "readme.txt"), ("b.zip", "notes.txt"), ("c.zip", "d.zip")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "content")
    with pytest.raises(UserError, match=r"a\.zip: no text file in it; NOW's texts are called like 10-01-us\.txt"):
        units(tmp_path / "a.zip")
    with pytest.raises(UserError, match=r"b\.zip!notes\.txt: neither texts nor sources by its name"):
        units(tmp_path / "b.zip")
    with pytest.raises(UserError, match=r"c\.zip!d\.zip: neither texts nor sources by its name"):
        units(tmp_path / "c.zip")


def test_files_that_are_not_what_their_names_say(tmp_path: Path) -> None:
    texts, sources = delivery(tmp_path, {"10-01-us.txt": "<html>\n<body>", "sources.txt": "<html>\n<body>\n"})
    found = READER.read((str(texts), str(sources)), Columns())
    assert isinstance(next(found), Unreadable)
    with pytest.raises(
        UserError, match=r"10-01-us\.txt: no line in it starts with @@ and a number; is it NOW's linear"
    ):
        next(found)
    with pytest.raises(UserError, match=r"sources\.txt: not one of its 2 lines is a sources row \(id, words, date"):
        read([sources])
    with pytest.raises(UserError, match=r"no such file"):
        read([tmp_path / "10-02-us.txt", sources])


def test_words_in_columns_are_no_text(tmp_path: Path) -> None:
    content = "##1\n" + "walked\twalk\tvvd\n" * 30
    found = all_of(delivery(tmp_path, {"10-01-us.txt": content, "sources.txt": row(1)}))
    assert [item.problem for item in found if isinstance(item, Unreadable)] == [
        "words in columns (word, lemma, PoS), not a linear text"
    ]
    assert len(found) == 1


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """The other shard and the rows without text are still accounted for; the message names file and place."""
    chance = random.Random(0)
    texts = "".join(f"@@{number} {chance.random()}\n" for number in range(1, 5001)).encode()
    sources = "".join(row(number) for number in range(1, 5003))
    shards: dict[str, str | bytes] = {"10-01-us1.txt.gz": gzip.compress(texts)[:30000], "10-01-us2.txt": "@@5001 other"}
    joined, alone = units(*delivery(tmp_path, {**shards, "sources.txt": sources}))
    found: list[Record | Unreadable] = []
    with pytest.raises(
        UserError, match=r"^[^;]*10-01-us1\.txt\.gz:\d{3,}: the compressed file is cut off here[^;]*; fetch"
    ):
        found.extend(READER.read(joined, Columns()))
    kept = [item for item in found if isinstance(item, Record)]
    assert len(found) == 5002
    assert 1000 < len(kept) < 5000
    assert kept[-1].text == "other"
    assert {item.reason for item in found if isinstance(item, Unreadable)} == {NO_TEXT}
    assert read(alone) == []


def test_damaged_sources_do_not_stop_the_texts(tmp_path: Path) -> None:
    sources = gzip.compress("".join(row(number, title=f"{number * 7919 % 10007}") for number in range(5000)).encode())
    files = delivery(tmp_path, {"10-01-us.txt": "@@1 one\n@@4999 two", "sources.txt.gz": sources[: len(sources) // 2]})
    found = READER.read(units(*files)[0], Columns())
    assert next(found).source.endswith("us.txt:1")
    dropped = next(found)
    assert isinstance(dropped, Unreadable)
    assert dropped.reason == NO_ROW
    with pytest.raises(UserError, match=r"sources\.txt\.gz:\d+: the compressed file is cut off"):
        list(found)


def test_lines_and_texts_beyond_the_limit_are_one_piece_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.files.MAX_LINE", 1000)
    monkeypatch.setattr("dateline.corpus.readers.kinds.now.MAX_LINE", 1000)
    content = "@@1 " + "x" * 5000 + "\n@@2\n" + "many lines\n" * 500 + "@@3 fine\n"
    sources = row(1) + row(2) + row(3)
    found = all_of(delivery(tmp_path, {"10-01-us.txt": content, "sources.txt": sources}))
    assert [getattr(item, "problem", "kept") for item in found] == ["longer than 64 MiB"] * 2 + ["kept"]
    assert [len(item.raw) for item in found if isinstance(item, Unreadable)] == [1000, 1000]


def test_a_line_too_long_for_a_row_is_none(tmp_path: Path) -> None:
    files = delivery(tmp_path, {"10-01-us.txt": "@@1 one", "sources.txt": row(1, title="x" * 70_000) + row(2)})
    assert [(item.reason, item.source[-2:]) for item in all_of(files) if isinstance(item, Unreadable)] == [
        (NO_ROW, ":1"),
        (NO_TEXT, ":2"),
        ("unreadable", ":1"),
    ]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=40)
TITLES = WORDS.map(lambda title: " ".join(title.split()))
BODIES = st.lists(WORDS, max_size=4).map(lambda parts: "\n".join(part for part in parts if part.strip()).strip())
ENCODINGS = st.sampled_from(["utf-8", "cp1252"])


def encoded(text: str, encoding: str) -> bytes:
    """The text in an encoding, or in UTF-8 where that has no such letters or its bytes would mean others."""
    try:
        written = text.encode(encoding)
        written.decode("utf-8")
    except UnicodeEncodeError:
        return text.encode()
    except UnicodeDecodeError:
        return written
    return text.encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(1, 10**18 - 1), st.tuples(TITLES, BODIES, ENCODINGS), min_size=1, max_size=8),
    st.booleans(),
)
def test_what_is_written_is_read(tmp_path: Path, articles: dict[int, tuple[str, str, str]], spaced: bool) -> None:
    texts, rows = [], []
    for number, (title, body, encoding) in articles.items():
        lines = f"<h> {title.replace('<', '')} \n {body}".split("\n")
        texts.append(f"@@{number} ".encode() + b"\n".join(encoded(line, encoding) for line in lines) + b"\n")
        cells = (str(number), "12", "10-01-06", "US", "The Site", f"http://s.com/{number}", title)
        rows.append(encoded((" " if spaced else "\t").join(cells), encoding) + b"\n")
    files = delivery(tmp_path, {"10-01-us.txt": b"".join(texts), "sources.txt": b"".join(reversed(rows))})
    found = all_of(files)
    assert all(isinstance(item, Record) for item in found)
    assert [(item.url, item.title, item.text) for item in found if isinstance(item, Record)] == [
        (f"http://s.com/{number}", title or title.replace("<", ""), body)
        for number, (title, body, _) in articles.items()
    ]


NUMBERS = st.integers(0, 6)
LINES = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"").replace(b"@", b""))
STRAYS = LINES.filter(lambda line: line.strip(b" \t\r-_=+|*") and line.count(b"\t") < 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(NUMBERS, st.lists(LINES, max_size=3)), min_size=1, max_size=8),
    st.lists(st.one_of(st.tuples(NUMBERS, st.sampled_from(["10-01-06", "10-02-06", "?"])), STRAYS), max_size=12),
)
def test_in_is_kept_and_dropped(
    tmp_path: Path, texts: list[tuple[int, list[bytes]]], lines: list[tuple[int, str] | bytes]
) -> None:
    """Each text is one item in its place; each row of the unit is dropped once or joined; each other line is kept."""
    pieces = [b"\n".join([b"@@%d" % number, *below]) for number, below in texts]
    rows = [line for line in lines if not isinstance(line, bytes)]
    strays = [line for line in lines if isinstance(line, bytes)]
    table = [row(99, "11-01-01").encode()]
    table += [line + b"\n" if isinstance(line, bytes) else row(*line).encode() for line in lines]
    joined, alone = units(
        *delivery(tmp_path, {"10-01-us.txt": b"\n".join(pieces), "sources.txt": b"".join(table)}),
    )
    found = read(joined)
    of_texts = [item for item in found if item.source.startswith(joined[0])]
    kept = [item for item in of_texts if isinstance(item, Record)]
    present = {number for number, _ in texts}
    assert len(of_texts) == len(texts)
    assert [item.raw.encode("utf-8", "surrogateescape") for item in of_texts if isinstance(item, Unreadable)] == [
        piece.rstrip(b"\r\n") for item, piece in zip(of_texts, pieces, strict=True) if isinstance(item, Unreadable)
    ]
    of_unit = [number for number, date in rows if number in present or date == "10-01-06"]
    assert len(found) - len(of_texts) + len(kept) == len(of_unit)
    assert len(kept) == len(present & set(of_unit))
    assert [item.raw.encode("utf-8", "surrogateescape") for item in read(alone) if isinstance(item, Unreadable)] == [
        stray.rstrip(b"\r\n") for stray in strays
    ]
    assert read(joined) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_end_in_records_or_one_line(tmp_path: Path, texts: bytes, sources: bytes) -> None:
    files = delivery(tmp_path, {"10-01-us.txt": texts, "sources.txt": sources})
    for unit in units(*files):
        try:
            found = read(unit)
        except UserError as error:
            message = str(error)
        else:
            assert all(isinstance(item, Record | Unreadable) for item in found)
            continue
        assert message.startswith(str(tmp_path))
