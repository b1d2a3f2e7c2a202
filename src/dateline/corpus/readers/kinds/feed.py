"""Feeds: RSS (0.9 to 2.0) and Atom, one record an item; what WordPress exports is RSS too.

A record has the full text where an item has it (`content:encoded`, `content`), else its lead. Nothing that a feed names
is fetched (DTDs, external entities, `<content src>`).

Expat reads, because it is strict and knows the byte at which it stands: a broken item is cut out and reading goes on
with the next. (lxml in recovery mode makes `AT` of `AT&T`; feedparser 6.0 takes 17 s for an author of 80 kB.)

Names are resolved by namespace, whatever prefix a file gives it; a prefix that is bound to no namespace known here, or
to none at all, is taken at its word, because many feeds forget or misspell the declaration. Relative links are resolved
against `xml:base`, or else against the feed's own link.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from html import escape, unescape
from typing import IO, NamedTuple
from urllib.parse import urljoin
from xml.parsers import expat

from dateline.corpus.readers.files import MAX_LINE, damage_named, kept, open_file
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.errors import UserError

MAX_DEPTH = 256
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://)?")
_FOREIGN = "?"
"""Stands for the prefix of a default namespace that is none of a feed's."""
ROOTS = ("rss", "rdf", "feed", "channel")
ITEMS = ("item", "entry")
FIELDS = {
    **dict.fromkeys(("title", "dc:title"), "title"),
    **dict.fromkeys(("content:encoded", "content"), "full"),
    **dict.fromkeys(("description", "summary", "dc:description"), "lead"),
    "link": "link",
    **dict.fromkeys(("guid", "id"), "name"),
    **dict.fromkeys(("pubDate", "published", "issued", "dc:date", "dcterms:created"), "date"),
    **dict.fromkeys(("updated", "modified"), "changed"),
    **dict.fromkeys(("language", "dc:language"), "language"),
    **dict.fromkeys(("feedburner:origLink", "pheedo:origLink"), "address"),
    "wp:status": "status",
    "wp:post_type": "kind",
}
NAMESPACES = {
    **dict.fromkeys(
        ("www.w3.org/2005/atom", "purl.org/atom/ns", "purl.org/rss/1.0", "my.netscape.com/rdf/simple/0.9"), ""
    ),
    **dict.fromkeys(
        ("backend.userland.com/rss2", "blogs.law.harvard.edu/tech/rss", "cyber.harvard.edu/rss/rss.html"), ""
    ),
    "purl.org/rss/1.0/modules/content": "content",
    "purl.org/dc/elements/1.1": "dc",
    "purl.org/dc/elements/1.0": "dc",
    "purl.org/dc/terms": "dcterms",
    **dict.fromkeys((f"wordpress.org/export/1.{minor}" for minor in range(3)), "wp"),
    "rssnamespace.org/feedburner/ext/1.0": "feedburner",
    "www.pheedo.com/namespace/pheedo": "pheedo",
}
"""Namespace without scheme and final `/` or `#`, in lower case -> the prefix used here; feeds' own have none."""
UNPUBLISHED = "not a published article"
NO_ARTICLES = frozenset(
    ("attachment", "nav_menu_item", "revision", "custom_css", "customize_changeset", "page", "wp_block", "wp_template")
)
"""Types of items in a WordPress export; those of plugins (`news`, `story`) may be articles."""
PLAIN = ("", "atom", "rss")
"""Prefixes of feeds' own elements where no namespace is declared for them."""


