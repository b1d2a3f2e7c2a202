import gzip
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable
from dateline.corpus.readers.kinds import html as module
from dateline.corpus.readers.kinds.html import MAX_ATTRIBUTES, MAX_PAGE, MAX_TAGS, HtmlPages, decode, extract
from dateline.corpus.text.clean import day_of
from dateline.errors import UserError

pytest.importorskip("trafilatura", reason="needs dateline[web]", exc_type=ImportError)

SENTENCE = "In Polokwane, witness {} saw the river rise above the old bridge once more."
STORY = "".join(f"<p>{SENTENCE.format(number)}</p>" for number in range(12))


def page(head: str = "", body: str = "", language: str = "en-ZA", story: str = STORY) -> str:
    start = f'<!DOCTYPE html><html lang="{language}"><head>{head}</head><body>{body}'
    return f"{start}<article>{story}</article></body></html>"


def article(html: str | bytes, url: str = "", content_type: str = "") -> Record:
    found = extract(html, url, "s", content_type=content_type)
    assert isinstance(found, Record), found
    return found


def refused(html: str | bytes) -> Unreadable:
    found = extract(html, "", "s")
    assert isinstance(found, Unreadable)
    return found


def json_ld(value: object) -> str:
    return f'<script type="application/ld+json">{json.dumps(value)}</script>'


def test_a_page_becomes_an_article() -> None:
    head = "<title>River rises in town - Daily News</title>"
    head += '<meta property="article:published_time" content="2021-03-04T23:30:00Z">'
    found = article(page(head, "<nav><a href='/'>Home</a></nav><h1>River rises in town</h1>"), "https://a.co.za/x")
    assert (found.url, found.title, found.source) == ("https://a.co.za/x", "River rises in town", "s")
    assert (found.date, found.country, found.language) == ("2021-03-04T23:30:00Z", "", "en-ZA")
    lines = found.text.split("\n")
    assert lines[-1] == SENTENCE.format(11)
    assert len(lines) >= 12  # a paragraph a line
    assert "Home" not in found.text


def test_comments_and_tables_are_left_out() -> None:
    tail = "<table><tr><td>Cell one</td><td>Cell two</td></tr></table>"
    found = article(page(body="").replace("</article>", f"{tail}</article><div id='comments'><p>First!</p></div>"))
    assert "Cell one" not in found.text
    assert "First!" not in found.text


@pytest.mark.parametrize(
    ("html", "problem", "reason"),
    [
        ("", "no HTML", "no article text"),
        ("just words", "no HTML", "no article text"),
        ("<html><body></body></html>", "nothing on the page looks like an article", "no article text"),
        (
            "<html>" + " " * MAX_PAGE,
            f"{MAX_PAGE + 6:,} bytes long; at most {MAX_PAGE:,} are read",
            "page out of bounds",
        ),
        ("<p>x" * (MAX_TAGS + 1), "50,001 tags; at most 50,000 are read", "page out of bounds"),
        (
            "<p " + "a=1 " * (MAX_ATTRIBUTES + 1) + ">x",
            "501 attributes in a tag; at most 500 are read",
            "page out of bounds",
        ),
    ],
)
def test_a_page_without_an_article_says_why(html: str, problem: str, reason: str) -> None:
    assert refused(html) == Unreadable("s", problem, html, reason)
    assert refused(html.encode()) == Unreadable("s", problem, html, reason)


def test_what_is_refused_can_be_had_back_byte_by_byte() -> None:
    data = b"no page \xff\xfe\x00\xc3\xa9"
    assert refused(data).raw.encode("utf-8", "surrogateescape") == data


