"""Tables on a terminal or in a log: nothing that comes from data is read as markup."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

NAMES = frozenset(("run", "condition", "versus", "metric", "comparison", "texts of"))
"""Columns of names in tables of scores."""


def print_rows(rows: Sequence[Mapping[str, str]], *, dense: bool = False, names: Collection[str] = NAMES) -> None:
    """Prints rows with the same keys as a table.

    Args:
        rows: column -> cell.
        dense: with single blanks between columns.
        names: columns that stand left, folded rather than cut short; all others stand right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 0 if dense else 1, 0, 1))
    for name in rows[0] if rows else ():
        if name in names:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row.values()))
    Console(highlight=False).print(table)


def print_parts(parts: Iterable[RenderableType], *, log_width: int) -> None:
    """Prints renderables one below another, `log_width` columns wide where there is no terminal to tell the width."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=log_width)
    for part in parts:
        console.print(part)
