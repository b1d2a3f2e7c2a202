"""What pages are made of, and how they become one HTML file: sections of texts, tables, figures and folded parts.

A page needs nothing else: no script and no outside address. Everything that came from data is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dateline.report.words import MARK, Share, count


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `kind` is its look: `said`, `caption`, `gap` for what is missing, `problem` for what is wrong."""

    words: str
    kind: str = "caption"
    block: str = "text"


@dataclass(frozen=True, slots=True)
class Figures:
    """Drawings, side by side where the screen has room."""

    drawn: Sequence[Markup]
    block: str = "figures"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in a cell: pieces of (percent of the track, colour, text), and the ends of an interval in percent."""

    pieces: Sequence[tuple[float, str, str]]
    low: float | None = None
    high: float | None = None
    cell: str = "bar"


@dataclass(frozen=True, slots=True)
class Tile:
    """A shaded cell; shades lie between 0 and 100. `under` stands on an orange strip below it."""

    text: str
    shade: int = 0
    under: str | None = None
    under_shade: int = 0
    cell: str = "tile"


Cell = str | Bar | Tile | Sequence[str] | None
"""What stands in a table; a sequence is lines, None an empty cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its heading and cells, under the heading of its group."""

    cells: Sequence[Cell]
    group: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; the first column names the row.

    A heading that begins with `#` is a column of numbers, one that begins with `|` a column of bars or tiles.
    """

    headings: Sequence[str]
    rows: Sequence[Row]
    legend: Sequence[tuple[str, str]] = ()
    """Colour and what it means."""
    kind: str = ""
    """`grid` for tiles."""
    block: str = "table"


@dataclass(frozen=True, slots=True)
class Code:
    """Text as it is typed."""

    words: str
    block: str = "code"


@dataclass(frozen=True, slots=True)
class Cards:
    """Texts side by side under a heading: (who, what, note)."""

    heading: str
    cards: Sequence[tuple[str, str, str]]
    block: str = "cards"


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that are shown when the reader asks for them."""

    summary: str
    blocks: Sequence[Block]
    block: str = "fold"


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    words: str
    block: str = "heading"


Block = Text | Figures | Table | Code | Cards | Fold | Heading


@dataclass(slots=True)
class Section:
    """A part of the page with a heading of its own."""

    name: str
    """Its anchor; unique on the page."""
    title: str
    blocks: list[Block] = field(default_factory=list)


def share_bar(found: Share, color: str) -> Bar:
    """Returns the bar of a share with its interval."""
    low, high = found.ends
    return Bar([(100 * found.value, color, "")], 100 * low, 100 * high)


def render_page(template: str, **context: Any) -> str:
    """Returns a page as HTML: the same content gives the same text."""
    environment = Environment(
        loader=PackageLoader("dateline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(marked=_marked, count=count)
    return environment.get_template(template).render(context).encode("utf-8", "replace").decode("utf-8")


def _marked(words: object) -> Markup:
    """Returns escaped words in which the mark of a leak can be seen."""
    if MARK not in str(words):
        return escape(words)
    return escape(words).replace(MARK, Markup('<span class="leak">{}</span>').format(MARK))
