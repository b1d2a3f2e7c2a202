"""HTML: a news page becomes the text of its article and what the page declares of itself.

Dates are taken only where they are marked up as such: never from addresses, running text or the clock.
"""

from __future__ import annotations

import codecs
import json
import logging
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from dateline.corpus.readers.files import is_remote, open_file
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.corpus.text.clean import day_of
from dateline.corpus.text.words import plain_words
from dateline.errors import UserError
from dateline.places.url import parse_url

MAX_PAGE = 8 << 20
"""Bytes of the longest page that is looked at; news pages have 0.05 to 0.5 MB."""
MAX_RAW = 64 << 20
MAX_TAGS = 50_000
"""Opening tags of a page; each costs up to 30 microseconds, and large live blogs have 20,000."""
MAX_ATTRIBUTES = 500
"""Attributes of one tag; the parser takes quadratic time over them (80,000 in one tag: 20 seconds)."""
NEIGHBOURS = ("meta.info", "meta.json")
"""Files beside pages that give their addresses: JSON, file name -> {"url": ...}."""

Articles = list[dict[str, Any]]
_CHARSETS = re.compile(
    r"utf-8|cp(125\d|874|932|949)|iso8859-\d+|koi8-[ru]|mac-roman|gbk|gb2312|gb18030|big5(hkscs)?|euc_(jp|kr)"
    r"|shift_jis|iso2022_jp|tis-620"
)
"""Python's names of the charsets that pages may declare; it knows others (`punycode`) that are none of any page."""
_ONE_BYTE = re.compile(r"cp(125|874)|iso8859|koi8|mac|ascii|tis")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w:-]{1,40})", re.IGNORECASE)
_ONE_ATTRIBUTE = r"[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"?|'[^']*+'?|[^\s>]*+))?+"
_TAG = re.compile(
    rf"<!--(?:-?>|.*?(?:-->|\Z))|<(script|style|textarea)\b.*?(?:</\1|\Z)|<[a-z][^\s/>]*+((?:[\s/]++|{_ONE_ATTRIBUTE})*+)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(_ONE_ATTRIBUTE)
"""As parsers cut them: a quotation mark begins a value only behind `=`, else it is a letter of a name."""
_HTTRACK = re.compile(r"<!-- Mirrored from (\S{4,2000}) by HTTrack")
_ARTICLE_TYPE = re.compile(r'"@type"\s*:\s*"\w*(?:Article|Posting)"')
_PUBLISHED = re.compile(r'"datePublished"\s*:\s*"([^"]{4,60})"')
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,3}")
_DATE_CLASS = re.compile(r"(?:^|[\s_-])(?:date|dateline|datetime|pubdate|posted|published)(?:$|[\s_-])", re.IGNORECASE)
_BEFORE_A_DATE = re.compile(
    r"\W*(?:(?:published|posted|date|on|at|mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b[\s:,.|]*)*",
    re.IGNORECASE,
)
_DATE_META = (
    "article:published_time", "datepublished", "dc.date.issued", "dcterms.created", "dc.date", "dcterms.date",
    "parsely-pub-date", "sailthru.date", "publish-date", "publish_date", "publication_date", "published_time",
    "pubdate", "article.published", "date",
)  # fmt: skip


