"""WARC: the web pages of a crawl (CC-News and its like), one `response` or `resource` record after another.

A `conversion` record is the plain text of a page (Common Crawl's WET files): it has an address, but no headline and no
date. `revisit` and `continuation` records stand for a page without its body and are dropped by name; `warcinfo`,
`request` and `metadata` records are about others, and an archive that has only such is refused with their numbers.

The framing is read here with zlib, because a corpus must know what it lost: fastwarc 2.0.1 and warcio 1.7.5 end a file
that is cut off like a whole one and give up at a damaged byte. The time of the fetch is not taken for a date.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from itertools import count
from typing import IO, NamedTuple, NoReturn

import pyarrow as pa

from dateline.corpus.readers.files import open_file, open_raw
from dateline.corpus.readers.kinds.html import MAX_PAGE, extract
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.errors import UserError

BLOCK = MAX_HEADER = 1 << 16
MAX_RECORD = 16 << 20
"""Bytes of the longest record that is loaded, as it was fetched; of longer ones only the beginning is looked at."""
REREAD = 256 << 20  # bytes behind wrong lengths that are searched for records; hostile files have no end of them
_TYPES = {"warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation"}
_ABOUT_OTHERS = {"warcinfo", "request", "metadata"}
_WITHOUT_PAGE = {"revisit", "continuation"}
_PAGES = ("text/html", "application/xhtml")
_MAGIC = b"\x1f\x8b\x08"
_VERSION = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n")
_NEXT = re.compile(rb"(?<=\n)WARC/[01]\.\d+[ \t]*\r?\n")
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_HEADER_STOP = re.compile(_HEADER_END.pattern + b"|" + _NEXT.pattern)  # one without an end stops at the next record
_VISIBLE = re.compile(rb"[^\r\n]")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b")
_HTML = re.compile(rb"\s*<(?:!doctype\s+)?html\b", re.IGNORECASE)
_CHUNK = re.compile(rb"(?:\r?\n)?([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")


class Warc(Reader):
    """WARC archives as crawlers write them, each by itself."""

    extensions = (".warc", ".wet")

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields the pages of archives in order; `source` counts all records of a file, from 1.

        Raises:
            UserError: where a file is missing, is no WARC file, or ends before its last record does: record and byte.
        """
        for path in files:
            with open_file(path) if path.lower().endswith(".zst") else open_raw(path) as file:
                yield from _read(_Archive(file, path), path)


class _Damage(Exception):
    """A gzip member is broken; reading goes on with the next one."""


class _CutOff(Exception):
    """The file ends inside of a gzip member or a record."""


