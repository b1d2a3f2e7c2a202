"""Items of a feed, put together from the events of expat, with the bytes at which they and their damage stand.

Entities of a DTD are expanded within expat's limit (a hundredfold above 8 MiB) and 64 MiB an item.
"""

from __future__ import annotations

from html import escape, unescape
from xml.parsers import expat

from dateline.corpus.readers.lines import MAX_LINE
from dateline.errors import UserError

MAX_DEPTH = 256
ROOTS = ("rss", "rdf", "feed", "channel")
ITEMS = ("item", "entry")
FIELDS = {
    **dict.fromkeys(("title", "atom:title", "dc:title"), "title"),
    **dict.fromkeys(("content:encoded", "content", "atom:content"), "full"),
    **dict.fromkeys(("description", "summary", "atom:summary", "dc:description"), "lead"),
    **dict.fromkeys(("link", "atom:link"), "link"),
    **dict.fromkeys(("guid", "id", "atom:id"), "name"),
    **dict.fromkeys(("pubDate", "published", "atom:published", "issued", "dc:date", "dcterms:created"), "date"),
    **dict.fromkeys(("updated", "atom:updated", "modified"), "changed"),
    **dict.fromkeys(("language", "dc:language"), "language"),
    "feedburner:origLink": "address",
}


class BrokenItem(Exception):
    """An item that is XML and yet cannot be read; `at` is the byte, as `ItemRun.at` counts, where that shows."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.at = at


class ItemRun:
    """One run of expat over a feed, from its beginning or from an item on."""

    def __init__(self, open_elements: list[str], language: str, encoding: str, path: str) -> None:
        self.found: list[dict[str, str]] = []
        self.item: dict[str, str] | None = None
        self.item_at = 0
        self.language = language
        self.open: list[str] = []
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
        again = "".join(f"<{name}>" for name in open_elements).encode()
        parser.Parse(again, False)
        self._before = len(again)

    def outside(self) -> list[str]:
        """Returns the elements that are open around the items."""
        around = self.open[: self._outside - 1] if self.item is not None else self.open[:2]
        return around if around and all(map(str.isascii, around)) else ["feed"]

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
        prefix, _, local = name.rpartition(":")
        if self.item is None:
            if depth == 1 and local.lower() not in ROOTS:
                raise UserError(
                    f"{self._path}: no feed: it begins with <{name[:40]}>, not with <rss>, <feed> or <rdf:RDF>"
                )
            if local in ITEMS and prefix in ("", "atom", "rss") and depth > 1:
                self.item, self.item_at, self._outside, self._size = {}, self.at, depth, 0
                self._parts = None
                self.item["language"] = attributes.get("xml:lang", self.language)
            elif local == "language":
                self._parts = []
            elif depth <= 2:
                self.language = attributes.get("xml:lang", self.language)
        elif depth == self._outside + 1:
            if local in ITEMS:
                raise BrokenItem("an item begins inside an item", self.at)
            self._begin_field(FIELDS.get(name.removeprefix("rss:"), ""), attributes)
        elif self._parts is not None:
            self._parts.append(f"<{local}>")

    def _begin_field(self, field: str, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text")
        if field == "link" and "href" in attributes:
            self._parts = None
            if self.item is not None and attributes.get("rel", "alternate") == "alternate":
                self.item.setdefault("link", attributes["href"])
            return
        if field == "full" and ("src" in attributes or not kind.startswith(("text", "html", "xhtml"))):
            field = ""  # elsewhere, or an image in base64
        if field == "name" and attributes.get("isPermaLink") == "false":
            field = ""
        self._field, self._escaped = field, kind == "xhtml"
        self._parts = [] if field else None

    def _end(self, name: str) -> None:
        depth = len(self.open)
        self.open.pop()
        if self.item is None:
            if self._parts is not None and depth <= 3:
                self.language = "".join(self._parts).strip()
            self._parts = None
        elif depth == self._outside:
            self.found.append(self.item)
            self.item = None
        elif depth > self._outside + 1:
            if self._parts is not None:
                self._parts.append(f"</{name.rpartition(':')[2]}>")
        elif self._parts is not None:
            value = "".join(self._parts)
            if value.strip() and (self._field == "language" or self._field not in self.item):
                self.item[self._field] = value
            self._parts = None

    def _text(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_LINE:
            raise BrokenItem("longer than 64 MiB", self.at)
        if self._parts is not None:
            self._parts.append(escape(text, quote=False) if self._escaped else text)
