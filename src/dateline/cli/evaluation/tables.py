"""What the verbs of evaluation share: lists of names in, tables out.

Enters: words with commas; rows with the same keys. Leaves: names; a table on standard output.
Deliberately not done: no numbers are computed or rounded here.
"""

from __future__ import annotations


def print_rows(rows: list[dict[str, str]]) -> None:
    """Prints rows with the same keys as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        if name in ("run", "condition", "versus", "metric"):
            table.add_column(name, overflow="fold")  # a name that is cut short is no name
        else:
            table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(Text(value) for value in row.values()))
    Console(highlight=False).print(table)


def split_words(text: str) -> list[str]:
    """Returns the names in a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]
