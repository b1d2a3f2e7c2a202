"""How a prefix is written.

Enters: metadata and the fields that are on. Leaves: the prefix text, `URL: punchng.com\\nCOUNTRY: ng\\n...\\n\\n`.
Deliberately not done: no templating language; a line for each field, in a fixed order, is all that has been needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from dateline.conditions.fields import Field, Metadata, field_value

DEFAULT_FIELDS: tuple[Field, ...] = ("domain", "country", "continent")

LABELS: dict[Field, str] = {
    "domain": "URL",
    "url": "URL",
    "url_hash": "URL",
    "country": "COUNTRY",
    "continent": "CONTINENT",
    "date": "DATE",
}
"""The paper's labels; `domain`, `url` and `url_hash` stand in the same place, so at most one may be on."""


def render(metadata: Metadata, fields: Sequence[Field]) -> str:
    """Returns the prefix: a line for each field that is on and known, then an empty line; empty if nothing is known.

    Lines follow the order of `LABELS`, whatever the order of `fields`, so that equal choices are equal texts.
    """
    lines = [
        f"{label}: {value}\n"
        for field, label in LABELS.items()
        if field in fields and (value := field_value(metadata, field))
    ]
    return "".join(lines) + "\n" if lines else ""
