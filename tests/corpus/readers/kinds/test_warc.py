import gzip
import io
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dateline.corpus.readers import Columns, Record, Unreadable, read_files
from dateline.corpus.readers.kinds import warc as module
from dateline.corpus.readers.kinds.warc import Warc
from dateline.errors import UserError

pytest.importorskip("trafilatura", reason="needs dateline[web]", exc_type=ImportError)

HTML = "text/html; charset=utf-8"


def page(number: int) -> bytes:
    told = " ".join(f"In town {number}, witness {k} saw the river rise above the bridge again." for k in range(12))
    return f"<html lang='en'><head><title>Flood {number}</title></head><body><p>{told}</p></body></html>".encode()


def http(body: bytes, status: str = "200 OK", kind: str = HTML, **fields: str) -> bytes:
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{extra}\r\n".encode() + body


def record(
    body: bytes, kind: str = "response", url: str = "http://a.co.za/1", length: object = None, **more: str
) -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Target-URI": url,
        "WARC-Date": "2020-01-01T00:00:00Z",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": len(body) if length is None else length,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return b"WARC/1.0\r\n" + head.encode() + b"\r\n" + body + b"\r\n\r\n"


def good(number: int) -> bytes:
    return record(http(page(number)), url=f"http://a.co.za/{number}")


def zipped(*records: bytes) -> bytes:
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def read(tmp_path: Path, data: bytes, name: str = "a.warc.gz") -> tuple[list[Record | Unreadable], str]:
    """What a file yields, and the message with which it ends (its path left out)."""
    path = tmp_path / name
    path.write_bytes(data)
    found: list[Record | Unreadable] = []
    try:
        for item in Warc().read((str(path),), Columns()):
            found.append(item)
    except UserError as error:
        return found, str(error).removeprefix(str(path))
    return found, ""


def shown(found: list[Record | Unreadable]) -> list[str]:
    return [item.url if isinstance(item, Record) else item.reason for item in found]


def addresses(*numbers: int) -> list[str]:
    return [f"http://a.co.za/{number}" for number in numbers]