BOMBS: dict[str, Callable[[int], str]] = {
    "nesting": lambda size: "<html><body>" + "<div>" * min(size // 5, MAX_TAGS - 9) + "x",
    "unclosed paragraphs": lambda size: "<html><body>" + "<p>x " * min(size // 5, MAX_TAGS - 9),
    "one attribute": lambda size: f'<html><body><p class="{"date " * (size // 5)}">hello</p>',
    "attributes": lambda size: "<html><body><p " + " ".join(f"a{n}" for n in range(size // 8)) + ">x",
    "attributes behind quotes": lambda size: "<html><body><p " + 'a=">" ' * (size // 6),
    "open quotes": lambda size: "<html><body>" + "<a '" * (size // 4),
    "open scripts": lambda size: "<html><body>" + "<script></" * (size // 10),
    "open comments": lambda size: "<html><body>" + "<!--" * (size // 4),
    "less than": lambda size: "<html><body>" + "<" * size,
    "spaces": lambda size: "<html><body><p>" + " \n" * (size // 2) + "x</p>",
    "deep JSON": lambda size: page('<script type="application/ld+json">' + "[" * (size // 2) + "</script>"),
    "wide JSON": lambda size: page('<script type="application/ld+json">[' + "[]," * (size // 4) + "[]]</script>"),
    "long date": lambda size: page('<meta name="date" content="' + "on " * (size // 4) + '">'),
    "long title": lambda size: page("<title>" + "a - " * (size // 5) + "</title>"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_soon(name: str) -> None:
    html = BOMBS[name](1 << 20)
    begin = time.perf_counter()
    assert isinstance(extract(html.encode(), "", "s"), Record | Unreadable)
    assert time.perf_counter() - begin < 20


def test_a_parser_that_breaks_is_one_dropped_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RecursionError("too deep")

    load_html, _ = module._trafilatura()
    monkeypatch.setattr(module, "_trafilatura", lambda: (load_html, breaks))
    found = refused(page())
    assert (found.problem, found.reason) == ("the page breaks its parser (RecursionError: too deep)", "no article text")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module._trafilatura.cache_clear()
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(UserError, match=r"^web pages need more packages \(.*trafilatura.*\); install dateline\[web\]$"):
        extract(page(), "", "s")


def test_nothing_is_said_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    said = logging.StreamHandler()  # as `logging.basicConfig` sets it up
    logging.getLogger().addHandler(said)
    try:
        for html in ("", "x", "<html><body></body></html>", page("<title>" + "x" * 1000)):
            extract(html, "", "s")
    finally:
        logging.getLogger().removeHandler(said)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("head", "body", "date"),
    [
        (json_ld({"@type": "NewsArticle", "datePublished": "2020-05-06T07:08:09Z"}), "", "2020-05-06T07:08:09Z"),
        (json_ld({"@graph": [{"@type": ["Thing", "BlogPosting"], "datePublished": "2020-05-06"}]}), "", "2020-05-06"),
        (json_ld({"@type": "ImageObject", "datePublished": "2020-05-06"}), "", ""),
        ('<script type="application/ld+json">{"@type": "NewsArticle", "name": ""a"", "datePublished": "2020-05-06"}'
         "</script>", "", "2020-05-06"),
        (json_ld([None, 1, {"@type": None}, {"@type": "Article", "datePublished": 7, "mainEntity": None}]), "", ""),
        ('<meta name="DC.date.issued" content="6 May 2020">', "", "6 May 2020"),
        ('<meta property="article:modified_time" content="2020-05-06">', "", ""),
        ('<meta name="date" content="tomorrow">', '<span itemprop="datePublished" content="2020-05-06">', "2020-05-06"),
        ("", '<article><time datetime="2020-05-06T10:00">', "2020-05-06T10:00"),
        ("", '<header><time datetime="2020-05-09"></time></header><time datetime="2020-05-06">', ""),
        ("", '<h1>Rain</h1><p class="post-date-time">Published: Wednesday, May 6, 2020</p>', "May 6, 2020"),
        ("", '<h1>Rain</h1><p class="update">May 6, 2020</p>', ""),
        ("", '<p class="date">May 6, 2020</p><h1>Rain</h1>', ""),  # a clock above the headline
        ("", "<p>On May 6, 2020 and 2020-05-06 it rained.</p>", ""),
        ('<meta name="date" content="03/04/2020">', "", ""),  # day and month could be exchanged
    ],
)  # fmt: skip
def test_only_a_declared_date_counts(head: str, body: str, date: str) -> None:
    assert article(page(head, body), "https://a.co.za/2019/01/02/x").date == date


@pytest.mark.parametrize(
    ("head", "body", "title"),
    [
        (json_ld({"@type": "NewsArticle", "headline": " Rain\n comes "}) + "<title>x</title>", "", "Rain comes"),
        ("<title>Rain comes to town | Daily News</title>", "<h1>Rain comes to town</h1>", "Rain comes to town"),
        ("<title>Rain comes to town - Daily News</title>", "<h1>Daily News</h1>", "Rain comes to town - Daily News"),
        ('<meta property="og:title" content="Rain comes – Daily News"><meta property="og:site_name" '
         'content="Daily News">', "", "Rain comes"),
        ("", "<h1>Rain comes</h1>", "Rain comes"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_the_title_is_the_headline(head: str, body: str, title: str) -> None:
    assert article(page(head, body)).title == title


CANONICAL = '<link rel="canonical" href="https://www.a.co.za/story">'
MIRRORED = "<!-- Mirrored from {} by HTTrack Website Copier/3.x [XR&CO'2014], Mon, 27 Aug 2018 07:39:39 GMT -->"


@pytest.mark.parametrize(
    ("fetched", "head", "url"),
    [
        ("https://m.a.co.za/story?x=1", CANONICAL, "https://www.a.co.za/story"),
        (
            "https://m.a.co.za/story?x=1",
            '<link rel="canonical" href="https://www.a.co.za/">',
            "https://m.a.co.za/story?x=1",
        ),
        ("https://b.com/copy", CANONICAL, "https://b.com/copy"),
        ("", CANONICAL, "https://www.a.co.za/story"),
        ("", '<meta property="og:url" content="http://a.co.za/og">', "http://a.co.za/og"),
        ("", '<link rel="canonical" href="/story"><meta property="og:url" content="208764.html">', ""),
        ("", '<link rel="canonical" href="javascript:alert(1)">', ""),
        ("", MIRRORED.format("www.geo.tv/latest/1"), "http://www.geo.tv/latest/1"),
        ("", CANONICAL + MIRRORED.format("m.a.co.za/1"), "https://www.a.co.za/story"),
        ("", CANONICAL + MIRRORED.format("www.geo.tv/latest/1"), "http://www.geo.tv/latest/1"),
        ("", MIRRORED.format("nothing"), ""),
    ],
)
def test_the_address(fetched: str, head: str, url: str) -> None:
    assert article(page(head), fetched).url == url


@pytest.mark.parametrize(("written", "language"), [("en", "en"), (" pt-BR ", "pt-BR"), ("x" * 50, ""), ("", "")])
def test_the_declared_language(written: str, language: str) -> None:
    assert article(page(language=written)).language == language


@pytest.mark.parametrize(
    ("data", "header", "text"),
    [
        ("naïve".encode(), "", "naïve"),
        ("naïve".encode("cp1252"), "", "naïve"),
        ("“naïve”".encode("cp1252"), "text/html; charset=ISO-8859-1", "“naïve”"),
        ("Привет".encode("cp1251"), "text/html; charset=windows-1251", "Привет"),
        (b"<meta charset='koi8-r'>" + "Привет".encode("koi8-r"), "", "<meta charset='koi8-r'>Привет"),
        (b"<meta charset='koi8-r'>" + "Привет".encode("cp1251"), "a; charset=cp1251", "<meta charset='koi8-r'>Привет"),
        ("Привет".encode(), "text/html; charset=ISO-8859-1", "Привет"),  # declared wrongly
        ("東京".encode("shift_jis"), "text/html; charset=Shift_JIS", "東京"),
        ("東京".encode("utf-16"), "", "東京"),
        ("\ufeff東京".encode(), "text/html; charset=cp1252", "東京"),
        ("Привет мир".encode() + b"\xd0", "", "Привет мир\ufffd"),
        (b"xn--abc", "text/html; charset=punycode", "xn--abc"),
        (b"<meta charset='utf-16'>abc", "", "<meta charset='utf-16'>abc"),
        (b"abc", "text/html; charset=../../x", "abc"),
    ],
)
def test_charsets(data: bytes, header: str, text: str) -> None:
    assert decode(data, header) == text


@given(
    st.binary(max_size=300), st.sampled_from(["", "charset=gb18030", "charset=utf-8", "charset=big5", "charset=hex"])
)
def test_any_bytes_become_text(data: bytes, header: str) -> None:
    text = decode(data, header)
    assert text.encode("utf-8").decode("utf-8") == text  # and no lone surrogates


TAGS = [
    "<div>",
    "</div>",
    "<p>",
    "<b",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<html lang=x>",
    "<h1>",
    "</h1>",
    "<time ",
]
PIECES = st.one_of(
    st.sampled_from(
        [*TAGS, 'datetime="', "<meta name=date content='", "<title>", "<table><td>", "&#0;", "\0", "\ud800"]
    ),
    st.text(max_size=20),
)


@given(st.lists(PIECES, max_size=30), st.booleans())
def test_any_page_is_a_record_or_says_why_not(pieces: list[str], whole: bool) -> None:
    html = "".join(pieces)
    html = page(html, html) if whole else html
    for given_page in (html, html.encode("utf-8", "replace")):
        found = extract(given_page, "", "s")
        assert isinstance(found, Record | Unreadable)
        if isinstance(found, Record):
            assert found.text.strip()
            assert not found.date or day_of(found.date)
            "".join((found.text, found.title, found.url)).encode("utf-8")


def read(path: Path) -> Record | Unreadable:
    (found,) = HtmlPages().read((str(path),), Columns())
    return found


def test_a_file_is_a_page_and_its_neighbour_has_the_address(tmp_path: Path) -> None:
    (tmp_path / "a.html.gz").write_bytes(gzip.compress(page(CANONICAL).encode()))
    (tmp_path / "b.htm").write_text(page(CANONICAL), encoding="utf-8")
    (tmp_path / "meta.info").write_text(
        json.dumps({"a.html.gz": {"url": "https://a.ng/1", "crawl_date": "x"}, "c": {}})
    )
    first, second = read(tmp_path / "a.html.gz"), read(tmp_path / "b.htm")
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert (first.url, first.source) == ("https://a.ng/1", str(tmp_path / "a.html.gz"))
    assert second.url == "https://www.a.co.za/story"


@pytest.mark.parametrize("content", ["{", "[1]", '{"a.html": "https://a.ng"}', "\udcff", "[" * 100_000])
def test_a_neighbour_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.html").write_text(page())
    (tmp_path / "meta.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r'meta\.json: is not JSON of the form \{"page.html": \{"url": \.\.\.\}\} \('):
        read(tmp_path / "a.html")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.html: no such file$"):
        read(tmp_path / "none.html")
    path = tmp_path / "a.html.gz"
    whole = gzip.compress(page().encode())
    for broken in (whole[:-20], whole[:40] + b"\0\0\0" + whole[43:], b"no gzip"):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"a\.html\.gz: cannot be read to its end \(.+\); fetch it again$"):
            read(path)


def test_a_compressed_bomb_is_one_dropped_page(tmp_path: Path) -> None:
    path = tmp_path / "a.html.gz"
    path.write_bytes(gzip.compress(bytes(80 << 20)))
    found = read(path)
    assert isinstance(found, Unreadable)
    assert found.problem.endswith(f" bytes long; at most {MAX_PAGE:,} are read")
    assert len(found.raw) == 64 << 20


REAL = {
    "fundus/za/TimesLive_2025_05_22.html.gz": ("https://www.timeslive.co.za/", "2025-05-21", "Sars gets R4bn"),
    "fundus/za/DailyMaverick_2025_05_22.html.gz": ("https://www.dailymaverick.co.za/", "2025-05-03", "Legal opinion"),
    "fundus/tz/DailyNewsTZ_2025_01_23.html.gz": ("https://dailynews.co.tz/", "2019-04-24", "Solar-powered street"),
    "fundus/ca/CBCNews_2024_08_08.html.gz": ("https://www.cbc.ca/", "2024-08-08", "What's next for Gaza"),
    "fundus/my/MalayMail_2024_11_22.html.gz": ("https://www.malaymail.com/", "2024-11-22", "All paid their own way"),
    "panda-dataset/TheNews/360227-guest-of-honour-status-for-pakistan-at-chinas-international-import-expo.html": (
        "https://www.thenews.com.pk/latest/360227-", "2018-08-27", "Guest of Honour status"),
    "panda-dataset/Geo/208764.html": ("http://www.geo.tv/latest/208764", "2018-08-27", "Four questions on Iran's"),
    "panda-dataset/Dawn/page13th-all-pakistan-music-conference-opens-with-modern-classical-music.html": (
        "http://images.dawn.com/news/1175091", "2016-04-02", "13th All Pakistan Music Conference"),
}  # fmt: skip


@pytest.mark.parametrize("name", REAL, ids=[name.split("/")[1] for name in REAL])
def test_real_pages(name: str) -> None:
    root = Path(os.environ.get("DATELINE_SHARED") or Path(__file__).parents[5] / "shared")
    path = root / "data" / "raw" / name
    if not path.exists():
        pytest.skip(f"no real data at {path}; set DATELINE_SHARED to the folder that holds data/")
    found = read(path)
    assert isinstance(found, Record)
    url, day, title = REAL[name]
    assert found.url.startswith(url)
    assert day_of(found.date) == day
    assert title in found.title
    assert len(found.text) >= 500
    assert found.language.startswith("en")


CASES = Path(__file__).parents[3] / "cases" / "html"


def test_a_broken_tag_does_not_cost_the_article() -> None:
    found = article((CASES / "broken-link.html").read_bytes())
    assert len(found.text) > 3500
    assert found.text.count("\n") > 10


def test_attributes_are_counted_as_the_parser_cuts_them() -> None:
    odd = '<a href="http://<iframe width="500" src="/embed"></iframe></a>'
    assert article(page(story=odd + STORY)).text
    assert article(page(story="<p =a='x'<b \"c 'd>x</p>" + STORY)).text
    hidden = "<!-->" + "<p " + "a=1 " * (MAX_ATTRIBUTES + 1) + ">-->"
    assert refused(page(story=hidden + STORY)).problem == "501 attributes in a tag; at most 500 are read"


@pytest.mark.parametrize(
    ("head", "heading"),
    [
        ("<title>River rises in town | The Paper</title>", "<h1>River rises in town</h1>"),
        ('<meta property="og:title" content="River rises in town">', "<h2>River rises in town!</h2>"),
        (json_ld({"@type": "NewsArticle", "headline": "A river rises"}), "<h1>River rises in town</h1>"),
    ],
)
def test_the_headline_stands_once_wherever_the_layout_has_it(head: str, heading: str) -> None:
    inside = article(page(head, story=heading + STORY))
    outside = article(page(head, heading))
    assert inside.text == outside.text
    assert inside.text.startswith("In Polokwane, witness 0")
    assert inside.title == outside.title
    shown = article((CASES / "heading-inside-article.html").read_bytes())
    assert (shown.title, shown.text[:7]) == ("Old market opens again after repairs", "Traders")
