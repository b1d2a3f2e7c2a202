import bz2
import gzip
import io
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from dateline.corpus.readers import open_file
from dateline.corpus.readers.files import binary_lines, damage_named, is_utf8, kept
from dateline.errors import UserError


@given(st.binary(max_size=200))
def test_lines_are_the_file_cut_after_each_line_feed(data: bytes) -> None:
    found = list(binary_lines(io.BytesIO(data), "f"))
    assert b"".join(line for _, line in found) == data
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert all(line.endswith(b"\n") for _, line in found[:-1])


@given(st.binary(max_size=100))
def test_what_is_kept_can_be_had_back_byte_for_byte(data: bytes) -> None:
    text = kept(data)
    assert text.encode("utf-8", "surrogateescape") == data
    assert is_utf8(text) == (data.decode("utf-8", "ignore").encode() == data)


def test_of_a_long_line_the_beginning_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dateline.corpus.readers.files.MAX_LINE", 10)
    monkeypatch.setattr("dateline.corpus.readers.files.KEPT_OF_LONG", 4)
    found = list(binary_lines(io.BytesIO(b"a\n" + b"x" * 95 + b"\nb\n" + b"y" * 9 + b"\nc"), "f"))
    assert found == [(1, b"a\n"), (2, b"x" * 10), (3, b"b\n"), (4, b"y" * 9 + b"\n"), (5, b"c")]
    assert kept(b"0123456789") == "0123"


def damaged(name: str, data: bytes, folder: Path) -> list[bytes]:
    (folder / name).write_bytes(data)
    found: list[bytes] = []
    with open_file(str(folder / name)) as file, pytest.raises(UserError, match=r"^f:\d+: ") as raised:
        found.extend(line for _, line in binary_lines(file, "f"))
    assert "\n" not in str(raised.value)
    return [str(raised.value).encode()]


@pytest.mark.parametrize(("name", "pack"), [("f.gz", gzip.compress), ("f.zst", zstandard.compress)])
def test_a_file_that_breaks_off_says_where(tmp_path: Path, name: str, pack: object) -> None:
    assert callable(pack)
    whole = pack(b"".join(b"line %d\n" % (number * 7919 % 10007) for number in range(20000)))
    (message,) = damaged(name, whole[: len(whole) // 2], tmp_path)
    assert message.endswith(b": the compressed file is cut off here; fetch it again")
    middle = bytearray(whole)
    middle[len(whole) // 2 : len(whole) // 2 + 50] = b"\xff" * 50
    (message,) = damaged(name, bytes(middle), tmp_path)
    assert b"cannot be" in message or b"cut off" in message


def test_a_file_of_another_kind_cannot_be_decompressed(tmp_path: Path) -> None:
    (message,) = damaged("f.gz", bz2.compress(b"x"), tmp_path)
    assert message.startswith(b"f:0: cannot be decompressed (Not a gzipped file")


def test_other_errors_of_reading_are_one_line() -> None:
    with pytest.raises(UserError, match=r"^f:3: cannot be read \(the disk is gone\)$"), damage_named("f:3"):
        raise OSError("the disk is gone")
