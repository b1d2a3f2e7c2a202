"""The names of things in sentences and figures: what a model was told, and whether it saw the URL.

Enters: conditions and cells of a score table. Leaves: short plain words; the page escapes them.
Deliberately not done: no numbers; see numerals.py.
"""

from __future__ import annotations

from dateline.report.scoretable import SWAP, Cell, ScoreTable, country_name

MARK = "[leak]"
"""Stands at the name of every model whose prefix showed the URL; before it, so that no cut label loses it."""
FIELD_NAMES = {
    "domain": "outlet",
    "url": "URL",
    "url_hash": "hashed outlet",
    "country": "country",
    "continent": "continent",
    "date": "date",
}
_TOLD = {
    "gold": "told the true place",
    "none": "told nothing",
    "wrong": "told a wrong place",
    "swap:all": "told every country in turn",
    "marginal:uniform": "averaged over all countries alike",
    "marginal:corpus": "averaged over countries by their share of the corpus",
}
_SHORT = {
    "gold": "true place",
    "none": "nothing",
    "wrong": "wrong place",
    "swap:all": "every country",
    "marginal:uniform": "average, uniform",
    "marginal:corpus": "average, by corpus",
}


def told(condition: str) -> str:
    """Says what a model is told under a condition: `told the true place`, `told only its country and continent`."""
    if condition in _TOLD:
        return _TOLD[condition]
    if condition.startswith(SWAP):
        return f"told {country_name(condition.removeprefix(SWAP))} throughout"
    names = _fields(condition)
    if names:
        return f"told only its {listed(names)}"
    return f"under condition {condition}" if condition else "under an unnamed condition"


def short(condition: str) -> str:
    """Names a condition where there is no room: `true place`, `nothing`, `country only`, `Ghana`."""
    if condition in _SHORT:
        return _SHORT[condition]
    if condition.startswith(SWAP):
        return country_name(condition.removeprefix(SWAP))
    names = _fields(condition)
    if names:
        return f"{names[0]} only" if len(names) == 1 else ", ".join(names)
    return condition or "unnamed"


def cell_name(cell: Cell) -> str:
    """Names a model under a condition: `conditioned, told the true place`."""
    return f"{cell[0]}, {told(cell[1])}"


def named(table: ScoreTable, cell: Cell) -> str:
    """Names a model under a condition, with the mark of the leak where its prefix showed the URL."""
    return f"{MARK} {cell_name(cell)}" if table.leaks(cell) else cell_name(cell)


def model_name(table: ScoreTable, cell: Cell) -> str:
    """Names the model of a cell in a sentence, `the conditioned model`, with the mark of the leak where it is due."""
    return f"the {cell[0]} model {MARK}" if table.leaks(cell) else f"the {cell[0]} model"


def listed(words: list[str]) -> str:
    """Joins words as a sentence does: `a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def upper(text: str) -> str:
    """Returns a sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _fields(condition: str) -> list[str]:
    """Returns the names of the fields that a condition is made of; empty where it is another kind of condition."""
    parts = condition.split("+")
    return [FIELD_NAMES[part] for part in parts] if all(part in FIELD_NAMES for part in parts) else []
