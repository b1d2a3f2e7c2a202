"""Tables on a terminal or in a log: nothing that comes from data is read as markup."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

NAMES = frozenset(("run", "condition", "versus", "metric", "comparison", "texts of"))
"""Columns of names in tables of scores."""


def print_rows(rows: Sequence[Mapping[str, str]], *, dense: bool = False, names: Collection[str] = NAMES) -> None:
    """Prints rows with the same keys as a table; where it has no room, each row as lines `column  cell`.

    Cells are wrapped between words only. In a pipe a row is one line, unless the environment names COLUMNS.

    Args:
        rows: column -> cell.
        dense: with single blanks between columns.
        names: columns that stand left; all others stand right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    gap = 1 if dense else 2
    console = Console(highlight=False)
    columns = {name: [name, *(row[name] for row in rows)] for name in rows[0]}
    whole = {name: max(map(cell_len, cells)) for name, cells in columns.items()}
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=sum(whole.values()) + gap * len(whole))
    widths = {name: max(map(cell_len, " ".join(cells).split())) for name, cells in columns.items()}
    room = console.width - sum(widths.values()) - gap * (len(widths) - 1)
    if room < 0:
        _print_records(rows, console)
        return
    for name in widths:
        more = min(room, whole[name] - widths[name])
        widths[name] += more
        room -= more
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, gap - 1, 0, 1))
    for name, width in widths.items():
        table.add_column(name, justify="left" if name in names else "right", width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    console.print(table)


def _print_records(rows: Sequence[Mapping[str, str]], console: Console) -> None:
    """Prints a line for each cell that is not empty, a blank line between rows; no word is broken."""
    from rich.text import Text

    width = max(map(cell_len, rows[0])) + 2
    for number, row in enumerate(rows):
        if number:
            console.print()
        for name, cell in row.items():
            lines = textwrap.wrap(cell, max(console.width - width, 10), break_long_words=False, break_on_hyphens=False)
            for at, line in enumerate(lines):
                console.print(Text(f"{'' if at else name:<{width}}{line}"), soft_wrap=True)


def print_parts(parts: Iterable[RenderableType], *, log_width: int) -> None:
    """Prints renderables one below another, `log_width` columns wide where there is no terminal to tell the width."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=log_width)
    for part in parts:
        console.print(part)
