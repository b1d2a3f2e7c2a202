"""The contract of a reader: which columns of a file it reads as which field, and what it yields.

It yields what stands in a file, whole and uncleaned, or says what is wrong.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

from dateline.config import Section
from dateline.errors import UserError

FIELDS = ("url", "title", "text", "date", "country", "language")

UNCERTAIN = ("source", "sourcedomain", "hostname", "domain")
"""Columns that are taken for the address only where they hold one; of an article's domain its place can be told."""
GUESSES: Mapping[str, tuple[str, ...]] = {
    "url": (
        *("url", "link", "articleurl", "articlelink", "weburl", "pageurl", "permalink", "respondedurl", "requestedurl"),
        *UNCERTAIN,
    ),
    "title": ("title", "headline", "articletitle", "webtitle"),
    "text": (
        *("text", "content", "body", "article", "bodytext", "fulltext", "articletext", "articlebody", "maintext"),
        *("plaintext", "articlecontent", "bodylines", "contenthtml", "contenttext"),
    ),
    "date": (
        *("date", "published", "publishdate", "publisheddate", "publishedat", "pubdate", "datepublished"),
        *("datepublish", "publicationdate", "publishingdate", "webpublicationdate"),
        *("articledate", "timeut", "time"),
    ),
    "country": ("country", "countrycode"),
    "language": ("language", "lang", "inlanguage"),
}
"""Names that are recognised without a mapping, best first; case, `_`, `-` and blanks do not count."""
CONTAINERS = ("metadata", "meta", "html", "_source", "article", "fields")
"""Columns whose inner ones are guessed, too, after all others: of datatrove, Dolma, fundus, Elasticsearch, Guardian."""
TEXT_KEYS = ("rendered", "main", "summary", "headline", "text", "paragraphs", "sections")
"""Where a structure (fundus, WordPress) holds the strings of a text or headline, in the order of reading."""
DEEPEST = 4
MAX_DEPTH = 8
MOST_INSIDE = 1000
"""Levels of columns inside others that have names, levels of a structured text, columns inside one another."""


class Columns(Section):
    """Which column of the files holds which field; what is left out is guessed from usual names.

    Of a column inside another, both are named: `metadata.url`.
    """

    url: str | None = None
    """Address of the article (guessed: url, link)."""
    title: str | None = None
    """Headline (guessed: title, headline)."""
    text: str | None = None
    """Body (guessed: text, content, body, article, body_text)."""
    date: str | None = None
    """Day or moment of publication (guessed: date, published, publish_date, published_at, time)."""
    country: str | None = None
    """Declared country, as a code or a name (guessed: country, country_code)."""
    language: str | None = None
    """What the source says of the language; shown, never trusted (guessed: language, lang, inLanguage)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One article as it stood in a file: strings, nothing cleaned."""

    url: str
    title: str
    text: str
    date: str
    country: str
    source: str
    """`file:line` for text files, `file:row` for Parquet, both from 1."""
    language: str = ""
    """What the page or row says of its language (`en-GB`); shown to people, never trusted."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One piece of a file that is no record: it is counted and kept for people to look at, never guessed at."""

    source: str
    problem: str
    """What is wrong, for people: `not JSON: Expecting value: line 1 column 1 (char 0)`."""
    raw: str
    """The piece itself, whole, up to 64 MiB; a byte that is not UTF-8 is a lone surrogate (`surrogateescape`)."""
    reason: str = "unreadable"
    """The reason under which it is counted, a few plain words: `unreadable`, `not in the sources files`."""


