"""NOW: the News on the Web corpus as english-corpora.org delivers it, in its linear text format.

Monthly text files (`10-01-us.txt`, shards `19-10-us1.txt`) have a text after every `@@ID`; the sources files
(`sources-16-11.txt`, `now-sources-2020.txt`, `now_sources_pt1.txt`) know the date, country and URL of an ID; plain,
compressed or in zip files. An ID that occurs in two countries or months is not noticed here. A row without text is
reported only where its date and country say in which text file it should have stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO, StringIO
from typing import ClassVar, NamedTuple

from dateline.corpus.readers.files import MAX_LINE, binary_lines, kept
from dateline.corpus.readers.kinds.zips import members_of, open_within
from dateline.corpus.readers.reader import Columns, Reader, Record, Unreadable
from dateline.errors import UserError

NO_ROW = "not in the sources files"
NO_TEXT = "no text for this sources row"
TWICE = "id occurs twice"
MAX_ROW = 1 << 16  # bytes; a longer line of a sources file is no row
MAX_HEADINGS = 10  # lines above the first row of a sources file that may be names of columns
ABOVE = -1  # stands for the ID of what comes before the first one in a text file
_EXPECTED = "NOW's texts are called like 10-01-us.txt or 19-10-us1.txt, its sources like sources-16-11.txt"
_COLUMNS = "id, words, date, country, website, URL, title"
_TEXT_NAME = re.compile(r"(?:(?:now|text)[-_])*(?:20)?(\d\d)[-_](0[1-9]|1[0-2])[-_]([a-z]{2})[-_]?(\d{0,3})")
_SOURCES_TIME = re.compile(r"\D*sources?[-_](?:(?:20)?(\d\d)[-_](0[1-9]|1[0-2])|20(\d\d))")
_COMPANION = re.compile(r"lexicon|readme|licen[cs]e|\.(?:pdf|html?|docx?|xlsx?)$")
"""Members of a zip file that come with the texts and hold none."""
_MARK = re.compile(rb"\s*(@@|##)(\d{1,18})(?![^\s<])")
_HEADLINE = re.compile(r"\s*<h>(.*?)(?:</h>|(?=<[hp]>)|\n)", re.IGNORECASE)
"""The headline ends with the next tag or the line; one that nothing follows is taken for the text."""
_DATE = re.compile(r"\s*(20)?(\d\d)([-/.])(\d{1,2})\3(\d{1,2})(?!\d)")
_ADDRESS = re.compile(r"(?<!\S)https?://\S+", re.IGNORECASE)
_WINDOWS = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
"""From Latin-1 to Windows-1252, whose quotes and dashes stand where Latin-1 has control characters."""


class NewsOnTheWeb(Reader):
    """NOW's text files, joined to its sources files by ID."""

    extensions: ClassVar[tuple[str, ...]] = (".txt", ".zip")

    def expects(self, path: str) -> bool:
        """Says whether a file is called as NOW's are; a README.txt beside them is passed over."""
        return ".txt" not in _last(path) or _name_of(path) is not None

    def units(self, files: Sequence[str]) -> list[tuple[str, ...]]:
        """Returns the text files of each month and country with the sources files that can hold their rows.

        After these comes each sources file alone, for the lines in it that are no row. A member of a zip file is
        written `FILE.zip!MEMBER`. A sources file whose name says a year or a month goes with no other.

        Raises:
            UserError: where a file is neither, a zip file cannot be opened, or texts or sources are missing altogether.
        """
        texts: dict[tuple[str, str], list[tuple[int, str]]] = {}
        sources: list[tuple[str, str]] = []
        for path in (path for file in files for path in _within(file)):
            name = _name_of(path)
            if name is None:
                raise UserError(f"{path}: neither texts nor sources by its name; {_EXPECTED}; rename or remove it")
            if name.country:
                texts.setdefault((name.time, name.country), []).append((name.shard, path))
            else:
                sources.append((path, name.time))
        if not texts or not sources:
            missing = "sources, which hold the URLs and countries," if texts else "texts"
            raise UserError(f"{', '.join(files[:1])}: no {missing} among {len(files):,} files of NOW; {_EXPECTED}")
        sources.sort()
        units = []
        for time, country in sorted(texts):
            paths = [path for _, path in sorted(texts[time, country])]
            units.append((*paths, *(path for path, covered in sources if time.startswith(covered))))
        return units + [(path,) for path, _ in sources]

    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields the records of one month and country: rows that occur twice, then the texts, then rows without one.

        The texts are gone through twice, first for their IDs alone, so that of the sources files only rows of this
        unit are held in memory. A file that is damaged is read as far as it goes, and so are the others.

        Raises:
            UserError: at the end, naming the files that are damaged, or are not what their names say.
        """
        names = {path: _name_of(path) for path in files}
        texts = {path: name for path, name in names.items() if name is not None and name.country}
        sources = [path for path in names if path not in texts]
        if texts:
            yield from _joined(list(texts), sources, next(iter(texts.values())))
        else:
            yield from (stray for path in sources for stray in _strays(path))


class _Name(NamedTuple):
    """What the name of a file says: `2019-10`, `2019` or nothing; for texts the country, in two letters; the shard."""

    time: str
    country: str
    shard: int


def _joined(texts: list[str], sources: list[str], unit: _Name) -> Iterator[Record | Unreadable]:
    damage: list[str] = []
    waiting: set[int] = set()
    for path in texts:
        with suppress(UserError):  # what is wrong with a text file is said below, when the texts themselves are read
            waiting.update(number for _, number, _ in _marked_lines(path) if number != ABOVE)
    rows: dict[int, tuple[str, int, bytes]] = {}
    for path in sources:
        try:
            for at, line in _lines(path):
                fields = _fields(line)
                if fields is None or not ((number := int(fields[0])) in waiting or _belongs(fields, unit)):
                    continue
                if number in rows:
                    there = "{}:{}".format(*rows[number])
                    yield Unreadable(f"{path}:{at}", f"id {number} has a row already ({there})", _raw(line), TWICE)
                else:
                    rows[number] = path, at, line
        except UserError as error:
            damage.append(str(error))
    for path in texts:
        try:
            for number, at, content in _texts(path):
                source, row = f"{path}:{at}", rows.pop(number, None)
                if len(content) >= MAX_LINE:
                    yield Unreadable(source, "longer than 64 MiB", _raw(content))
                elif number == ABOVE:
                    yield Unreadable(source, "stands above the first @@ID", _raw(content))
                elif content.count(b"\t") > content.count(b" ") + 20:
                    yield Unreadable(source, "words in columns (word, lemma, PoS), not a linear text", _raw(content))
                elif number not in waiting:
                    yield Unreadable(source, f"id {number} has a text already", _raw(content), TWICE)
                elif row is None:
                    yield Unreadable(source, f"id {number} has no row", _raw(content), NO_ROW)
                else:
                    yield _record(content, row[2], source, unit)
                waiting.discard(number)
        except UserError as error:
            damage.append(str(error))
    for path, at, line in rows.values():
        yield Unreadable(f"{path}:{at}", f"no text of {unit.time} and {unit.country} has this id", _raw(line), NO_TEXT)
    if damage:
        raise UserError("; ".join(damage))


def _strays(path: str) -> Iterator[Unreadable]:
    """Yields the lines of a sources file that are neither rows nor the names of columns above them."""
    rows = others = 0
    for at, line in _lines(path):
        if _fields(line) is not None:
            rows += 1
        elif line.strip(b" \t\r\n-_=+|*"):
            others += 1
            if rows or others > MAX_HEADINGS or line.lstrip()[:1].isdigit():
                yield Unreadable(f"{path}:{at}", f"not a sources row ({_COLUMNS})", _raw(line))
    if others and not rows:
        raise UserError(f"{path}: not one of its {others:,} lines is a sources row ({_COLUMNS})")


def _record(content: bytearray, line: bytes, source: str, unit: _Name) -> Record:
    body = _decoded(_MARK.sub(b"", content, count=1))
    headline = _HEADLINE.match(body)
    row = [part.strip() for part in _decoded(line).split("\t")]
    if len(row) < 4:
        row = _decoded(line).split(None, 4)
    dated = _DATE.match(row[2])
    address, title = _address_and_title(row[4:])
    return Record(
        url=address,
        title=title or (headline[1].strip() if headline else ""),
        text=(body[headline.end() :] if headline else body).strip(),
        date=f"20{row[2]}" if dated and not dated[1] else row[2],
        country=row[3] or unit.country,
        source=source,
    )


def _address_and_title(parts: Sequence[str]) -> tuple[str, str]:
    """Takes apart what follows the country: a website, which may hold blanks, the URL and the title."""
    if len(parts) > 1:
        place = next((place for place in (1, *range(len(parts))) if _ADDRESS.match(parts[place])), 1)
        return parts[place], " ".join(parts[place + 1 :]).strip()
    found = _ADDRESS.search(parts[0]) if parts else None
    return (found[0], parts[0][found.end() :].strip()) if found else ("", "")


def _fields(line: bytes) -> list[bytes] | None:
    """Returns a row as ID, words, date, country and the rest, or None for any other line."""
    if len(line) > MAX_ROW:
        return None
    fields = line.split(b"\t", 4)
    if len(fields) < 4:
        fields = line.split(None, 4)
        if len(fields) < 4 or not fields[1].isdigit() or not _DATE.match(fields[2].decode("latin-1")):
            return None
    number = fields[0].strip()
    return fields if number.isdigit() and len(number) <= 18 else None


def _belongs(fields: list[bytes], unit: _Name) -> bool:
    """Says whether a row's country and month are those of a unit."""
    country = fields[3].strip().lower().decode("latin-1")
    if country != unit.country and (country, unit.country) != ("uk", "gb"):
        return False
    found = _DATE.match(fields[2].decode("latin-1"))
    return found is not None and f"20{found[2]}-{int(found[4]):02}" == unit.time


