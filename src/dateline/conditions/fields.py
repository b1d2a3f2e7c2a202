"""The metadata fields that a prefix can show, and their text for one document. An unknown field is an empty string."""

from __future__ import annotations

from typing import Literal, NamedTuple

from dateline.records import stable_hash

Field = Literal["domain", "url", "url_hash", "country", "continent", "date"]
"""`url` leaks the title through its slug, so scores under it need a warning; `url_hash` is the control for `domain`:
the same information about which outlet it is, without any readable letter (MeCo, arXiv 2501.01956, section 5)."""

FIELDS: tuple[Field, ...] = ("domain", "url", "url_hash", "country", "continent", "date")


class Metadata(NamedTuple):
    """The metadata columns of one document; empty strings are unknown."""

    url: str = ""
    domain: str = ""
    country: str = ""
    continent: str = ""
    date: str = ""


def field_value(metadata: Metadata, field: Field) -> str:
    """Returns what a prefix says for one field, on one line; empty where it is unknown."""
    if field == "url_hash":
        value = f"{stable_hash('domain', metadata.domain):016x}" if metadata.domain else ""
    else:
        value = str(getattr(metadata, field))
    return " ".join(value.split())