PACKINGS: dict[str, tuple[str, Callable[..., bytes]]] = {
    "plain": ("a.warc", lambda *records: b"".join(records)),
    "a member a record": ("a.warc.gz", zipped),
    "one member": ("a.warc.gz", lambda *records: gzip.compress(b"".join(records))),
    "zstd": ("a.warc.zst", lambda *records: zstandard.compress(b"".join(records))),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_response_is_a_record(tmp_path: Path, packing: str) -> None:
    name, pack = PACKINGS[packing]
    others = [record(b"software: x", kind="warcinfo"), good(1), record(b"GET /", kind="request"), good(2)]
    found, ending = read(tmp_path, pack(*others, record(b"a: b", kind="metadata"), good(3)), name)
    assert ending == ""
    assert shown(found) == addresses(1, 2, 3)
    first = found[0]
    assert isinstance(first, Record)
    assert first.source == f"{tmp_path / name}:2"
    assert first.title == "Flood 1"
    assert first.text.startswith("In town 1, witness 0 saw the river rise")
    assert (first.language, first.date, first.country) == ("en", "", "")  # the time of the fetch is no date


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == ([], "")
    assert read(tmp_path, gzip.compress(b"")) == ([], "")


@pytest.mark.parametrize(
    ("data", "reason", "problem"),
    [
        (record(http(b"", "404 Not Found")), "not a 200 response", "HTTP status 404"),
        (record(http(b"\xff\xd8", kind="image/jpeg")), "not a web page", "content type image/jpeg"),
        (record(http(b"{}", kind="")), "not a web page", "content type unknown"),
        (record(b"20200101\ndns", Content_Type="text/dns"), "not a web page", "a response of type text/dns"),
        (record(b"garbage without any header"), "malformed record", "broken HTTP header"),
        (record(http(b"<html><body></body></html>")), "no article text", "nothing on the page looks like an article"),
        (
            record(http(page(1)), WARC_Truncated="length"),
            "malformed record",
            "cut off while it was fetched (length)",
        ),
        (
            record(http(gzip.compress(page(1))[:-40], Content_Encoding="gzip")),
            "malformed record",
            "broken body (gzip cut off)",
        ),
        (
            record(http(b"\x01\x02", Content_Encoding="compress")),
            "malformed record",
            "broken body (content coding 'compress' is unknown)",
        ),
        (
            record(http(b"400\r\n" + page(1)[:100], Transfer_Encoding="chunked")),
            "malformed record",
            "broken body (chunks cut off)",
        ),
    ],
)
def test_a_response_that_is_no_article_says_why(tmp_path: Path, data: bytes, reason: str, problem: str) -> None:
    found, ending = read(tmp_path, zipped(good(1), data, good(2)))
    assert ending == ""
    assert shown(found) == [*addresses(1), reason, *addresses(2)]
    dropped = found[1]
    assert isinstance(dropped, Unreadable)
    assert dropped.problem == problem
    assert dropped.raw
    assert dropped.source.endswith(":2")


def chunked(body: bytes) -> bytes:
    pieces = [body[at : at + 300] for at in range(0, len(body), 300)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def brotli(body: bytes) -> bytes:
    return bytes(pytest.importorskip("brotli").compress(body))


@pytest.mark.parametrize(
    ("fields", "encode"),
    [
        ({"Content_Encoding": "gzip"}, gzip.compress),
        ({"Content_Encoding": "deflate"}, zlib.compress),
        ({"Content_Encoding": "deflate"}, lambda body: zlib.compress(body)[2:-4]),
        ({"Content_Encoding": "br"}, brotli),
        ({"Content_Encoding": "zstd"}, zstandard.compress),
        ({"Content_Encoding": "zstd"}, lambda body: zstandard.compress(body[:99]) + zstandard.compress(body[99:])),
        ({"Content_Encoding": "br, gzip"}, lambda body: gzip.compress(brotli(body))),
        ({"Transfer_Encoding": "chunked"}, chunked),
        ({"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"}, lambda body: chunked(gzip.compress(body))),
        ({"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"}, bytes),  # header kept, body already plain
    ],
)
def test_content_encodings(tmp_path: Path, fields: dict[str, str], encode: Callable[[bytes], bytes]) -> None:
    found, ending = read(tmp_path, zipped(record(http(encode(page(1)), **fields))))
    assert (shown(found), ending) == (addresses(1), "")


@pytest.mark.parametrize(
    ("body", "problem"),
    [(zstandard.compress(page(1))[:-9], "broken body (zstd cut off)"), (b"no frame", "broken body (zstd: ")],
)
def test_broken_zstd_is_one_dropped_page(tmp_path: Path, body: bytes, problem: str) -> None:
    found, _ = read(tmp_path, zipped(record(http(body, Content_Encoding="zstd")), good(2)))
    assert shown(found) == ["malformed record", *addresses(2)]
    assert isinstance(found[0], Unreadable)
    assert found[0].problem.startswith(problem)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_one_dropped_page(tmp_path: Path, coding: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli}
    packers["zstd"] = zstandard.compress
    pack = packers[coding]
    found, _ = read(tmp_path, zipped(record(http(pack(b" " * (40 << 20)), Content_Encoding=coding)), good(1)))
    assert shown(found) == ["page out of bounds", *addresses(1)]


def test_each_type_of_record_is_a_page_or_is_counted(tmp_path: Path) -> None:
    records = [
        record(b"software: x", kind="warcinfo", Content_Type="application/warc-fields"),
        record(page(1), kind="resource", url="http://a.co.za/1", Content_Type="text/html; charset=utf-8"),
        record(b"%PDF", kind="resource", Content_Type="application/pdf"),
        record(b"HTTP/1.1 304\r\n\r\n", kind="revisit"),
        record(b"rest", kind="continuation"),
        record(
            "R\u00e9port".encode(), kind="conversion", url="http://a.co.za/2", Content_Type="text/plain",
            WARC_Identified_Content_Language="eng,fra",
        ),
        record(b"x", kind="conversion", Content_Type="application/json"),
        good(3),
    ]  # fmt: skip
    found, ending = read(tmp_path, zipped(*records), "a.warc.gz")
    assert ending == ""
    reasons = ["not a web page", "revisit record", "continuation record"]
    assert shown(found) == [*addresses(1), *reasons, *addresses(2), "not a web page", *addresses(3)]
    text = found[4]
    assert isinstance(text, Record)
    assert (text.text, text.title, text.date, text.language) == ("R\u00e9port", "", "", "eng")


def test_an_archive_of_records_about_pages_is_refused_with_their_numbers(tmp_path: Path) -> None:
    about = [record(b"software: x", kind="warcinfo"), *[record(b"{}", kind="metadata")] * 3]
    assert read(tmp_path, zipped(*about)) == ([], ": holds no page, only records about pages (3 metadata, 1 warcinfo)")


def test_plain_texts_of_common_crawl_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.warc.wet.gz").write_bytes(zipped(record(b"Text", kind="conversion", Content_Type="text/plain")))
    assert [
        item.text for item in read_files([str(tmp_path / "a.warc.wet.gz")], Columns()) if isinstance(item, Record)
    ] == ["Text"]


@pytest.mark.parametrize("packing", ["plain", "a member a record", "one member"])
@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (record(http(page(9)), length=100), "a WARC record whose length is wrong"),
        (record(http(page(9)), length=len(http(page(9))) + 900), "a WARC record whose length is wrong"),
        (record(http(page(9)), length="-5"), "a WARC record without its length or type"),
        (record(http(page(9))).replace(b"Content-Length", b"Content-Size"), "a WARC record without its length or type"),
        (record(http(page(9)), kind="respmnse"), "a WARC record without its length or type"),
        (record(http(page(9))).replace(b"WARC-Type", b"WARC-Tune"), "a WARC record without its length or type"),
        (b"WARC/1.0\r\nWARC-Type: response\r\n" + b"x" * 70_000 + b"\r\n", "a WARC header without an end"),
        (b"some line\r\nother line\r\n" * 40, "bytes that are no WARC record"),
    ],
)
def test_reading_goes_on_behind_a_malformed_record(tmp_path: Path, packing: str, broken: bytes, problem: str) -> None:
    name, pack = PACKINGS[packing]
    found, ending = read(tmp_path, pack(good(1), broken, good(2), good(3)), name)
    assert ending == ""
    assert shown(found) == [*addresses(1), "malformed record", *addresses(2, 3)]
    dropped = found[1]
    assert isinstance(dropped, Unreadable)
    assert dropped.problem == problem
    assert dropped.raw.rstrip() == broken.decode().rstrip()