class BrokenItem(Exception):
    """An item that is XML and yet cannot be read; `at` is the byte, as `ItemRun.at` counts, where that shows."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.at = at


class ItemRun:
    """One run of expat over a feed, from its beginning or from an item on."""

    def __init__(self, encoding: str, path: str, before: ItemRun | None = None) -> None:
        """Begins a run; `before` is the one that broke off in the same feed."""
        self.found: list[dict[str, str]] = []
        self.item: dict[str, str] | None = None
        self.item_at = 0
        self.language: str = before.language if before else ""
        self.home: str = before.home if before else ""
        self.open: list[str] = []
        self._scopes = [before.scope() if before else _Scope({}, "")]
        self._nested: int | None = None
        self._path = path
        self._outside = 0
        self._field = ""
        self._parts: list[str] | None = None
        self._escaped = False
        self._size = 0
        self._parser = parser = expat.ParserCreate(encoding)
        parser.buffer_text = True
        parser.UseForeignDTD(True)  # makes an unknown entity (`&nbsp;`) something to be told of, no error
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.SkippedEntityHandler = lambda name, _: self._text(unescape(f"&{name};"))
        again = "".join(f"<{name}>" for name in (before.outside() if before else ())).encode()
        parser.Parse(again, False)
        self._before = len(again)

    def outside(self) -> list[str]:
        """Returns the elements that are open around the items."""
        around = self.open[: self._outside - 1] if self.item is not None else self.open[:2]
        return around if around and all(map(str.isascii, around)) else ["feed"]

    def scope(self) -> _Scope:
        """Returns the namespaces and the base that hold around the items."""
        around = self._outside - 1 if self.item is not None else 2
        return self._scopes[min(around, len(self._scopes) - 1)]

    @property
    def at(self) -> int:
        """Bytes of the feed, from where this run began, that are read."""
        return max(self._parser.CurrentByteIndex - self._before, 0)

    def feed(self, data: bytes | memoryview, last: bool) -> None:
        """Reads on."""
        self._parser.Parse(data, last)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.open.append(name)
        depth = len(self.open)
        if depth > MAX_DEPTH:
            raise BrokenItem(f"elements more than {MAX_DEPTH} deep", self.at)
        self._scopes.append(self._scopes[-1].within(attributes, unknown=_FOREIGN if depth > 2 else ""))
        prefix, local = self._scopes[-1].resolved(name)
        if self._nested is not None:
            raise BrokenItem("an item begins inside an item", self._nested)
        if self.item is None:
            if depth == 1 and local.lower() not in ROOTS:
                raise UserError(
                    f"{self._path}: no feed: it begins with <{name[:40]}>, not with <rss>, <feed> or <rdf:RDF>"
                )
            if local in ITEMS and prefix in PLAIN and depth > 1:
                self.item, self.item_at, self._outside, self._size = {}, self.at, depth, 0
                self._parts = None
                self.item["language"] = attributes.get("xml:lang", self.language)
            elif local == "language" or (local == "link" and prefix in PLAIN and depth <= 3):
                self._parts = []
                self._offer_home(attributes.get("href", ""), attributes.get("rel", "alternate"))
            elif depth <= 2:
                self.language = attributes.get("xml:lang", self.language)
        elif depth == self._outside + 1:
            if local in ITEMS and prefix in PLAIN:
                self._nested, self._parts = self.at, None
            else:
                key = local if prefix in PLAIN else f"{prefix}:{local}"
                self._begin_field(FIELDS.get(key, ""), attributes)
        elif self._parts is not None:
            self._parts.append(f"<{local}>")

    def _begin_field(self, field: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text")
        if field == "link" and "href" in attributes:
            self._parts = None
            if self.item is not None and attributes.get("rel", "alternate") == "alternate" and "link" not in self.item:
                self.item["link"], self.item["base"] = attributes["href"], self._scopes[-1].base
            return
        if field == "full" and ("src" in attributes or not kind.startswith(("text", "html", "xhtml"))):
            field = ""  # elsewhere, or an image in base64
        if field == "name" and attributes.get("isPermaLink") == "false":
            field = ""
        self._field, self._escaped = field, kind == "xhtml"
        self._parts = [] if field else None

    def _offer_home(self, link: str, rel: str = "alternate") -> None:
        """Takes an address as the feed's own, unless it has one already."""
        if rel in ("alternate", "self") and link.strip().startswith(("http:", "https:")):
            self.home = self.home or link.strip()

    def _end(self, name: str) -> None:
        depth = len(self.open)
        base = self._scopes[-1].base
        self.open.pop()
        self._scopes.pop()
        if self.item is None:
            if self._parts is not None and depth <= 3:
                said = "".join(self._parts).strip()
                if name.rpartition(":")[2] == "link":
                    self._offer_home(said)
                else:
                    self.language = said
            self._parts = None
        elif depth == self._outside:
            self.found.append(self.item)
            self.item = None
        elif self._nested is not None:
            self.found.append({})  # an item without anything in it
            self._nested = None
        elif depth > self._outside + 1:
            if self._parts is not None:
                self._parts.append(f"</{name.rpartition(':')[2]}>")
        elif self._parts is not None:
            value = "".join(self._parts)
            if value.strip() and (self._field == "language" or self._field not in self.item):
                self.item[self._field] = value
                if self._field == "link":
                    self.item["base"] = base
            self._parts = None

    def _text(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_LINE:
            raise BrokenItem("longer than 64 MiB", self.at)
        if self._nested is not None and text.strip():
            raise BrokenItem("an item begins inside an item", self._nested)
        if self._parts is not None:
            self._parts.append(escape(text, quote=False) if self._escaped else text)


class _Scope(NamedTuple):
    """What holds at one place of a feed."""

    namespaces: dict[str, str]
    """Prefix as written there -> the one used here."""
    base: str

    def within(self, attributes: dict[str, str], *, unknown: str) -> _Scope:
        """Returns what holds inside an element with these attributes.

        Args:
            attributes: of the element.
            unknown: what the prefix of a default namespace becomes that is not known here.
        """
        declared = {
            name[6:]: NAMESPACES.get(_SCHEME.sub("", uri).lower().rstrip("/#"), name[6:] or (unknown if uri else ""))
            for name, uri in attributes.items()
            if name == "xmlns" or name.startswith("xmlns:")
        }
        base = attributes.get("xml:base")
        if not declared and base is None:
            return self
        return _Scope(self.namespaces | declared, self.base if base is None else joined(self.base, base))

    def resolved(self, name: str) -> tuple[str, str]:
        """Returns the prefix used here, and the local name."""
        prefix, _, local = name.rpartition(":")
        return self.namespaces.get(prefix, prefix), local


def joined(base: str, link: str) -> str:
    """Returns a link as seen from a base; one that cannot be joined stays as it is."""
    try:
        return urljoin(base, link.strip())
    except ValueError:
        return link


BLOCK = 1 << 16
MAX_BLOCK = 16 << 20
"""Expat reads a token that goes on from its beginning whenever more comes; so more and more comes at a time."""
CUT_OFF = frozenset((3, 5, 6, 20))
"""What expat says of a document that stops: no element found, unclosed token, partial character, unclosed CDATA."""
UTF16 = "utf-16"
"""Read, but an item cannot be found in it by its bytes."""
READ_AS = {"iso-8859-1": "windows-1252", "us-ascii": "utf-8", "ascii": "utf-8"}
"""As browsers do: many feeds name the first and mean the second."""
MENDABLE = frozenset((4, 11))
"""Invalid token, undefined entity."""
_ITEM_START = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,30}:)?(?:item|entry)(?=[\s>/])")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_BARE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")