class HtmlPages(Reader):
    """Saved web pages, one article a file; a `meta.info` or `meta.json` beside local ones gives their addresses."""

    extensions = (".html", ".htm")

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields one record a page.

        Raises:
            UserError: where a file is missing or its compression is damaged, `meta.info` is no such JSON, or the
                packages of `dateline[web]` are missing.
        """
        for path in files:
            try:
                with open_file(path) as file:
                    page = file.read(MAX_RAW)
            except (EOFError, OSError, zlib.error) as error:
                raise UserError(f"{path}: cannot be read to its end ({error}); fetch it again") from None
            yield extract(page, _neighbour_url(path), path)


def extract(page: bytes | str, url: str, source: str, *, content_type: str = "") -> Record | Unreadable:
    """Returns the article of a page; `content_type` is the HTTP header of that name, for the charset.

    The address is what the page gives itself (canonical link, `og:url`) where that is on the domain that it was fetched
    from, and else the place of the fetch: `url`, or without it what a crawler's comment (HTTrack) says.

    Raises:
        UserError: where the packages of `dateline[web]` are missing.
    """
    load_html, bare_extraction = _trafilatura()

    def refused(problem: str, reason: str) -> Unreadable:
        raw = page if isinstance(page, str) else page.decode("utf-8", "surrogateescape")
        return Unreadable(source, problem, raw, reason)

    if len(page) > MAX_PAGE:
        return refused(f"{len(page):,} bytes long; at most {MAX_PAGE:,} are read", "page out of bounds")
    text = decode(page, content_type) if isinstance(page, bytes) else page.encode("utf-8", "replace").decode()
    if problem := _out_of_bounds(text):
        return refused(problem, "page out of bounds")
    try:
        tree = load_html(text)
        if tree is None:
            return refused("no HTML", "no article text")
        found = bare_extraction(tree, include_comments=False, include_tables=False, with_metadata=False)
        article = (found.text or "").strip() if found is not None else ""
        if not article:
            return refused("nothing on the page looks like an article", "no article text")
        meta, articles = _meta(tree), _articles(tree)
        title, date = _title(tree, meta, articles), _date(tree, meta, articles)
        article = _without_headline(article, {title, *_title_tags(tree, meta)} | set(_headings(tree)))
        if not article:
            return refused("nothing on the page but its headline", "no article text")
        language = next((html.get("lang") or html.get("xml:lang") or "" for html in tree.iter("html")), "").strip()
        address = _address(tree, meta, text, url)
    except Exception as error:  # a page is only data: whatever the parsers stumble over makes it one dropped record
        return refused(f"the page breaks its parser ({type(error).__name__}: {error})"[:200], "no article text")
    return Record(address, title, article, date, "", source, language if _LANGUAGE.fullmatch(language) else "")


def decode(page: bytes, content_type: str = "") -> str:
    """Returns a page as text: by its byte order mark, HTTP header, `<meta charset>`, else UTF-8, else Windows-1252.

    UTF-8 comes before a declared one-byte charset, which can never fail. A few bad bytes in UTF-8 become U+FFFD.
    """
    if page.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return page.decode("utf-16", "replace")
    if page.startswith(codecs.BOM_UTF8):
        return page.decode("utf-8-sig", "replace")
    declared = [_CHARSET.search(content_type.encode("utf-8", "replace")), _CHARSET.search(page[:4096])]
    names = [name for found in declared if found and (name := _charset_name(found[1].decode()))]
    if not names or _ONE_BYTE.match(names[0]):
        names.insert(0, "utf-8")
    for name in [*names, "utf-8"]:
        try:
            return page.decode(name)
        except UnicodeDecodeError:
            continue
    patched = page.decode("utf-8", "replace")
    few = 2 * patched.count("\ufffd") < sum(letter > "\x7f" for letter in patched)
    return patched if few else page.decode("cp1252", "replace")


def _charset_name(label: str) -> str:
    """Returns Python's name of a charset, or nothing where web pages do not use it; Latin-1 is read as browsers do."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    return "cp1252" if name in ("iso8859-1", "ascii") else name if _CHARSETS.fullmatch(name) else ""


def _out_of_bounds(text: str) -> str:
    """Returns why a page would take its parser too long, or nothing; linear in the length of the page."""
    tags = attributes = most = 0
    for found in _TAG.finditer(text):
        if found[1] or found[0].startswith("<!--"):
            continue
        tags += 1
        here = len(_ATTRIBUTE.findall(found[2]))
        attributes += here
        most = max(most, here)
    for number, bound, what in (
        (most, MAX_ATTRIBUTES, "attributes in a tag"),
        (tags, MAX_TAGS, "tags"),
        (attributes, 4 * MAX_TAGS, "attributes"),
    ):
        if number > bound:
            return f"{number:,} {what}; at most {bound:,} are read"
    return ""


def _meta(tree: Any) -> dict[str, str]:
    """Returns the meta tags of a page by name in lower case; of two the first counts."""
    meta: dict[str, str] = {}
    for tag in tree.iter("meta"):
        name = tag.get("property") or tag.get("name") or tag.get("itemprop") or ""
        if content := (tag.get("content") or "").strip():
            meta.setdefault(name.strip().lower(), content)
    return meta


def _articles(tree: Any) -> Articles:
    """Returns the JSON-LD objects of a page that are articles, from its first 50 scripts and 1,000 objects."""
    waiting: list[Any] = []
    for script in islice(tree.iterfind('.//script[@type="application/ld+json"]'), 50):
        written = script.text or "null"
        try:
            waiting.append(json.loads(written, strict=False))
        except (ValueError, RecursionError):  # often a bare quotation mark in a headline: the date still stands
            if _ARTICLE_TYPE.search(written) and (date := _PUBLISHED.search(written)):
                waiting.append({"@type": "Article", "datePublished": date[1]})
    articles: Articles = []
    for _ in range(1000):
        item = waiting.pop(0) if waiting else None
        if isinstance(item, list):
            waiting = item[:100] + waiting
        elif isinstance(item, dict):
            if re.search(r"(?:Article|Posting)\b", str(item.get("@type"))[:200]):
                articles.append(item)
            waiting += [item[key] for key in ("@graph", "mainEntity") if key in item]
    return articles


