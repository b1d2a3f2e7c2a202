"""The metadata fields that a prefix can show, and how it is written: a line for each field that is on and known."""

from __future__ import annotations

from collections.abc import Sequence
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

PrefixFormat = Literal[1, 2]
"""How a prefix ends. 1: with an empty line. 2: with the end of its last line, directly before `TITLE:`.

Format 1 cannot be reproduced by tools that take text. Training tokenized the prefix apart from the body, and GPT-2's
byte-level BPE reads the empty line at the end of a text as one token (`\\n\\n`), but in front of `TITLE:` as two
(`\\n`, `\\n`). Under format 2 the tokens are the same either way. Models trained under format 1 are scored under it.
"""
PREFIX_FORMAT: PrefixFormat = 2
"""The format that training uses."""
_ENDS: dict[PrefixFormat, str] = {1: "\n", 2: ""}


def render(metadata: Metadata, fields: Sequence[Field], *, prefix_format: PrefixFormat = PREFIX_FORMAT) -> str:
    """Returns the prefix of a document; empty if no field that is on is known.

    Lines follow the order of `LABELS`, whatever the order of `fields`, so that equal choices are equal texts.

    Args:
        metadata: of the document.
        fields: that the prefix shows.
        prefix_format: 2, unless the model was trained under format 1.

    Example:
        >>> render(Metadata(domain="punchng.com", country="ng", continent="Africa"), ("country", "continent"))
        'COUNTRY: ng\\nCONTINENT: Africa\\n'
    """
    lines = [
        f"{label}: {value}\n"
        for field, label in LABELS.items()
        if field in fields and (value := field_value(metadata, field))
    ]
    return "".join(lines) + _ENDS[prefix_format] if lines else ""


def template(fields: Sequence[Field]) -> str:
    """Returns the prefix with names in place of values, for people and for `dateline.json`.

    Example:
        >>> template(("domain", "country"))
        'URL: {domain}\\nCOUNTRY: {country}\\n'
    """
    return "".join(f"{label}: {{{field}}}\n" for field, label in LABELS.items() if field in fields)


def chat_template(*, marks: bool = False) -> str:
    """Returns a Jinja chat template that writes what a base model saw in training.

    The user's message is a headline. The place comes from the variable `place`, a mapping of field names to values, or
    from a system message that holds the lines of a prefix; without either there is no prefix. BOS is written once,
    here, and `apply_chat_template` adds none. An assistant's message is the text of the article.

    Args:
        marks: mark what the assistant writes with transformers' tag `generation`, as tuning needs it.

    Example:
        >>> tokenizer.apply_chat_template(
        ...     [{"role": "user", "content": "Parliament passes the budget"}],
        ...     place={"country": "ng", "continent": "Africa"}, add_generation_prompt=True, tokenize=False,
        ... )
        '<bos>COUNTRY: ng\\nCONTINENT: Africa\\nTITLE: Parliament passes the budget\\n\\nCONTENT:'
    """
    by_label: dict[str, list[Field]] = {}
    for field, label in LABELS.items():
        by_label.setdefault(label, []).append(field)
    lines = ""
    for label, fields in by_label.items():
        value = " or ".join(f"place.{field}" for field in fields)
        lines += f"{{% if {value} %}}{label}: {{{{ {value} }}}}{{{{ '\\n' }}}}{{% endif %}}"
    begin, end = ("{% generation %}", "{% endgeneration %}") if marks else ("", "")
    return (
        "{{ bos_token }}"
        f"{{% if place is defined and place %}}{lines}{{% endif %}}"
        "{% for message in messages %}"
        "{% if message.role == 'system' %}{{ message.content | trim }}{{ '\\n' }}"
        "{% elif message.role == 'user' %}{{ 'TITLE: ' + message.content + '\\n\\nCONTENT:' }}"
        f"{{% else %}}{begin}{{{{ ' ' + message.content + eos_token }}}}{end}"
        "{% endif %}{% endfor %}"
    )