class Feed(Reader):
    """RSS and Atom files."""

    extensions = (".xml", ".rss", ".atom")

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields a record for each item; see `read_feed`."""
        for path in files:
            with open_file(path) as file:
                yield from read_feed(file, path)


def read_feed(file: IO[bytes], path: str) -> Iterator[Record | Unreadable]:
    """Yields a record for each item; `source` counts items from 1.

    An item that is no XML is read once more with its bare `&` escaped and control characters left out; if that does
    not help it is `Unreadable`.

    Raises:
        UserError: where the file is no feed, or is cut off: then after the items before.
    """
    for number, (item, raw, problem) in enumerate(_pieces(_Window(file, path), path), start=1):
        source = f"{path}:{number}"
        if item is None:
            yield Unreadable(source, problem, kept(raw))
        elif unpublished := _unpublished(item):
            yield Unreadable(source, unpublished, json.dumps(item, ensure_ascii=False), UNPUBLISHED)
        else:
            yield _record(item, source)


def _pieces(window: _Window, path: str) -> Iterator[tuple[dict[str, str] | None, bytes, str]]:
    """Yields (what an item holds, nothing, nothing), or (None, the item as it stands there, what is wrong with it)."""
    if not window.data and window.damage is None:
        return
    number = begin = fed = 0  # the run began at this byte of the window, and was given the bytes before `fed`
    block = BLOCK
    run = ItemRun(window.encoding, path)
    while True:
        if fed == len(window.data):
            window.more(block)
        chunk = bytes(window.data[fed : fed + block])
        last = window.ended and fed + len(chunk) == len(window.data)
        before, code, problem, at = run.at, 0, "", None
        try:
            run.feed(chunk, last and window.damage is None)
            fed += len(chunk)
        except expat.ExpatError as error:
            code, problem = error.code, f"no XML: {expat.ErrorString(error.code)}"
        except BrokenItem as error:
            problem, at = str(error), begin + error.at
        number += len(run.found)
        yield from ((_addressed(item, run.home), b"", "") for item in run.found)
        run.found.clear()
        if not problem and not last:
            done = begin + (run.at if run.item is None else run.item_at)
            del window.data[:done]
            begin, fed = begin - done, fed - done
            block = BLOCK if run.at > before else min(2 * block, MAX_BLOCK)
            if len(window.data) <= MAX_LINE:
                continue
            problem = "longer than 64 MiB; the first 1 MiB is kept"
        at = begin + run.at if at is None else at
        start = at if run.item is None else begin + run.item_at
        if run.item is None and (tag := window.data.rfind(b"<", 0, at + 1)) >= 0:  # its first tag may be broken
            start = tag if _ITEM_START.match(window.data, tag) and window.data.find(b">", tag, at) < 0 else start
        inside = run.item is not None or _ITEM_START.match(window.data, start) is not None
        if last and ((window.damage and not problem) or code in CUT_OFF):
            if inside:
                number += 1
                yield None, bytes(window.data[start:]), "the file is cut off inside this item"
            raise window.damage or UserError(f"{path}:{number}: the feed is cut off here; fetch it again")
        if not problem:
            return
        following, raw = window.next_item(start, max(at, start + 1))
        if inside:
            number += 1
            yield (_mended(raw, run, window.encoding, path) if code in MENDABLE else None), raw, problem
        elif not run.open and not number and following is None:
            raise UserError(f"{path}: no feed ({problem}); a feed begins with <rss>, <feed> or <rdf:RDF>")
        if following is None:
            if window.damage:
                raise window.damage
            if window.encoding == UTF16:
                raise UserError(
                    f"{path}:{number}: {problem}; in UTF-16 nothing is read behind it: save the feed as UTF-8"
                )
            return
        del window.data[:following]
        begin = fed = 0
        block = BLOCK
        run = ItemRun(window.encoding, path, run)


def _mended(raw: bytes, run: ItemRun, encoding: str, path: str) -> dict[str, str] | None:
    """Returns an item as it reads with its bare `&` escaped and without control characters, or None."""
    parts: list[bytes] = []
    at = 0
    while True:
        begin = raw.find(b"<![CDATA[", at)
        end = raw.find(b"]]>", begin) if begin >= 0 else -1
        parts.append(_BARE_AMPERSAND.sub(b"&amp;", raw[at : begin if end >= 0 else None]))
        if end < 0:
            break
        parts.append(raw[begin : end + 3])
        at = end + 3
    if encoding == UTF16:
        return None
    again = ItemRun(encoding, path, run)
    with suppress(expat.ExpatError, BrokenItem):  # what stands behind the item may be broken too
        again.feed(b"".join(parts).translate(None, _CONTROLS), False)
    return _addressed(again.found[0], again.home) if again.found else None


def _addressed(item: dict[str, str], home: str) -> dict[str, str]:
    """Returns an item with its link seen from `xml:base`, or else from the feed's own address."""
    link, base = item.get("link", ""), item.pop("base", "")
    if link and (home or base) and not _SCHEME.match(link.strip()):
        item["link"] = joined(joined(home, base), link)
    return item


