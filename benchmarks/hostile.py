"""Hostile files: what a seeded generator does to every kind of news file that the corpus can be built from.

Enters: a random generator and an empty folder. Leaves: files in it that are broken, huge, deep, mistyped, cut off,
flipped, or sound with hostile content; and what is known of them.
Deliberately not done: nothing is judged here (`fuzz.py` does that), and nothing is taken from real attacks.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

NASTY = (
    "\0", "\x1b[31mred\x1b[0m\x1b]0;title\x07", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "=1+1",
    '=HYPERLINK("http://evil.example")', "@SUM(A1)", "+1|cmd", "\ud800", "\udfff\ud800", "\udc80\udcff", "\u202ex",
    "\u2028\u2029\x85", "\ufeff", "\ufffe\uffff", "&amp;" * 30, "&#0;&#x110000;&#xd800;&#9999999;", "]]>", "--><!--",
    "{{7*7}}${7*7}%s%n{0}", "a\r\nb\nc\td", "../../../etc/passwd", "e" + "\u0301" * 300, "\ufdfa" * 40, "\x80",
    "[red]rich[/red][link=http://x]", "| a | `b` |", "[x](javascript:alert(1))", "\n---\nlicense: x\n---\n", "\x0c",
    "9" * 5000, "1e999", "NaN", "null", "-0", "", " ", "\t", "'\"`", '""', "\\", "\\u0000\\ud800", "@ @ @ @", "##1",
    "<" * 300, "&" * 300, "<a " * 100, "<!--" * 50, "<script>" * 40, "\u200d" * 9, "\U0010ffff", "İıſK", "ß" * 30,
)  # fmt: skip
URLS = (
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "http://user:pass@evil.co.ke:99999/a",
    "https://bbc.co.uk@evil.ng/", "http://ünïcödé.co.za/é", "http://xn--999999999.ng/", "http://xn--a-ecp.ru/",
    "http://" + "a." * 3000 + "com", "http://" + "." * 4000, "http://[::1]/", "http://[::1", "http://[fe80::1%25e]/",
    "http://1.2.3.4/", "http://0x7f000001/", "//", "http://", "http:///", "http://..com", "http://a\0b.ng/", "http://[",
    "http://a\nb.co.ke/", "http://\u2100.com", "\\\\host\\share", "http://" + "x" * 64 + ".ng/", "file:///etc/passwd",
    "http://a.ng/?" + "&" * 3000, "http://%00.ng/", "http://a.ng:port/", "http://аррӏе.com/", "mailto:a@b.co.za",
    "http://\u0661\u0662.ng/", "https://www.gov.ke/\ud800", "http://a.ng/\x1b[2J", "http://a.co.ke/<script>x</script>",
)  # fmt: skip
DATES = (
    "2021-03-04",
    "9" * 13,
    "-9999999999",
    "31 Feb 2021",
    "0000-00-00",
    "99999-01-01",
    "\u0661\u0662",
    "1e99",
    "now",
)
NAMES = (
    "-rf", "a\nb", "\x1b[31mred\x1b[0m", "<img src=x onerror=alert(1)>", "[a]", "*", "a b;$(x)`y`", "~", "\u202ex",
    "%s{0}{{x}}", "x" * 200, "a!b", "http:", "a|b`c`", "\x85\u2028", os.fsdecode(b"\xff\xfe"), "--out", "con\r", "# a",
)  # fmt: skip
WORDS = ("the", "council", "met", "in", "town", "hall", "on", "monday", "and", "said", "that", "this", "river", "would",
         "be", "watched", "by", "farmers", "who", "plant", "maize")  # fmt: skip
FIELDS = ("text", "url", "title", "date", "country", "language")


class Case(NamedTuple):
    """What is known of the files of a case."""

    checks: str = ""
    """`lines`, `rows`, `piece`: how outcomes lie in the file; `page`: one outcome a file; else nothing is known."""
    file: Path | None = None
    plain: bytes = b""
    """The file before it was compressed."""
    cut: bool = False
    """Whether its compressed form was cut off."""
    columns: dict[str, str] | None = None


def text(rng: Random) -> str:
    """Returns an article's text, mostly sound, with hostile pieces in it."""
    said = " ".join(rng.choices(WORDS, k=rng.choice((0, 3, 30, 60))))
    for _ in range(rng.choice((0, 0, 1, 3))):
        at = rng.randrange(len(said) + 1)
        said = said[:at] + rng.choice(NASTY) + said[at:]
    return said


