import random
import zipfile
from pathlib import Path

import pytest

from dateline.corpus.readers.kinds.zips import members_of, open_within
from dateline.errors import UserError


def packed(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def encrypted(path: Path) -> str:
    """A zip file whose only member says that it is encrypted."""
    whole = bytearray(Path(packed(path, {"a.txt": b"secret"}, zipfile.ZIP_STORED)).read_bytes())
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    return str(path)


def content(path: str) -> bytes:
    with open_within(path) as file:
        return file.read()


def test_members_are_files_of_their_own(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "A.ZIP", {"b/2.txt": b"two", "b/": b"", "1.txt": b"one", "__MACOSX/._1.txt": b"", ".x": b""}
    )
    assert members_of(path) == [f"{path}!1.txt", f"{path}!b/2.txt"]
    assert [content(member) for member in members_of(path)] == [b"one", b"two"]


def test_other_files_are_opened_as_ever(tmp_path: Path) -> None:
    (tmp_path / "a!b.txt").write_bytes(b"plain")
    assert content(str(tmp_path / "a!b.txt")) == b"plain"


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = encrypted(tmp_path / "a.zip")
    with pytest.raises(UserError, match=r"a\.zip!a\.txt: is encrypted; unpack the zip file with its password"):
        members_of(path)
    with pytest.raises(UserError, match=r"a\.zip!a\.txt: cannot be unpacked \(.*password"):
        content(f"{path}!a.txt")


def test_what_is_no_zip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"a\.zip: no zip file that can be read \(File is not a zip file\); fetch it"):
        members_of(str(path))
    with pytest.raises(UserError, match=r"b\.zip: no such file"):
        members_of(str(tmp_path / "b.zip"))
    with pytest.raises(UserError, match=r"z\.zip!c\.txt: cannot be unpacked \(.*no item named 'c\.txt'"):
        content(packed(tmp_path / "z.zip", {"a.txt": b""}) + "!c.txt")


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "z.zip", {"a.txt": b"a"})
    Path(path).write_bytes(Path(path).read_bytes().replace(b"a.txt", b"\0.txt"))  # a name ends at its first zero
    with pytest.raises(UserError, match=r"z\.zip: no zip file that can be read \(string index out of range\)"):
        members_of(path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.txt", "a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("1.txt", "b")
    with pytest.raises(UserError, match=r"a\.zip: holds two files of the name 1\.txt"):
        members_of(str(tmp_path / "a.zip"))


def test_damage_is_told_with_its_place(tmp_path: Path) -> None:
    noise = random.Random(0).randbytes(1 << 20)
    path = packed(tmp_path / "a.zip", {"1.txt": noise}, zipfile.ZIP_STORED)
    whole = bytearray(Path(path).read_bytes())
    whole[3 << 18] ^= 1
    Path(path).write_bytes(whole)
    with open_within(f"{path}!1.txt") as file:
        assert file.read(1 << 18) == noise[: 1 << 18]
        with pytest.raises(UserError, match=r"!1\.txt: damaged after [\d,]+ bytes \(Bad CRC"):
            file.read()


def test_hostile_directories_end_in_one_line(tmp_path: Path) -> None:
    """Bytes of a good zip file are changed at random: every outcome is content or `UserError`."""
    good = Path(packed(tmp_path / "good.zip", {"1.txt": b"@@1 a b c\n" * 50, "2.txt": b"d"})).read_bytes()
    chance = random.Random(1)
    path = tmp_path / "bad.zip"
    refusals = []
    for _ in range(2000):
        whole = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            whole[chance.randrange(len(whole))] = chance.randrange(256)
        path.write_bytes(whole[: chance.choice((len(whole), chance.randrange(len(whole))))])
        try:
            for member in members_of(str(path)):
                content(member)
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) > 1000
    assert all(message.startswith(str(path)) for message in refusals)
