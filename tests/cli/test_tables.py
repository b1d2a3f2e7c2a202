"""Tables on terminals of any width, and in pipes."""

import io
import sys

import pytest

from dateline.cli.tables import print_rows

ROWS = [
    {
        "url": f"https://{name}/2024/05/06/parliament-passes-the-budget",
        "country": "ng",
        "continent": "Africa",
        "evidence": "outlet table: The Punch; suffix .com.ng",
        "n": "1,234",
    }
    for name in ("punchng.com", "www.thisdaylive.com")
]


def printed(monkeypatch, columns):
    """What stands on standard output, without a terminal; `columns` is None for a pipe."""
    monkeypatch.setenv("COLUMNS", str(columns)) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    print_rows(ROWS, names=("url", "evidence"))
    return out.getvalue()


@pytest.mark.parametrize("columns", [40, 80, 120, 200, None])
def test_no_word_header_or_address_is_broken(monkeypatch, columns):
    said = printed(monkeypatch, columns).split()
    words = [word for row in ROWS for pair in row.items() for word in " ".join(pair).split()]
    assert set(words) <= set(said)
    assert sorted(set(said)) == sorted(set(words))


def test_in_a_pipe_a_row_is_a_line(monkeypatch):
    heading, *lines = printed(monkeypatch, None).splitlines()
    assert heading.split() == list(ROWS[0])
    assert [line.split()[0] for line in lines] == [row["url"] for row in ROWS]


def test_what_fits_is_a_table_and_what_does_not_is_lines(monkeypatch):
    assert max(map(len, printed(monkeypatch, 120).splitlines())) <= 120
    assert printed(monkeypatch, 120).splitlines()[0].split() == list(ROWS[0])
    assert printed(monkeypatch, 40).splitlines()[0].split() == ["url", ROWS[0]["url"]]