def choose_columns(
    names: Iterable[str], columns: Columns, path: str, rows: Sequence[Mapping[str, Any]] = ()
) -> dict[str, str]:
    """Returns field -> column for the columns that a file has.

    Of several columns that may be guessed for a field, the first that has a value in one of the rows is taken, or the
    first where none has.

    Args:
        names: of the columns; of one inside another with the names of both (`metadata.url`).
        columns: what the user says.
        path: of the file, for messages.
        rows: the first ones of the file.

    Raises:
        UserError: where a mapped column does not exist, or no column can be taken for the text.
    """
    present = list(dict.fromkeys(names))
    mapped = {field: name for field in FIELDS if (name := getattr(columns, field)) is not None}
    chosen: dict[str, str] = {}
    for field, name in mapped.items():
        if name not in present:
            raise UserError(
                f"{path}: there is no column '{name}' for the {field}; columns there: {_listed(present)}; "
                f"write `columns: {{{field}: NAME}}` with one of them"
            )
        chosen[field] = name
    for field, options in guessed_columns(present, columns).items():
        filled = [name for name in options if any(_is_filled(cell(row, name), field) for row in rows)]
        if field == "url":
            filled = [name for name in filled if not _is_uncertain(name) or _holds_address(name, rows)]
            options = [name for name in options if not _is_uncertain(name)]
        if found := filled or options:
            chosen[field] = found[0]
    if "text" not in chosen:
        raise UserError(
            f"{path}: no column looks like the text of an article; columns there: {_listed(present)}; "
            "write `columns: {text: NAME}` with one of them"
        )
    return {field: chosen[field] for field in FIELDS if field in chosen}


def guessed_columns(names: Sequence[str], columns: Columns) -> dict[str, list[str]]:
    """Returns for each field that is not mapped the columns that may be taken for it, best first."""
    mapped = {name for field in FIELDS if (name := getattr(columns, field)) is not None}
    by_key: dict[str, str] = {}
    for name in names:
        if name not in mapped:
            by_key.setdefault(_key(name), name)
    found = {}
    for field in FIELDS:
        if getattr(columns, field) is None:
            keys = (f"{around}{guess}" for around in _AROUND for guess in GUESSES[field])
            options = [by_key[key] for key in keys if key in by_key and not _is_of_a_crawl(field, key, by_key)]
            if options:
                found[field] = options
    return found


def _is_uncertain(name: str) -> bool:
    return _key(name).rpartition(".")[2] in UNCERTAIN


def _holds_address(name: str, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Says whether every value of a column is an address or a domain."""
    values = [_string(cell(row, name), " ").strip() for row in rows]
    return all(_ADDRESS.fullmatch(value) for value in values if value)


def _is_of_a_crawl(field: str, key: str, by_key: Mapping[str, str]) -> bool:
    """Says whether a date is the time of a fetch: FineWeb and its like name the crawl (`dump`) beside it."""
    return field == "date" and f"{key.rpartition('.')[0]}.dump".lstrip(".") in by_key


def names_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Returns the names of the columns of some rows, and behind them of those inside others (`metadata.url`)."""
    names: list[dict[str, None]] = [{} for _ in range(DEEPEST)]
    for row in rows:
        _gather(row, "", names)
    return [name for level in names for name in level]


def _gather(value: Any, around: str, names: Sequence[dict[str, None]]) -> None:
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, Mapping)), None) if around else None
    if isinstance(value, Mapping) and names and len(value) <= MOST_INSIDE:
        for name, inside in value.items():
            names[0][f"{around}{name}"] = None
            _gather(inside, f"{around}{name}.", names[1:])


def cell(row: Mapping[str, Any], name: str) -> Any:
    """Returns what stands in a column of a row; of lists on the way to an inner one, the values of all items.

    Example:
        >>> cell({"sections": [{"paragraphs": ["a", "b"]}, {"paragraphs": ["c"]}]}, "sections.paragraphs")
        ['a', 'b', 'c']
    """
    if name in row or "." not in name:
        return row.get(name)
    value: Any = row
    for part in name.split("."):
        if isinstance(value, list):
            values = [item.get(part) for item in value if isinstance(item, Mapping)]
            value = [item for held in values for item in (held if isinstance(held, list) else [held])]
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_filled(value: Any, field: str) -> bool:
    if field in ("text", "title"):
        value = _plain(value)
    return bool(_string(_extended(value) if field == "date" else value, " ").strip())


def _extended(value: Any) -> Any:
    """Returns the date inside of MongoDB's JSON: `{"$date": {"$numberLong": "1707127200000"}}`."""
    for key in ("$date", "$numberLong"):
        value = value.get(key, value) if isinstance(value, Mapping) else value
    return value