def test_reading_goes_on_behind_a_broken_gzip_member(tmp_path: Path) -> None:
    members = [gzip.compress(good(number), mtime=0) for number in range(4)]
    at = len(members[1]) // 2
    bad_data = members[1][:at] + bytes(byte ^ 0x5A for byte in members[1][at : at + 40]) + members[1][at + 40 :]
    bad_sum = members[1][:-6] + b"\0\0" + members[1][-4:]
    for middle in (bad_data, bad_sum, b"no gzip at all"):
        found, ending = read(tmp_path, members[0] + middle + members[2] + members[3])
        assert ending == ""
        assert shown(found) == [*addresses(0), "malformed record", *addresses(2, 3)]
        assert "gzip" in getattr(found[1], "problem", "")
        assert "passed over until byte" in getattr(found[1], "problem", "")


def test_zeros_between_members_are_no_damage(tmp_path: Path) -> None:
    found, ending = read(tmp_path, zipped(good(1)) + b"\0" * 1000 + zipped(good(2)) + b"\0\0")
    assert (shown(found), ending) == (addresses(1, 2), "")


def test_a_header_without_an_end_does_not_swallow_the_next_record(tmp_path: Path) -> None:
    found, ending = read(tmp_path, good(1) + b"WARC/1.0\r\nWARC-Type: request\r\n" + good(2), "a.warc")
    assert (shown(found), ending) == ([*addresses(1), "malformed record", *addresses(2)], "")


def test_headers_without_ends_take_time_in_proportion_to_their_number(tmp_path: Path) -> None:
    began = time.process_time()
    found, ending = read(tmp_path, b"WARC/1.0\r\n" * 40_000 + good(1), "a.warc")
    assert time.process_time() - began < 10  # searching the window again for each of them took 100 s
    assert (shown(found), ending) == (["malformed record"] * 40_000 + addresses(1), "")


@pytest.mark.parametrize("budget", [0, 300, 1 << 20])
def test_wrong_lengths_are_searched_as_long_as_the_budget_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(module, "REREAD", budget)
    data = b"".join(record(b"x", length=200 - number, url=f"http://a.za/{number}") for number in range(20)) + good(1)
    found, ending = read(tmp_path, data, "a.warc")
    assert ending == ""
    raw = "".join(item.raw for item in found if isinstance(item, Unreadable)).encode()
    if isinstance(found[-1], Record):
        assert shown(found)[-1:] == addresses(1)
        raw += good(1)
    assert raw.replace(b"\r\n", b"") == data.replace(b"\r\n", b"")
    assert isinstance(found[-1], Record) or budget < 1 << 20


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_cut_off_file_names_the_place(tmp_path: Path, packing: str) -> None:
    name, pack = PACKINGS[packing]
    whole = pack(*(good(number) for number in range(4)))
    found, ending = read(tmp_path, whole[:-60], name)
    assert shown(found) == addresses(0, 1, 2, 3)[: len(found)]
    if packing == "zstd":
        assert "cannot be read on after byte" in ending
    else:
        assert ending.startswith(
            f": cut off at byte {len(whole) - 60:,}, in record {len(found) + 1} which begins at byte"
        )
        assert ending.endswith("; fetch it again")
    if packing in ("plain", "a member a record"):
        assert len(found) == 3


@pytest.mark.parametrize(("name", "data"), [("a.warc", b"<html>\n" * 20), ("a.warc.gz", b"<html>\n" * 20)])
def test_other_files_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    for bytes_ in (data, gzip.compress(data)):
        found, ending = read(tmp_path, bytes_, name)
        assert (found, ending) == ([], r": is no WARC file; it begins with '<html>\n<html>\n<html>\n<html>\n<h'")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.warc: no such file$"):
        list(Warc().read((str(tmp_path / "none.warc"),), Columns()))