def _title(tree: Any, meta: dict[str, str], articles: Articles) -> str:
    """Returns the headline: JSON-LD, the `h1` that the title tags repeat, or a title tag without the name of the site.

    Title tags end in the outlet's name (`... - Daily News`), which would tell where the text comes from.
    """
    for item in articles:
        if isinstance(headline := item.get("headline"), str) and headline.strip():
            return _line(headline)
    titles = _title_tags(tree, meta)
    for text in _headings(tree):
        if text and (not titles or any(text in title and 2 * len(text) >= len(title) for title in titles)):
            return text
    title = titles[0] if titles else ""
    bare = title.removesuffix(_line(meta.get("og:site_name", ""))).rstrip()
    return bare.rstrip(" |-–—•:") if bare.endswith(("|", "-", "–", "—", "•", ":")) else title


def _title_tags(tree: Any, meta: dict[str, str]) -> list[str]:
    head = tree.find(".//title")
    return [_line(name) for name in (meta.get("og:title"), head is not None and head.text_content()) if name]


def _headings(tree: Any) -> list[str]:
    return [_line(heading.text_content()) for heading in list(tree.iter("h1"))[:5]]


def _without_headline(article: str, headlines: Collection[str]) -> str:
    """Returns a text without the headline above its first paragraph.

    Whether an extractor takes the headline for a part of the article depends on where the outlet's layout has it, so
    that copies of titles would tell outlets and countries apart.
    """
    names = {plain_words(headline) for headline in headlines} - {""}
    first, _, rest = article.partition("\n")
    while first and plain_words(first) in names:
        article = rest.lstrip()
        first, _, rest = article.partition("\n")
    return article


def _date(tree: Any, meta: dict[str, str], articles: Articles) -> str:
    """Returns the first of the dates that a page declares, as written, which can be read as a day.

    In order: JSON-LD, meta tags, `itemprop`, `<time>` of the article, a line after the headline whose class calls it
    the date. Dates of change do not count, nor a clock in the page's head.
    """

    def declared() -> Iterator[Any]:
        for item in articles:
            yield item.get("datePublished")
        for name in _DATE_META:
            yield meta.get(name)
        for tag in tree.xpath('//*[@itemprop="datePublished"]'):
            yield tag.get("content") or tag.get("datetime") or tag.text_content()
        for tag in tree.xpath("//article//time[@datetime] | //main//time[@datetime] | //time[@pubdate]"):
            yield tag.get("datetime")
        times = [tag.get("datetime") for tag in tree.xpath("//time[@datetime]")]
        if len({day_of(time) for time in times}) == 1:
            yield times[0]
        for tag in tree.xpath("(//h1)[1]/following::*[@class][position() <= 60]"):
            if _DATE_CLASS.search(tag.get("class")):
                yield _line(tag.text_content())[:100]

    for written in declared():
        if isinstance(written, str):
            date = _BEFORE_A_DATE.sub("", written.strip()[:100], count=1)
            if day_of(date):
                return date
    return ""


def _address(tree: Any, meta: dict[str, str], text: str, url: str) -> str:
    """Returns the address that a page gives itself, the place of its fetch, or nothing."""
    links = [link.get("href") or "" for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    given = (link.strip() for link in (*links[:1], meta.get("og:url", "")))
    own = next((link for link in given if re.match("https?://", link) and len(parse_url(link).path) > 1), "")
    mirrored = _HTTRACK.search(text)
    fetched = url or (f"http://{mirrored[1]}" if mirrored and parse_url(mirrored[1]).domain else "")
    return own if own and (not fetched or parse_url(own).domain == parse_url(fetched).domain) else fetched


def _line(text: str) -> str:
    return " ".join(text.split())[:1000]


def _neighbour_url(path: str) -> str:
    """Returns the address that a file beside a local page gives it, or nothing."""
    for beside in [] if is_remote(path) else [Path(path).with_name(name) for name in NEIGHBOURS]:
        if beside.is_file():
            stat = beside.stat()
            return _addresses(str(beside), stat.st_mtime_ns, stat.st_size).get(Path(path).name, "")
    return ""


@lru_cache(maxsize=4)
def _addresses(path: str, changed: int, size: int) -> dict[str, str]:
    """Returns file name -> address of one `meta.info`, read once as long as it stays the same."""
    try:
        if size > MAX_RAW:
            raise ValueError(f"larger than {MAX_RAW >> 20} MiB")
        pages = json.loads(Path(path).read_bytes())
        return {name: url for name, page in pages.items() if isinstance(url := page.get("url"), str)}
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f'{path}: is not JSON of the form {{"page.html": {{"url": ...}}}} ({error})') from None


@cache
def _trafilatura() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Returns the parser and the extractor, with its logger silenced: what they say is in the records."""
    try:
        import trafilatura
    except ImportError as error:
        raise UserError(f"web pages need more packages ({error}); install dateline[web]") from None
    logging.getLogger("trafilatura").addHandler(logging.NullHandler())
    logging.getLogger("trafilatura").propagate = False
    return trafilatura.load_html, trafilatura.bare_extraction