def _plain(value: Any, *, deep: int = 0) -> Any:
    """Returns the strings of a structured text in their order; what is no structure stays as it is."""
    if isinstance(value, Mapping):
        inner = [_plain(value[key], deep=deep + 1) for key in TEXT_KEYS if key in value and deep < MAX_DEPTH]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        inner = [_plain(item, deep=deep + 1) for item in value if deep < MAX_DEPTH]
    else:
        return value
    return [item for held in inner for item in (held if isinstance(held, list) else [held]) if item is not None]


def to_record(row: Mapping[str, Any], chosen: Mapping[str, str], source: str) -> Record:
    """Turns one row into a record of strings.

    Lists become lines of text (some sources keep a paragraph an item); of a list of countries only a single one
    counts, because several say nothing about the outlet.

    Raises:
        UnicodeDecodeError: where a binary column is not UTF-8.
    """
    values = {field: cell(row, column) for field, column in chosen.items()}
    country = values.get("country")
    if isinstance(country, list | tuple):
        country = country[0] if len(country) == 1 else ""
    return Record(
        url=_string(values.get("url"), " "),
        title=_string(_plain(values.get("title")), " "),
        text=_string(_plain(values.get("text")), "\n"),
        date=_short(_extended(values.get("date"))),
        country=_short(country),
        source=source,
        language=_short(values.get("language")),
    )


_ADDRESS = re.compile(r"(?:https?://)?[\w-]{1,63}(?:\.[\w-]{1,63})*\.[A-Za-z][\w-]{1,62}(?:[/?#]\S*)?")
_AROUND = ("", *(f"{name.replace('_', '')}." for name in CONTAINERS))


def _key(name: str) -> str:
    return name.casefold().translate({ord(mark): None for mark in "_- "})


def _listed(names: list[str]) -> str:
    """Returns names for a message: forty at most, each on one line and printable."""
    shown = (" ".join(name[:80].split()).encode("utf-8", "backslashreplace").decode() for name in names[:40])
    return ", ".join(shown) + (f" and {len(names) - 40:,} more" if len(names) > 40 else "")


def _short(value: Any) -> str:
    """Returns a value that is not cleaned later: without halves of surrogate pairs, which no file could hold."""
    text = _string(value, " ")
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")


def _string(value: Any, joint: str) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Mapping) or value != value:  # the last: NaN
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, list | tuple):
        return joint.join(_string(item, " ") for item in value)
    if isinstance(value, date):  # datetime is one too
        return value.isoformat()
    return str(value)


class Reader(ABC):
    """One kind of file. Instances hold no state, so that a unit can be read in any process, any number of times."""

    extensions: ClassVar[tuple[str, ...]]
    """File name endings in lower case: `(".jsonl", ".ndjson")`."""
    plain: ClassVar[bool] = True
    """Whether the kind has no compression of its own, so that files may also end in `.gz` and `.zst`."""

    def claims(self, path: str) -> bool:
        """Says whether a path is this reader's whatever its extension: an address, or a folder that is one data set."""
        return False

    def expects(self, path: str) -> bool:
        """Says whether a file is meant that nobody named: one that a folder or a glob turned up."""
        return True

    def units(self, files: Sequence[str]) -> list[tuple[str, ...]]:
        """Returns the files that must be read together, in order; by default each file stands alone.

        Every unit is one piece of work for one process, and may be read again after a crash.
        """
        return [(file,) for file in files]

    def fingerprint(self, file: str) -> str | None:
        """Returns what identifies the content of a claimed path; None leaves it to the file itself."""
        return None

    @abstractmethod
    def read(self, files: tuple[str, ...], columns: Columns) -> Iterator[Record | Unreadable]:
        """Yields the records of one unit in a fixed order and in bounded memory.

        Raises:
            UserError: where the unit as a whole is no such file or does not fit `columns`, or from where on it is
                damaged. What was yielded before counts; the build names the file and goes on with the next unit.
        """