def _texts(path: str) -> Iterator[tuple[int, int, bytearray]]:
    """Yields ID, line number and bytes (up to `MAX_LINE`) of what stands above the first mark and from each on."""
    text: tuple[int, int, bytearray] | None = None
    try:
        for at, number, line in _marked_lines(path):
            if number != ABOVE or (text is None and line.strip()):
                if text is not None:
                    yield text
                text = number, at, bytearray()
            if text is not None:
                text[2].extend(line[: MAX_LINE - len(text[2])])
    except UserError:
        if text is not None:
            yield text  # whole, unless the damage is in its later lines
        raise
    if text is not None:
        yield text


def _marked_lines(path: str) -> Iterator[tuple[int, int, bytes]]:
    """Yields line number, the ID that begins there or `ABOVE`, and the line; only marks like the first one count."""
    mark, filled = b"", False
    for at, line in _lines(path):
        found = _MARK.match(line)
        if found and found[1] == (mark or found[1]):
            mark = found[1]
            yield at, int(found[2]), line
        else:
            filled = filled or not line.isspace()
            yield at, ABOVE, line
    if filled and not mark:
        raise UserError(f"{path}: no line in it starts with @@ and a number; is it NOW's linear text format?")


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    with open_within(path) as file:
        for at, line in binary_lines(file, path):
            yield at, line.removeprefix(b"\xef\xbb\xbf") if at == 1 else line