def test_long_records_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_RECORD", 100_000)
    film = record(http(b"\0" * 300_000, kind="video/mp4"))
    long = record(http(page(7) + b" " * 300_000))
    for packing in ("plain", "a member a record", "one member"):
        name, pack = PACKINGS[packing]
        found, ending = read(tmp_path, pack(good(1), film, long, good(2)), name)
        assert ending == ""
        assert shown(found) == [*addresses(1), "not a web page", "page out of bounds", *addresses(2)]
        assert all(len(item.raw) < 80_000 for item in found if isinstance(item, Unreadable))


def test_a_length_beyond_the_file_is_a_cut(tmp_path: Path) -> None:
    found, ending = read(tmp_path, good(1) + record(http(page(2)), length=10**17), "a.warc")
    assert shown(found) == addresses(1)
    assert ", in record 2 which begins at byte" in ending


class Pipe(io.RawIOBase):
    """A stream that can neither seek nor tell, and hands out a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 37))


def through(monkeypatch: pytest.MonkeyPatch, stream: Any) -> list[Record | Unreadable]:
    @contextmanager
    def opened(path: str) -> Iterator[Any]:
        yield stream

    monkeypatch.setattr(module, "open_raw", opened)
    return list(Warc().read(("https://host/a.warc.gz",), Columns()))


def test_streams_that_cannot_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(through(monkeypatch, Pipe(zipped(good(1), good(2))))) == addresses(1, 2)
    assert shown(through(monkeypatch, Pipe(good(1) + b"junk\r\n" + good(2)))) == [
        *addresses(1),
        "malformed record",
        *addresses(2),
    ]


def test_a_remote_archive() -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://crawl/a.warc.gz", "wb") as file:
        file.write(zipped(good(1), good(2)))
    found = list(Warc().read(("memory://crawl/a.warc.gz",), Columns()))
    assert shown(found) == addresses(1, 2)
    assert [found[0].source, found[1].source] == ["memory://crawl/a.warc.gz:1", "memory://crawl/a.warc.gz:2"]


def test_a_connection_that_breaks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Pipe):
        def read(self, size: int = -1) -> bytes:
            if self._data.tell() > 300:
                raise ConnectionResetError("reset by peer")
            return super().read(size)

    with pytest.raises(UserError, match=r"a\.warc\.gz: cannot be read on after byte \d+ \(reset by peer\)"):
        through(monkeypatch, Broken(zipped(good(1), good(2))))


FOUR = [good(1), record(b"GET /", kind="request"), good(2), good(3)]
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZ
@given(packing=st.sampled_from(sorted(PACKINGS)), share=st.floats(0, 1))
def test_a_truncated_file_gives_a_prefix(tmp_path: Path, packing: str, share: float) -> None:
    name, pack = PACKINGS[packing]
    whole = pack(*FOUR)
    full, _ = read(tmp_path, whole, name)
    cut = int(share * len(whole))
    found, ending = read(tmp_path, whole[:cut], name)
    assert found == full[: len(found)]
    # without a message nothing but blank lines and whole records may be missing
    boundaries = {0, len(whole)} | {len(pack(*FOUR[:count])) for count in range(4)}
    blank = packing == "plain" and any(0 <= end - cut <= 4 for end in boundaries)
    assert (
        ending or blank or (cut in boundaries and packing in ("plain", "a member a record")) or cut in (0, len(whole))
    )


@FUZZ
@given(
    packing=st.sampled_from(sorted(PACKINGS)),
    flips=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(1, 255)), min_size=1, max_size=8),
)
def test_flipped_bytes_never_crash_a_reader(tmp_path: Path, packing: str, flips: list[tuple[float, int]]) -> None:
    name, pack = PACKINGS[packing]
    data = bytearray(pack(*FOUR))
    for share, mask in flips:
        data[int(share * len(data))] ^= mask
    found, ending = read(tmp_path, bytes(data), name)
    assert all(isinstance(item, Record | Unreadable) for item in found)
    if packing == "a member a record" and not ending:  # the checksums tell: what is read is what was written
        texts = {item.text for item in read(tmp_path, pack(*FOUR), name)[0] if isinstance(item, Record)}
        assert {item.text for item in found if isinstance(item, Record)} <= texts


@FUZZ
@given(junk=st.binary(max_size=300), packed=st.booleans())
def test_any_bytes_between_records_are_counted(tmp_path: Path, junk: bytes, packed: bool) -> None:
    pack = gzip.compress if packed else bytes
    found, ending = read(tmp_path, pack(good(1) + junk + b"\r\n" + good(2)))
    assert ending == ""
    assert shown(found) in (
        addresses(1, 2) if not junk.strip(b"\r\n") else [*addresses(1), "malformed record", *addresses(2)],
    )
