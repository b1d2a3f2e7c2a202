from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from dateline.places.countries import all_countries
from dateline.report.corpus.terminal import describe

from .audits import audit, tiny


def printed(data: dict[str, Any], width: int = 100, **kind: Any) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, **kind)
    for part in describe(data):
        console.print(part)
    return out.getvalue().splitlines()


def longest(data: dict[str, Any]) -> dict[str, Any]:
    data["problems"] = [f"problem {n} " + "with many words " * 30 for n in range(40)]
    data["name"] = "a long name " * 30
    for entry in data["outlets"]["largest"]:
        entry["domain"] = "a-very-long-domain-name-indeed." * 4
    return data


@pytest.mark.parametrize(
    "data",
    [audit(), tiny(), {}, audit(sorted(all_countries())), longest(audit(sorted(all_countries())))],
    ids=["paper", "tiny", "empty", "every country", "long words"],
)
def test_it_fits_sixty_lines_of_a_hundred_columns(data: dict[str, Any]) -> None:
    lines = printed(data)
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100


def test_piped_it_is_plain_text() -> None:
    text = "\n".join(printed(audit()))
    assert "\x1b" not in text
    assert "United States" in text
    assert "problem: country fj is expected and absent" in text
    assert "problem: now/text/21-04.zip: the archive ends" in text


def test_every_part_of_the_page_is_said() -> None:
    text = "\n".join(printed(audit()))
    for part in ("dropped", "years", "outlets", "lengths", "duplicates", "evidence", "signals", "filters", "balance"):
        assert f"\n{part}" in text
    assert "not recorded" not in text
    assert "not recorded" in "\n".join(printed({}))


def test_numbers_of_a_country_stand_in_its_row() -> None:
    row = next(line for line in printed(tiny()) if line.startswith("  Ghana"))
    assert row.split() == ["Ghana", "3", "0", "909", "1", "75.0%", "25.0%", "66.7%", "1,700", "1.0x"]


def test_words_from_data_are_neither_markup_nor_commands() -> None:
    data = tiny() | {"name": "[red]x[/red]\x1b[31m", "problems": ["[bold]a[/bold]\x1b]0;title\x07", "[/nothing]"]}
    data["outlets"]["largest"][0]["domain"] = "[blink]evil\u202e.com"
    text = "\n".join(printed(data))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text
    assert "[bold]a[/bold]" in text
    assert "[/nothing]" in text


def test_the_table_fits_eighty_columns() -> None:
    data = audit()
    data["countries"]["us"]["train"]["documents"] = 999_000_000
    lines = printed(data, width=80)
    assert max(map(len, lines)) <= 80
    heading = next(line for line in lines if line.startswith("country"))
    assert heading.split() == [
        "country", "docs", "test", "tokens", "outlets", "kept", "copies", "agree", "median", "repeat",
    ]  # fmt: skip
    assert any(line.startswith("  South Africa ") for line in lines)
