import gzip
import io
import socket
import time
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds.feed import Feed, read_feed
from dateline.errors import UserError

from ...helpers import shared

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def rss(*items: bytes, head: bytes = b"") -> bytes:
    return DECLARATION + b'<rss version="2.0"><channel>' + head + b"".join(items) + b"</channel></rss>"


def item(title: bytes) -> bytes:
    return b"<item><title>" + title + b"</title></item>"


def read(data: bytes) -> list[Record | Unreadable]:
    return list(read_feed(io.BytesIO(data), "f.xml"))


def titles(data: bytes) -> list[str]:
    return [found.title if isinstance(found, Record) else "-" for found in read(data)]


def outcome(data: bytes) -> tuple[list[Record | Unreadable], str]:
    found: list[Record | Unreadable] = []
    try:
        found.extend(read_feed(io.BytesIO(data), "f.xml"))
    except UserError as error:
        return found, str(error)
    return found, ""


def until_damage(data: bytes) -> tuple[list[Record | Unreadable], str]:
    found, message = outcome(data)
    assert message, "it was read as if all were well"
    return found, message


def test_rss_has_the_full_text_or_the_lead() -> None:
    data = rss(
        b"""<item><title>A</title><link> https://a.b/1 </link><description>lead</description>
        <content:encoded><![CDATA[<p>Full &amp; whole</p>]]></content:encoded>
        <pubDate>Fri, 09 Jan 2026 07:35:04 +0000</pubDate><media:title>other</media:title></item>""",
        b"""<item><title>B</title><guid isPermaLink="true">https://a.b/2</guid><description>lead</description>
        <dc:date>2026-01-09</dc:date><dc:language>fr</dc:language></item>""",
        b"""<item><title>C</title><guid isPermaLink="false">https://a.b/?p=3</guid><atom:link href="x" rel="self"/>
        <feedburner:origLink>https://a.b/3</feedburner:origLink><link>https://feeds.x/3</link></item>""",
        head=b"<title>F</title><language>en-GB</language><link>https://a.b</link>",
    )
    assert read(data) == [
        Record(
            *(" https://a.b/1 ", "A", "<p>Full &amp; whole</p>", "Fri, 09 Jan 2026 07:35:04 +0000", "", "f.xml:1"),
            language="en-GB",
        ),
        Record("https://a.b/2", "B", "lead", "2026-01-09", "", "f.xml:2", "fr"),
        Record("https://a.b/3", "C", "", "", "", "f.xml:3", "en-GB"),
    ]