def address(rng: Random) -> str:
    suffix = rng.choice(("co.ke", "ng", "com.au", "com", "co.uk"))
    sound = f"https://www.paper{rng.randrange(40)}.{suffix}/{rng.randrange(999)}"
    if rng.random() < 0.0005:
        return sound + rng.choice(("a", "/", "?a=b&", "%41", ".")) * (1 << 20)
    return sound if rng.random() < 0.5 else rng.choice(URLS) if rng.random() < 0.8 else sound + rng.choice(NASTY)


def value(rng: Random, depth: int = 0) -> Any:
    """Returns any value that JSON knows, and some that it does not."""
    kind = rng.randrange(12)
    if kind < 2 and depth < 6:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 2 and depth < 6:
        return {rng.choice(NASTY): value(rng, depth + 1) for _ in range(rng.randrange(3))}
    plain = (None, True, 0, -1, 10**400, 1e308, float("nan"), float("inf"), -0.0, 1614816000, "", rng.choice(NASTY))
    return rng.choice(plain)


def row(rng: Random) -> dict[str, Any]:
    """Returns an article as an object, with wrong types, missing and strange keys among the sound ones."""
    made: dict[str, Any] = {"text": text(rng), "url": address(rng), "title": text(rng)[:80], "date": rng.choice(DATES)}
    made["country"] = rng.choice(("ke", "Nigeria", "gb", rng.choice(NASTY), value(rng)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        made[rng.choice((*FIELDS, rng.choice(NASTY), "Text", "TEXT_", "x" * 9000))] = value(rng)
    if rng.random() < 0.1:
        made.pop(rng.choice(FIELDS), None)
    return made


def mangle(rng: Random, data: bytes, times: int | None = None) -> bytes:
    """Returns bytes with some of them flipped, cut, doubled, moved or replaced."""
    held = bytearray(data)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 8)) if times is None else times):
        at, size = rng.randrange(len(held) + 1), rng.choice((1, 1, 4, 40, 400))
        match rng.randrange(8):
            case 0 | 1 if held:
                held[min(at, len(held) - 1)] ^= 1 << rng.randrange(8)
            case 2:
                del held[at:]
            case 3:
                del held[at : at + size]
            case 4:
                held[at:at] = rng.choice((b"\0", b"\n", b'"', b"\xff\xfe", b"\xed\xa0\x80", b"\r", b",", b"<", b"&"))
            case 5:
                held[at:at] = held[at : at + size]
            case 6:
                held[at : at + size] = rng.randbytes(size)
            case _:
                held[at : at + 4] = rng.choice((b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"))
    return bytes(held)


def put(rng: Random, folder: Path, ending: str, plain: bytes, checks: str, *, packs: bool = True) -> Case:
    """Writes a file, compressed now and then, and damages the compressed one now and then."""
    packed, damaged, cut = plain, False, False
    if packs and rng.random() < 0.25:
        ending += rng.choice((".gz", ".zst"))
        whole = gzip.compress(plain, 1) if ending.endswith("gz") else zstandard.compress(plain, 1)
        packed = whole
        if rng.random() < 0.3 and len(whole) > 1:
            packed, cut = whole[: rng.randrange(1, len(whole))], True
        elif rng.random() < 0.5:
            packed = mangle(rng, whole)
            damaged = packed != whole
    name = rng.choice(NAMES) if rng.random() < 0.15 else "news"
    file = folder / f"{name}{ending}"
    file.write_bytes(packed)
    return Case(
        "" if damaged else checks, file, plain, cut, {"title": rng.choice(NASTY)} if rng.random() < 0.02 else None
    )


def written(rng: Random, made: Any) -> bytes:
    said = json.dumps(made, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.05:
        depth = rng.choice((20, 900, 3000, 60_000))
        said = said.replace('"title": "', '"title": ' + rng.choice(("[", '{"a":')) * depth + '"', 1)
    if rng.random() < 0.03:
        said = (
            said.replace('"title": "', '"text": [' * 1 + '"', 1) if rng.random() < 0.5 else said[:-1] + ', "text": 1}'
        )
    return said.encode("utf-8", rng.choice(("surrogatepass", "replace")))


def jsonl(rng: Random, folder: Path) -> Case:
    lines = [written(rng, row(rng) if rng.random() < 0.93 else value(rng)) for _ in range(rng.randrange(7))]
    lines += lines[:1] * rng.randrange(2)
    plain = (b"\xef\xbb\xbf" * (rng.random() < 0.1)) + rng.choice((b"\n", b"\r\n", b"\n\n")).join(lines)
    return put(rng, folder, rng.choice((".jsonl", ".ndjson", ".JSONL")), mangle(rng, plain), "lines")


def json_file(rng: Random, folder: Path) -> Case:
    items = b",".join(written(rng, row(rng) if rng.random() < 0.95 else value(rng)) for _ in range(rng.randrange(5)))
    key = json.dumps(rng.choice(("items", "articles", rng.choice(NASTY)))).encode()
    feed = (
        b'{"version": "https://jsonfeed.org/version/1", "items": ['
        + items.replace(b'"text"', b'"content_text"')
        + b"]}"
    )
    plain = rng.choice(
        (b"[" + items + b"]", b"{" + key + b": [" + items + b"]}", items, feed, b"[" * 5000, b"", b"[]", b" ")
    )
    return put(rng, folder, ".json", mangle(rng, plain) if rng.random() < 0.4 else plain, "")


def delimited(rng: Random, folder: Path) -> Case:
    mark = rng.choice(",;\t|")

    def cell(said: str) -> str:
        quoted = rng.random() < 0.6
        said = said if not quoted else '"' + said.replace('"', '""') + '"'
        return said if rng.random() < 0.97 else said + '"'

    names = ["text", "url", "title", "country"] + ([rng.choice(NASTY)] if rng.random() < 0.2 else [])
    rows = [
        [text(rng), address(rng), text(rng)[:60], rng.choice(("ke", "ng", rng.choice(NASTY)))]
        for _ in range(rng.randrange(8))
    ]
    lines = [
        mark.join(map(cell, held + ["x"] * (rng.random() < 0.05))) for held in ([names] * (rng.random() < 0.97) + rows)
    ]
    plain = (
        rng.choice(("\n", "\r\n", "\n", "\r\n", "\n", "\n", "\n", "\r"))
        .join(lines)
        .encode("utf-8", "replace" if rng.random() < 0.7 else "surrogatepass")
    )
    return put(rng, folder, ".tsv" if mark == "\t" else ".csv", mangle(rng, plain), "rows")


@cache
def tables() -> tuple[tuple[str, bytes], ...]:
    """Returns sound Parquet and Arrow files of many types."""
    rng = Random(0)
    said = [text(rng).encode("utf-8", "replace").decode() for _ in range(12)]
    kinds: list[Any] = [
        pa.array(said), pa.array([one.encode() for one in said], pa.binary()), pa.array([[one, None] for one in said]),
        pa.array(said).dictionary_encode(), pa.array(range(12)), pa.array([1e308, float("nan"), None] * 4),
        pa.array(said, pa.string_view()), pa.array([None] * 12), pa.array([2**62] * 12, pa.timestamp("us")),
        pa.array([2**62] * 12, pa.timestamp("ns", "No/Where")), pa.array([2**31 - 1] * 12, pa.date32()),
        pa.array([{"a": 1}] * 12), pa.array([[[[one]]] for one in said]), pa.array(said, pa.large_string()),
        pa.array([b"\xff\xfe"] * 12, pa.binary()), pa.array([10**30] * 12, pa.decimal128(38, 2)),
    ]  # fmt: skip
    dates = pa.array(["2021-03-04", None, "\0"] * 4)
    made = []
    for number, other in enumerate(kinds):
        for names in (("text", "title", "date"), ("title", "text", "country")):
            table = pa.table(dict(zip(names, (pa.array(said), other, dates), strict=True)))
            for ending in (".parquet", ".arrow", ".feather"):
                sink = io.BytesIO()
                if ending == ".parquet":
                    if number == 6:
                        continue
                    pq.write_table(
                        table, sink, compression=rng.choice(("none", "snappy", "zstd", "gzip")), row_group_size=5
                    )
                else:
                    opened: Any = pa.ipc.new_stream if rng.random() < 0.4 else pa.ipc.new_file
                    packed = pa.ipc.IpcWriteOptions(compression=rng.choice((None, "zstd", "lz4")))
                    with opened(sink, table.schema, options=packed) as writer:
                        writer.write_table(table, max_chunksize=5)
                made.append((ending, sink.getvalue()))
    return tuple(made)


def columnar(rng: Random, folder: Path) -> Case:
    ending, sound = rng.choice(tables())
    return put(rng, folder, ending, mangle(rng, sound), "", packs=False)


def saved(rng: Random, folder: Path) -> Case:
    """A folder that claims to be made by `datasets.save_to_disk`."""
    (folder / "dataset_info.json").write_bytes(b"{}")
    names = [
        rng.choice((*["a.arrow"] * 8, "../a.arrow", "/etc/passwd", "", "..", rng.choice(NASTY), 7, None))
        for _ in range(2)
    ]
    state = json.dumps({"_data_files": [{"filename": name} for name in names]}).encode()
    (folder / "state.json").write_bytes(mangle(rng, state) if rng.random() < 0.5 else state)
    if rng.random() < 0.3:
        (folder / "dataset_dict.json").write_bytes(mangle(rng, json.dumps({"splits": [*names, "."]}).encode()))
    (folder / "a.arrow").write_bytes(mangle(rng, next(data for ending, data in tables() if ending == ".arrow")))
    return Case()


def now(rng: Random, folder: Path) -> Case:
    """Texts and sources of NOW, in files or in a zip file."""
    ids = [rng.choice((n, n, n, 5, 10**17)) for n in range(rng.randrange(6))]
    texts = "\n".join(f"{rng.choice(('@@', '##'))}{n} <p> {text(rng)}" for n in ids)
    sources = "\n".join(f"{n}\t9\t10-01-0{rng.randrange(9)}\tke\tsite\t{address(rng)}\t{text(rng)[:50]}" for n in ids)
    parts = [("10-01-ke.txt", texts), ("sources-10-01.txt", sources)]
    if rng.random() < 0.1:
        parts.append((f"{rng.choice(NAMES)}.txt", texts))
    held = [(name, mangle(rng, said.encode("utf-8", "replace"))) for name, said in parts]
    if rng.random() < 0.5:
        for name, data in held:
            (folder / name).write_bytes(data)
        return Case("piece", None, b"\0".join(data for _, data in held))
    sink = io.BytesIO()
    with zipfile.ZipFile(
        sink, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    ) as archive:
        for name, data in held:
            archive.writestr(rng.choice(("", "", "../../", "/", "a/")) + name.encode("utf-8", "replace").decode(), data)
    (folder / "now.zip").write_bytes(mangle(rng, sink.getvalue()))
    return Case()


Maker = Callable[[Random, Path], Case]