def _decoded(content: bytes) -> str:
    """Decodes line by line: UTF-8 where a line is that to the last byte, else Windows-1252."""
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8")
    whole = StringIO()
    for line in BytesIO(content):
        try:
            whole.write(line.decode("utf-8"))
        except UnicodeDecodeError:
            whole.write(line.decode("latin-1").translate(_WINDOWS))
    return whole.getvalue()


def _raw(content: bytes | bytearray) -> str:
    return kept(bytes(content.rstrip(b"\r\n")))


def _name_of(path: str) -> _Name | None:
    """Returns what the name of a file says, or None where it is none of NOW's."""
    stem, dot, ending = _last(path).partition(".txt")
    if not dot or ending not in ("", ".gz", ".zst"):
        return None
    if found := _TEXT_NAME.fullmatch(stem):
        return _Name(f"20{found[1]}-{found[2]}", found[3], int(found[4] or 0))
    if found := _SOURCES_TIME.fullmatch(stem):
        return _Name(f"20{found[3]}" if found[3] else f"20{found[1]}-{found[2]}", "", 0)
    return _Name("", "", 0) if "source" in stem else None


def _within(path: str) -> list[str]:
    """Returns the path, or the members of a zip file that are not known to hold something else."""
    if not path.lower().endswith((".zip", ".zip.gz", ".zip.zst")):
        return [path]
    inside = [member for member in members_of(path) if not _COMPANION.search(_last(member))]
    if not inside:
        raise UserError(f"{path}: no text file in it; {_EXPECTED}")
    return inside


def _last(path: str) -> str:
    """Returns the name of a file or member without its folders, in lower case."""
    return re.split(r"[/\\!]", path.lower())[-1]