def test_atom_is_read_with_its_kinds_of_text() -> None:
    data = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>F</title>
    <entry><title type="html">T &amp;amp; U</title><link rel="self" href="s"/><link href="http://x/1"/><id>urn:1</id>
    <published>2021-01-01</published><updated>2022</updated><summary>s</summary>
    <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>One &lt; two</p></div></content></entry>
    <entry xml:lang="sw"><id>http://x/2</id><updated>2022-02-02</updated><summary>s</summary>
    <content type="image/png">iVBORw0KGgo=</content></entry>
    <entry><content src="http://evil/"/></entry></feed>"""
    assert read(data) == [
        Record("http://x/1", "T &amp; U", "<div><p>One &lt; two</p></div>", "2021-01-01", "", "f.xml:1", "en"),
        Record("http://x/2", "", "s", "2022-02-02", "", "f.xml:2", "sw"),
        Record("", "", "", "", "", "f.xml:3", "en"),
    ]


def test_rdf_is_read() -> None:
    data = b"""<rdf:RDF xmlns="http://purl.org/rss/1.0/"><channel><title>F</title></channel>
    <item><title>A</title><link>l</link><description>d</description><dc:date>2004</dc:date></item></rdf:RDF>"""
    assert read(data) == [Record("l", "A", "d", "2004", "", "f.xml:1")]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
FIELDS = st.tuples(TEXT, TEXT, TEXT)
STYLES = st.sampled_from(["escaped", "cdata", "numbers"])


def element(name: str, text: str, style: str) -> str:
    if style == "cdata":
        text = "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"
    else:
        text = escape(text) if style == "escaped" else "".join(f"&#{ord(letter)};" for letter in text)
    return f"<{name}>{text}</{name}>"


def entry(fields: tuple[str, str, str], style: str) -> bytes:
    names = ("link", "title", "content:encoded")
    return f"<item>{''.join(map(element, names, fields, [style] * 3))}</item>\n".encode()


def kept(fields: tuple[str, str, str]) -> tuple[str, ...]:
    return tuple(text if text.strip() else "" for text in fields)


@given(st.lists(FIELDS, max_size=6), STYLES)
def test_what_is_written_is_read_back(rows: list[tuple[str, str, str]], style: str) -> None:
    found = read(rss(*(entry(row, style) for row in rows)))
    assert [(x.url, x.title, x.text) for x in found if isinstance(x, Record)] == list(map(kept, rows))


BROKEN = st.sampled_from([item(b"a < b"), item(b"<br>"), item(b"\xff"), b"<item a=b></item>", b"<item></x></item>"])


@given(st.lists(FIELDS, max_size=6), STYLES, st.lists(st.tuples(st.integers(0, 6), BROKEN), max_size=5), st.booleans())
def test_broken_items_cost_nothing_but_themselves(
    rows: list[tuple[str, str, str]], style: str, broken: list[tuple[int, bytes]], small: bool
) -> None:
    items = [entry(row, style) for row in rows]
    for at, piece in sorted(broken, reverse=True):
        items.insert(at, piece + b"\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dateline.corpus.readers.kinds.feed.BLOCK", 16 if small else 1 << 16)
        found = read(rss(*items))
    assert [(x.url, x.title, x.text) for x in found if isinstance(x, Record)] == list(map(kept, rows))
    raws = [x.raw.encode("utf-8", "surrogateescape") for x in found if isinstance(x, Unreadable)]
    assert len(raws) == len(broken)
    assert all(any(raw.startswith(piece) for raw in raws) for _, piece in broken)
    assert [x.source for x in found] == [f"f.xml:{number}" for number in range(1, len(items) + 1)]


@pytest.mark.parametrize(
    ("title", "text"),
    [
        (b"Q & A", "Q & A"),
        (b"AT&T <![CDATA[& <b>]]>", "AT&T & <b>"),
        (b"a\x0bb", "ab"),
        (b"a&nbsp;b&hellip;&unknown;", "a\xa0b\u2026&unknown;"),
        (b"a&amp;nbsp;b", "a&nbsp;b"),
        (b"<b>bold</b> &lt;i&gt;", "<b>bold</b> <i>"),
    ],
)
def test_usual_faults_are_mended_without_loss(title: bytes, text: str) -> None:
    assert titles(rss(item(title), item(b"ok"))) == [text, "ok"]


def test_an_item_that_never_ends_does_not_take_the_next_with_it() -> None:
    found = read(rss(b"<item><title>a</title>", item(b"b")))
    assert found[0] == Unreadable("f.xml:1", "an item begins inside an item", "<item><title>a</title>")
    assert titles(rss(item(b"1"), head=b"<title>A & B</title>")) == ["1"]
    assert titles(b"\n\n" + rss(item(b"1")) + b"<br>warning") == ["1"]


@pytest.mark.parametrize(
    ("encoding", "text"), [("windows-1252", "\u201cq\u201d"), ("ISO-8859-1", "\u201cq\u201d"), ("utf-16", "caf\u00e9")]
)
def test_the_declared_encoding_counts(encoding: str, text: str) -> None:
    plain = rss(item(b"@")).decode().replace("UTF-8", encoding).replace("@", text)
    assert titles(plain.encode("utf-16" if encoding == "utf-16" else "windows-1252")) == [text]


def test_damage_in_utf_16_ends_the_feed() -> None:
    text = rss(item(b"a"), item(b"b & c"), item(b"d")).decode().replace("UTF-8", "utf-16")
    found, message = until_damage(text.encode("utf-16") + b"<item>")
    assert [type(x) for x in found] == [Record, Unreadable]
    assert message.startswith("f.xml:2: no XML: not well-formed (invalid token); in UTF-16 nothing is read behind it")


@pytest.mark.parametrize("name", ["x-klingon", "zip", "punycode", "unicode_escapes"])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    _, message = until_damage(rss(item(b"a")).replace(b"UTF-8", name.encode()))
    assert message == f"f.xml: the encoding '{name}' is not known; save the feed as UTF-8"


def test_a_file_that_breaks_off_gives_what_it_has() -> None:
    whole = rss(item(b"a"), item(b"b"), item(b"c"))
    for end in range(len(DECLARATION) + 1, len(whole) - 1):
        found, message = until_damage(whole[:end])
        complete = whole[:end].count(b"</item>")
        assert [x.title for x in found if isinstance(x, Record)] == ["a", "b", "c"][:complete]
        assert message == f"f.xml:{len(found)}: the feed is cut off here; fetch it again"


def test_a_truncated_gzip_gives_what_it_has(tmp_path: Path) -> None:
    whole = gzip.compress(rss(*(item(b"%x" % (n**20)) for n in range(1, 20000))))
    path = tmp_path / "f.rss.gz"
    path.write_bytes(whole[: len(whole) // 2])
    found: list[Record | Unreadable] = []
    with pytest.raises(UserError, match=r"f\.rss\.gz: the compressed file is cut off here; fetch it again$"):
        found.extend(Feed().read((str(path),), Columns()))
    assert len(found) > 5000
    assert {type(x) for x in found[:-1]} == {Record}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello", "f.xml: no feed (no XML: syntax error); a feed begins with <rss>, <feed> or <rdf:RDF>"),
        (b"<!DOCTYPE html><html>", "f.xml: no feed: it begins with <html>, not with <rss>, <feed> or <rdf:RDF>"),
    ],
)
def test_other_files_are_refused(data: bytes, message: str) -> None:
    assert until_damage(data) == ([], message)
    assert read(b"") == read(b" \n") == []


BOMB = (
    b'<!DOCTYPE r [<!ENTITY a0 "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 9))
    + b"]>"
)


def test_bombs_and_outside_entities_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was reached")

    monkeypatch.setattr(socket, "socket", refuse)
    for broken in (item(b"&a8;"), b'<item x="&a8;"/>'):
        found = read(BOMB + rss(broken, item(b"ok")).removeprefix(DECLARATION))
        assert [type(x) for x in found] == [Unreadable, Record]
        assert isinstance(found[0], Unreadable)
        assert "amplification" in found[0].problem
    outside = b'<!DOCTYPE r SYSTEM "http://x/y.dtd" [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert titles(outside + rss(item(b"y&x;z")).removeprefix(DECLARATION)) == ["yz"]


@pytest.mark.parametrize(
    "piece", [b"<", b"<a ", b"<a>", b"&", b"<![CDATA[", b"<!--", b"<?", b"<item>", b"<!DOCTYPE ", b"\0"]
)
@pytest.mark.parametrize("inside", [False, True])
def test_hostile_repetition_takes_no_time(piece: bytes, inside: bool) -> None:
    begun = time.monotonic()
    data = piece * 100_000
    found, message = outcome(rss(item(data), item(b"ok")) if inside else data)
    assert len(found) <= 100_001
    assert "\n" not in message
    assert time.monotonic() - begun < 20


@given(
    st.lists(
        st.sampled_from([b"<item>", b"</item>", b"<title>", b"</title>", b"x", b"&", b"<![CDATA[", b"]]>", b"<", b">"])
    )
)
def test_any_mixture_ends_in_items_or_one_line(pieces: list[bytes]) -> None:
    found, message = outcome(rss(*pieces))
    assert "\n" not in message
    assert [x.source for x in found] == [f"f.xml:{number}" for number in range(1, len(found) + 1)]


def test_long_items_and_long_tokens_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("kinds.feed", "files"):
        monkeypatch.setattr(f"dateline.corpus.readers.{module}.MAX_LINE", 5000)
    monkeypatch.setattr("dateline.corpus.readers.kinds.feed.BLOCK", 256)
    monkeypatch.setattr("dateline.corpus.readers.files.KEPT_OF_LONG", 10)
    data = rss(item(b"a"), b"<!--" + b"x" * 20_000 + b"-->", item(b"y" * 20_000), item(b"b"))
    found = read(data)
    assert [x.title if isinstance(x, Record) else x.raw for x in found] == ["a", "<item><tit", "b"]


def test_real_feeds_are_read() -> None:
    folder = shared("raw/ghana-news-feed")
    found = list(Feed().read((str(folder / "dailyguide_feed.xml"),), Columns()))
    assert len(found) == 13
    assert all(isinstance(x, Record) and x.url and x.title and x.date and x.text.startswith("<") for x in found)
    leads = list(Feed().read((str(folder / "3news_debug.xml"),), Columns()))
    assert len(leads) == 50
    assert all(isinstance(x, Record) and x.text and x.language == "en-us" for x in leads)


def test_nothing_is_read_on_after_damage() -> None:
    class Broken(io.BytesIO):
        tries = 0

        def read(self, size: int | None = -1) -> bytes:
            self.tries += 1
            if self.tries == 2:
                raise OSError("data corruption")
            return super().read(size) if self.tries == 1 else rss(item(b"of another file"))

    broken = Broken(rss(item(b"one"), b"<item>"))
    pieces = read_feed(broken, "f.xml")
    found = [next(pieces), next(pieces)]
    with pytest.raises(UserError, match="data corruption"):
        next(pieces)
    assert [getattr(piece, "title", "-") for piece in found] == ["one", "-"]
    assert broken.tries == 2


CASES = Path(__file__).parents[3] / "cases" / "feeds"


def records(data: bytes) -> list[Record]:
    return [found for found in read(data) if isinstance(found, Record)]


def test_names_are_resolved_by_namespace_and_not_by_prefix() -> None:
    original, again = (
        records((CASES / name).read_bytes()) for name in ("c-original.atom", "d-resaved-by-elementtree.atom")
    )
    assert len(original) == 3
    assert again == original
    assert all("FULL" in found.text for found in records((CASES / "b-resaved-by-elementtree.rss").read_bytes()))


@pytest.mark.parametrize(
    ("declared", "element", "full"),
    [
        ('xmlns:content="http://purl.org/rss/1.0/modules/content/"', "content:encoded", True),
        ('xmlns:c="https://purl.org/rss/1.0/modules/content"', "c:encoded", True),
        ("", "content:encoded", True),  # undeclared, as many have it
        ('xmlns:content="http://example.org/mistyped"', "content:encoded", True),
        ('xmlns:media="http://search.yahoo.com/mrss/"', "media:content", False),
        ('xmlns:ns1="http://search.yahoo.com/mrss/"', "ns1:content", False),
        ("", 'content xmlns="http://search.yahoo.com/mrss/"', False),
        ("", "content", True),
    ],
)
def test_whose_content_it_is_tells_its_namespace(declared: str, element: str, full: bool) -> None:
    name = element.split()[0]
    inside = f"<item><title>T</title><description>lead</description><{element}>FULL</{name}></item>"
    data = f'<rss version="2.0" {declared}><channel>{inside}</channel></rss>'.encode()
    assert [found.text for found in records(data)] == ["FULL" if full else "lead"]


def test_namespaces_hold_behind_a_broken_item() -> None:
    data = (
        b'<ns0:feed xmlns:ns0="http://www.w3.org/2005/Atom" xml:base="https://a.ng/">'
        b"<ns0:entry><ns0:title>A</ns0:titl></ns0:entry>"
        b'<ns0:entry><ns0:title>B</ns0:title><ns0:link href="/b"/></ns0:entry></ns0:feed>'
    )
    assert titles(data) == ["-", "B"]
    assert records(data)[0].url == "https://a.ng/b"


@pytest.mark.parametrize(
    ("data", "url"),
    [
        (b'<feed xml:base="https://a.ng/x/"><entry><link href="b"/></entry></feed>', "https://a.ng/x/b"),
        (
            b'<feed xml:base="https://a.ng/x/"><entry xml:base="y/"><link href="b"/></entry></feed>',
            "https://a.ng/x/y/b",
        ),
        (b'<feed><entry><link xml:base="https://a.ng/" href="/b"/></entry></feed>', "https://a.ng/b"),
        (
            b'<feed><link rel="self" href="https://a.ng/feed.xml"/><entry><link href="/b"/></entry></feed>',
            "https://a.ng/b",
        ),
        (rss(b"<item><link>/b</link></item>", head=b"<link>https://a.ng/news</link>"), "https://a.ng/b"),
        (rss(b"<item><link>//b.ng/c</link></item>", head=b"<link>https://a.ng/</link>"), "https://b.ng/c"),
        (rss(b"<item><link>https://b.ng/c</link></item>", head=b"<link>https://a.ng/</link>"), "https://b.ng/c"),
        (rss(b"<item><link>/b</link></item>"), "/b"),
    ],
)
def test_relative_links_are_seen_from_their_base(data: bytes, url: str) -> None:
    assert [found.url for found in records(data)] == [url]


def test_an_empty_item_costs_nothing_but_itself() -> None:
    found = records((CASES / "f-empty-item-inside.rss").read_bytes())
    assert [item.title for item in found] == ["", "Item 0", "", "Item 1", "", "Item 2"]
    assert titles(rss(b"<item/>", item(b"A"), b"<item> </item>")) == ["", "A", ""]


def test_of_a_wordpress_export_only_published_articles_are_records() -> None:
    head = b'<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel>'
    kinds = [
        (b"publish", b"post"),
        (b"draft", b"post"),
        (b"publish", b"page"),
        (b"inherit", b"attachment"),
        (b"publish", b"story"),
    ]
    items = [
        b"<item><title>%d</title><wp:status>%s</wp:status><wp:post_type>%s</wp:post_type></item>" % (number, *kind)
        for number, kind in enumerate(kinds)
    ]
    found = read(head + b"".join(items) + b"</channel></rss>")
    assert [item.title if isinstance(item, Record) else item.problem for item in found] == [
        "0",
        "status draft",
        "of type page",
        "status inherit",
        "4",
    ]
    assert {item.reason for item in found if isinstance(item, Unreadable)} == {"not a published article"}