def _unpublished(item: dict[str, str]) -> str:
    """Returns what an item of a WordPress export is that readers of the site never saw as an article, or nothing."""
    status, kind = item.get("status", "publish").strip(), item.get("kind", "post").strip()
    if status != "publish":
        return f"status {status[:40]}"
    return f"of type {kind[:40]}" if kind in NO_ARTICLES else ""


def _record(item: dict[str, str], source: str) -> Record:
    name = item.get("name", "")
    return Record(
        url=item.get("address") or item.get("link") or (name if name.strip().startswith(("http:", "https:")) else ""),
        title=item.get("title", ""),
        text=item.get("full") or item.get("lead", ""),
        date=item.get("date") or item.get("changed", ""),
        country="",
        source=source,
        language=item.get("language", "").strip(),
    )


class _Window:
    """The bytes of a feed that are in memory: from the item or the token on that is being read."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self.data = bytearray()
        self.ended = False
        self.damage: UserError | None = None
        self._file, self._path = file, path
        while not self.data and not self.ended:
            self.more(BLOCK)
            self.data = self.data.removeprefix(codecs.BOM_UTF8).lstrip()
        declared = _DECLARED.match(self.data)
        named = declared[1].decode().lower() if declared else "utf-8"
        self.encoding = READ_AS.get(named, named)
        if self.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.encoding = UTF16
            return
        try:
            expat.ParserCreate(self.encoding).Parse(b"<rss/>", True)
        except (expat.ExpatError, LookupError, ValueError):
            raise UserError(f"{path}: the encoding '{self.encoding}' is not known; save the feed as UTF-8") from None

    def more(self, size: int) -> None:
        """Reads on; at the end, or where the file is damaged, it sets `ended`, and nothing is read from then on."""
        if self.ended:
            return
        try:
            with damage_named(self._path):
                block = self._file.read(size)
            self.ended = not block
            self.data += block
        except UserError as error:
            self.ended, self.damage = True, error

    def next_item(self, start: int, at: int) -> tuple[int | None, bytes]:
        """Returns where the next item from `at` on begins, if any does, and the bytes from `start` to there."""
        raw: bytes | None = None
        while True:
            found = _ITEM_START.search(self.data, at) if self.encoding != UTF16 else None
            if found or self.ended:
                end = found.start() if found else len(self.data)
                return found and found.start(), bytes(self.data[start:end]) if raw is None else raw
            at = max(at, len(self.data) - 16)
            if len(self.data) > MAX_LINE:
                raw = bytes(self.data[start : start + MAX_LINE]) if raw is None else raw
                del self.data[:at]
                at = 0
            self.more(BLOCK)