class _Archive:
    """The bytes of an archive, decompressed block by block: what is not yet used stands in `ahead`."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file, self.path = file, path
        self.loaded = 0
        self._packed = self._load()
        self._inflater: zlib._Decompress | None = None
        self.zipped = self._packed.startswith(_MAGIC)
        self.ahead = bytearray()
        self.begun, self.reread = False, 0

    @property
    def place(self) -> int:
        """Bytes of the file, as it lies there, that are used up."""
        return self.loaded - len(self._packed) - (0 if self.zipped else len(self.ahead))

    def more(self, *, within: bool = False) -> bool:
        """Puts one block more into `ahead` (`within`: of the gzip member begun), and says whether there was one.

        Raises `_Damage` where a gzip member is broken or wrong by its checksum, `_CutOff` where the file ends in one.
        """
        while self._inflater is not None or not (within and self.zipped):
            self._packed = self._packed or self._load()
            if not self.zipped:
                self.ahead += self._packed
                block, self._packed = self._packed, b""
                return bool(block)
            if self._inflater is None:
                self._packed = self._packed.lstrip(b"\0")  # some writers pad with zeros
                while len(self._packed) < len(_MAGIC) and (block := self._load()):
                    self._packed = (self._packed + block).lstrip(b"\0")
                if not self._packed:
                    return False
                if not self._packed.startswith(_MAGIC[: len(self._packed)]):
                    self._find_member("bytes that are no gzip")
                self._inflater = zlib.decompressobj(31)
            elif not self._packed:
                raise _CutOff
            try:
                plain = self._inflater.decompress(self._packed, 4 * BLOCK)
            except zlib.error:
                self._find_member("a broken gzip member")
            self._packed = self._inflater.unconsumed_tail or self._inflater.unused_data
            self._inflater = None if self._inflater.eof else self._inflater
            if plain:
                self.ahead += plain
                return True
        return False

    def take(self, size: int) -> bytes:
        taken = bytes(self.ahead[:size])
        del self.ahead[:size]
        return taken

    def _find_member(self, problem: str) -> NoReturn:
        """Goes forward to what looks like the next gzip member, or to the end of the file, and raises `_Damage`."""
        self._inflater, start, self._packed = None, self.place, self._packed[1:]
        while (found := self._packed.find(_MAGIC)) < 0 and (block := self._load()):
            self._packed = self._packed[-2:] + block
        self._packed = self._packed[found:] if found >= 0 else b""
        raise _Damage(f"{problem} by byte {start:,}; passed over until byte {self.place:,}")

    def _load(self) -> bytes:
        try:
            block = self._file.read(BLOCK)
        except (OSError, EOFError, ValueError) as error:
            raise UserError(f"{self.path}: cannot be read on after byte {self.loaded:,} ({error})") from None
        self.loaded += len(block)
        return block


class _Found(NamedTuple):
    """One record of an archive, or with a problem a damaged place in it."""

    header: dict[str, str]
    raw: bytes
    """The record as it stands there, without the end of one that is too long."""
    body: bytes
    problem: str


def _read(archive: _Archive, path: str) -> Iterator[Record | Unreadable]:
    about_others: Counter[str] = Counter()
    pages = 0
    for number in count(1):
        start = archive.place
        try:
            found = _next_record(archive)
        except _CutOff:
            place = f"byte {archive.loaded:,}, in record {number:,} which begins at byte {start:,}"
            raise UserError(f"{path}: cut off at {place}; fetch it again") from None
        if found is None:
            break
        if not found.problem and (kind := found.header["warc-type"]) in _ABOUT_OTHERS:
            about_others[kind] += 1
        else:
            pages += 1
            yield _page(found, f"{path}:{number}")
    if about_others and not pages:
        named = ", ".join(f"{times:,} {kind}" for kind, times in sorted(about_others.items()))
        raise UserError(f"{path}: holds no page, only records about pages ({named})")


def _next_record(archive: _Archive) -> _Found | None:
    """Returns the next record or damaged place, or None at the end; raises `_CutOff` where the file ends too early."""
    ahead, header = archive.ahead, b""
    try:
        while not (start := _VISIBLE.search(ahead)):
            ahead.clear()
            if not archive.more():
                return None
        del ahead[: start.start()]
        while not (end := _HEADER_STOP.search(ahead, 1)) and len(ahead) < MAX_HEADER and archive.more(within=True):
            if len(ahead) > 16 and not _VERSION.match(ahead):
                break
        if not _VERSION.match(ahead):
            if not archive.zipped and b"WARC/1.0\r\n".startswith(bytes(ahead[:11])):
                raise _CutOff
            if not archive.begun:
                raise UserError(f"{archive.path}: is no WARC file; it begins with {ascii(bytes(ahead[:30]))[1:]}")
            return _passed_over(archive, "bytes that are no WARC record")
        archive.begun = True
        if end is None and len(ahead) < MAX_HEADER and not archive.zipped:
            raise _CutOff
        if end is None or end.end() > MAX_HEADER or end[0].startswith(b"WARC/"):
            return _passed_over(archive, "a WARC header without an end")
        header = bytes(ahead[: end.end()])
        fields = _fields(header)
        if not re.fullmatch(r"[0-9]{1,18}", fields.get("content-length", "")) or fields.get("warc-type") not in _TYPES:
            return _passed_over(archive, "a WARC record without its length or type")
        size = int(fields["content-length"])
        archive.take(len(header))
        while len(ahead) < min(size, MAX_RECORD) and archive.more(within=True):
            pass
        body = archive.take(size if size <= MAX_RECORD else MAX_HEADER)
        missing = size - len(body)
        while size > MAX_RECORD and missing and (ahead or archive.more(within=True)):
            missing -= len(archive.take(missing))
        while len(ahead) < 9 and archive.more(within=True):
            pass
    except _Damage as damage:
        return _Found({}, header + archive.take(len(ahead)), b"", str(damage))
    if missing and not archive.zipped and not _NEXT.search(body):
        raise _CutOff
    if missing or not (ahead.startswith(b"\r\n\r\n") or b"WARC/".startswith(bytes(ahead[:9]).lstrip(b"\r\n")[:5])):
        archive.reread += len(body)
        if archive.reread > REREAD:
            return _Found({}, header + body, b"", "a WARC record whose length is wrong")
        ahead[:0] = header + body
        return _passed_over(archive, "a WARC record whose length is wrong")
    return _Found(fields, header + body, body, "")


def _passed_over(archive: _Archive, problem: str) -> _Found:
    """Goes on to the next line that begins a record or to the end of the gzip member; returns what lies before."""
    raw = bytearray()
    while not (found := _NEXT.search(archive.ahead, 1)):
        raw += archive.take(max(0, len(archive.ahead) - 64))[: MAX_RECORD - len(raw)]
        try:
            if not archive.more(within=True):
                break
        except _Damage as damage:
            problem = f"{problem}; {damage}"
            break
    raw += archive.take(found.start() if found else len(archive.ahead))
    return _Found({}, bytes(raw), b"", problem)


def _page(found: _Found, source: str) -> Record | Unreadable:
    """Returns the article of a response, or why it is none."""

    def refused(problem: str, reason: str) -> Unreadable:
        return Unreadable(source, problem, found.raw.decode("utf-8", "surrogateescape"), reason)

    if found.problem:
        return refused(found.problem, "malformed record")
    if (record := found.header["warc-type"]) in _WITHOUT_PAGE:
        return refused(f"a {record} record, whose page stands elsewhere", f"{record} record")
    address = found.header.get("warc-target-uri", "").strip("<> ")
    written = found.header.get("content-type", "")
    if record in ("resource", "conversion") and "application/http" not in written:
        if int(found.header["content-length"]) > MAX_RECORD:
            return refused(f"record longer than {MAX_RECORD >> 20} MiB", "page out of bounds")
        if record == "resource" and written.lower().startswith(_PAGES):
            return extract(found.body, address, source, content_type=written)
        if record == "conversion" and written.lower().startswith("text/plain"):
            language = found.header.get("warc-identified-content-language", "").partition(",")[0]
            return Record(address, "", found.body.decode("utf-8", "replace"), "", "", source, language)
        return refused(f"a {record} record of type {written[:60] or 'unknown'}", "not a web page")
    status, end = _STATUS.match(found.body), _HEADER_END.search(found.body, 0, MAX_HEADER)
    if "http" not in (protocol := found.header.get("content-type", "http")):
        return refused(f"a response of type {protocol[:60]}", "not a web page")
    if status is None or end is None:
        return refused("broken HTTP header", "malformed record")
    if status[1] != b"200":
        return refused(f"HTTP status {int(status[1])}", "not a 200 response")
    fields, payload = _fields(found.body[: end.end()]), found.body[end.end() :]
    kind = fields.get("content-type") or found.header.get("warc-identified-payload-type", "")
    if not (kind.lower().startswith(_PAGES) if kind else _HTML.match(payload)):
        return refused(f"content type {kind[:60] or 'unknown'}", "not a web page")
    if int(found.header["content-length"]) > MAX_RECORD:
        return refused(f"record longer than {MAX_RECORD >> 20} MiB", "page out of bounds")
    if truncated := found.header.get("warc-truncated"):
        return refused(f"cut off while it was fetched ({truncated[:30]})", "malformed record")
    try:
        payload = _unchunked(payload) if "chunked" in fields.get("transfer-encoding", "").lower() else payload
        for coding in reversed(fields.get("content-encoding", "").lower().split(",")[:3]):
            payload = _decompressed(payload, coding.strip())
    except zlib.error as error:
        return refused(f"broken body ({error})", "malformed record")
    return extract(payload, address, source, content_type=kind)


def _unchunked(body: bytes) -> bytes:
    """Returns a body without its chunk sizes; crawlers often keep the HTTP header but store the plain body."""
    pieces, place = list[bytes](), 0
    while size := _CHUNK.match(body, place):
        place = size.end() + int(size[1], 16)
        if place == size.end():
            return b"".join(pieces)
        pieces.append(body[size.end() : place])
    if pieces:
        raise zlib.error("chunks cut off")
    return body


def _decompressed(body: bytes, coding: str) -> bytes:
    """Returns a body without its compression, at most one byte more than a page may have; a plain one stays so."""
    if coding in ("", "identity") or body.lstrip()[:1] == b"<":
        return body
    if coding in ("gzip", "x-gzip", "deflate"):
        inflater = zlib.decompressobj(31 if coding != "deflate" else 15 if body[:1] == b"\x78" else -15)
        page, whole = inflater.decompress(body, MAX_PAGE + 1), inflater.eof
    elif coding == "br":
        try:
            brotli = import_module("brotli")
        except ImportError as error:
            raise UserError(f"web archives need more packages ({error}); install dateline[web]") from None
        reader = brotli.Decompressor()
        try:
            page, whole = bytes(reader.process(body, output_buffer_limit=MAX_PAGE + 1)), reader.is_finished()
        except brotli.error as error:
            raise zlib.error(str(error)) from None
    elif coding == "zstd":
        try:
            with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
                page, whole = stream.read(MAX_PAGE + 1), True  # says itself when it is cut off
        except OSError as error:
            raise zlib.error("zstd cut off" if "runcated" in str(error) else f"zstd: {error}") from None
    else:
        raise zlib.error(f"content coding {coding[:20]!a} is unknown")
    if not whole and len(page) <= MAX_PAGE:
        raise zlib.error(f"{coding} cut off")
    return page


def _fields(header: bytes) -> dict[str, str]:
    """Returns the fields of a header by name in lower case; of two the first counts."""
    found = reversed(_FIELD.findall(header))
    return {name.decode("ascii").lower(): value.decode("utf-8", "replace").strip() for name, value in found}
