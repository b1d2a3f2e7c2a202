"""Which column of a file is the text, the title, the URL, the date and the declared country."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dateline.config import Section
from dateline.errors import UserError

FIELDS = ("url", "title", "text", "date", "country", "language")

GUESSES: Mapping[str, tuple[str, ...]] = {
    "url": ("url", "link", "articleurl", "articlelink", "requestedurl"),
    "title": ("title", "headline", "articletitle"),
    "text": (
        *("text", "content", "body", "article", "bodytext", "fulltext", "articletext", "articlebody", "maintext"),
        *("plaintext", "articlecontent", "bodylines", "contenthtml", "contenttext"),
    ),
    "date": (
        *("date", "published", "publishdate", "publisheddate", "publishedat", "pubdate", "datepublished"),
        *("datepublish", "publicationdate", "articledate", "timeut", "time"),
    ),
    "country": ("country", "countrycode"),
    "language": ("language", "lang", "inlanguage"),
}
"""Names that are recognised without a mapping, best first; case, `_`, `-` and blanks do not count."""


class Columns(Section):
    """Which column of the files holds which field; what is left out is guessed from usual names."""

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


def choose_columns(names: Iterable[str], columns: Columns, path: str) -> dict[str, str]:
    """Returns field -> column for the columns that a file has.

    Raises:
        UserError: where a mapped column does not exist, or no column can be taken for the text.
    """
    present = list(dict.fromkeys(names))
    by_key: dict[str, str] = {}
    mapped = {field: name for field in FIELDS if (name := getattr(columns, field)) is not None}
    for name in present:
        if name not in mapped.values():
            by_key.setdefault(_key(name), name)
    chosen: dict[str, str] = {}
    for field, name in mapped.items():
        if name not in present:
            raise UserError(
                f"{path}: there is no column '{name}' for the {field}; columns there: {_listed(present)}; "
                f"write `columns: {{{field}: NAME}}` with one of them"
            )
        chosen[field] = name
    for field in FIELDS:
        if field not in chosen:
            guess = next((by_key[key] for key in GUESSES[field] if key in by_key), None)
            if guess is not None:
                chosen[field] = guess
    if "text" not in chosen:
        raise UserError(
            f"{path}: no column looks like the text of an article; columns there: {_listed(present)}; "
            "write `columns: {text: NAME}` with one of them"
        )
    return chosen


def to_record(row: Mapping[str, Any], chosen: Mapping[str, str], source: str) -> Record:
    """Turns one row into a record of strings.

    Lists become lines of text (some sources keep a paragraph an item); of a list of countries only a single one
    counts, because several say nothing about the outlet.

    Raises:
        UnicodeDecodeError: where a binary column is not UTF-8.
    """
    values = {field: row.get(column) for field, column in chosen.items()}
    country = values.get("country")
    if isinstance(country, list | tuple):
        country = country[0] if len(country) == 1 else ""
    return Record(
        url=_string(values.get("url"), " "),
        title=_string(values.get("title"), " "),
        text=_string(values.get("text"), "\n"),
        date=_short(values.get("date")),
        country=_short(country),
        source=source,
        language=_short(values.get("language")),
    )


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
