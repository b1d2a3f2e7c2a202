"""The audit of a corpus on a page and in a terminal: whole, partial, damaged, hostile, and of a real corpus."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.places.countries import all_countries, continent_of
from dateline.report import corpus
from dateline.report.audit import Audit, read_audit
from dateline.report.corpus import describe, render, write_corpus_page

from .audits import EDGES, audit, tiny
from .reader import EVIL, Reader, check_closed, section

SECTIONS = [
    "drops",
    "countries",
    "years",
    "outlets",
    "lengths",
    "duplicates",
    "verification",
    "signals",
    "filters",
    "balance",
    "steps",
    "numbers",
    "making",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def whole() -> str:
    return render(audit())


def folder_of(path: Path, data: dict[str, Any]) -> Path:
    path.mkdir(exist_ok=True)
    (path / "audit.json").write_text(json.dumps(data), encoding="utf-8")
    return path


def terminal(data: dict[str, Any], width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False)
    for part in describe(data, "name"):
        console.print(part)
    return out.getvalue()


def test_the_page_of_a_corpus_that_was_built(experiment: Path, tmp_path: Path) -> None:
    page = write_corpus_page(experiment / "corpus", tmp_path / "page.html").read_text()
    text = check_closed(page).text
    found = json.loads((experiment / "corpus" / "audit.json").read_text())
    assert f"documents kept {found['documents']:,}" in text
    assert all(f'<th scope="row">{all_countries()[code].name}' in page for code in found["countries"])
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS
    assert "Ghana" in terminal(read_audit(experiment / "corpus"))


def test_every_section_is_there_in_order_with_its_sentence(whole: str) -> None:
    check_closed(whole)
    assert len(whole) < 1_000_000
    assert re.findall(r'<section id="(\w+)"', whole) == SECTIONS
    assert whole.count('class="said"') == len(SECTIONS) - 2
    assert 'class="gap"' not in whole
    assert render(audit()) == whole


def test_problems_stand_at_the_top_in_red(whole: str) -> None:
    top = whole[whole.index("<header>") : whole.index("</header>")]
    assert '<div class="problems">' in top
    assert "country fj is expected and absent" in top
    assert "now/text/21-04.zip: the archive ends in the middle" in top
    assert '<div class="problems">' not in render(tiny() | {"problems": [], "countries": {}})


def test_headline_numbers(whole: str) -> None:
    data, text = audit(), Reader(whole).text
    assert f"records read {data['in']:,} 2 sources" in text
    assert f"documents kept {data['documents']:,}" in text
    assert f"records dropped {sum(data['drops'].values()):,}" in text
    assert "without a date 23" in text


def test_every_number_of_a_country_is_in_the_last_table(whole: str) -> None:
    entry, last = audit()["countries"]["gh"], Reader(section(whole, "numbers")).text
    row = last[last.index("Ghana") :].split("Jamaica")[0]
    numbers = [entry[split]["documents"] for split in ("train", "validation", "test")]
    numbers += [entry[name] for name in ("tokens", "outlets", "in")] + list(entry["verified"].values())
    numbers += [entry["dropped"][name] for name in ("exact_duplicate", "near_duplicate")]
    assert all(f"{number:,}" in row for number in numbers)


def test_the_page_is_written_into_the_folder_or_elsewhere(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "ghana-small", tiny())
    first = write_corpus_page(folder)
    assert first == folder / "corpus.html"
    assert "<h1>ghana-small</h1>" in first.read_text()
    other = write_corpus_page(folder, tmp_path / "other.html")
    assert other.read_bytes() == first.read_bytes()
    assert [path.name for path in folder.glob(".*")] == []
    with pytest.raises(UserError, match="cannot be written"):
        write_corpus_page(folder, tmp_path / "no" / "such" / "folder.html")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no audit.json"),
        (b"{", "cannot be read as JSON"),
        (b"\xff", "cannot be read"),
        (b"[1]", "no mapping"),
    ],
)
def test_a_folder_without_a_readable_audit_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "audit.json").write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        read_audit(tmp_path)
    assert "\n" not in str(refused.value)


def test_the_manifest_adds_what_the_audit_does_not_say(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, tiny())
    write_manifest(folder, Manifest.of("corpus", {"paths": ["a.jsonl"]}, {}, facts={"seconds": {"read": 2.5}}))
    found = read_audit(folder)
    assert found["sources"] == ["a.jsonl"]
    assert "read 2.5 s 100% not recorded" in Reader(section(render(found), "steps")).text
    assert len(found["fingerprint"]) == 16


@pytest.mark.parametrize("evil", EVIL)
def test_hostile_words_stay_words(evil: str) -> None:
    data = audit(("gh", "ie", "us"))
    data |= {"name": evil, "fingerprint": evil, "sources": [evil], "problems": [evil]}
    data["files"] = [{"file": evil, "problem": evil}]
    data["duplicates"]["largest"] = [{"id": evil, "url": evil, "title": evil, "copies": 3}]
    data["outlets"]["largest"] = [{"domain": evil, "country": evil, "train": 5}]
    data["drops"][evil] = 7
    data["filters"].append(data["filters"][0] | {"reason": evil, "country": evil})
    data["seconds"][evil] = {"seconds": 3.0, "documents": 5}
    for part in (data["countries"], data["years"], data["signals"], data["signals_wrong"], data["balance"]["country"]):
        part[evil] = part["gh"]
    for part in ("countries", "median"):
        data["lengths"][part][evil] = data["lengths"][part]["gh"]
    data["countries"][evil] = data["countries"]["gh"] | {"continent": evil}
    reader = check_closed(render(data))
    assert reader.text.count(evil) > 15


def test_a_terminal_obeys_nothing_that_comes_from_data() -> None:
    data = audit(("gh", "ie")) | {"name": "a\x1b[31mb\u202ec[bold]d[/bold]", "problems": ["x\x07y"]}
    shown = terminal(data)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x07" not in shown
    assert "[bold]d[/bold]" in shown


@pytest.mark.parametrize("data", [audit(), tiny(), {}, audit(sorted(all_countries())[:120], 100)])
def test_it_fits_sixty_lines_of_a_hundred_columns(data: dict[str, Any]) -> None:
    lines = terminal(data).rstrip().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100


def test_the_terminal_says_every_part_and_the_numbers_of_a_country() -> None:
    shown = terminal(audit())
    for part in corpus.PARTS:
        assert re.search(rf"^{part.word} ", shown, re.MULTILINE)
    entry = audit()["countries"]["gh"]
    row = next(line for line in shown.splitlines() if line.startswith("  Ghana"))
    assert f"{entry['outlets']}" in row.split()


@pytest.mark.parametrize("part", sorted(set(audit(("gh",))) - {"documents", "name"}))
def test_every_part_may_be_absent(part: str) -> None:
    data = audit(("gh", "ie"))
    del data[part]
    text = check_closed(render(data)).text
    spared = ("splits", "no_country", "continent_only", "fingerprint", "problems", "files", "undated", "verified")
    assert part in spared or "not recorded" in text.lower()


def test_an_empty_audit_says_what_is_missing() -> None:
    html = render({})
    assert html.count("Not recorded.") == len(SECTIONS) - 1
    check_closed(html)


@settings(max_examples=40)
@given(st.data())
def test_any_part_may_be_damaged(data: st.DataObject) -> None:
    found: Any = json.loads(json.dumps(tiny()))
    part = data.draw(st.sampled_from(sorted(found)))
    inside = found[part]
    if isinstance(inside, dict) and inside and data.draw(st.booleans()):
        inside[data.draw(st.sampled_from(sorted(inside)))] = data.draw(JSON)
    else:
        found[part] = data.draw(JSON)
    check_closed(render(found))
    terminal(found)


def test_a_tiny_corpus_makes_a_page() -> None:
    text = Reader(render(tiny())).text
    assert "All documents with a country come from Ghana (3 documents)." in text
    assert "There is only one group" in text
    assert "1 outlet;" in text


def test_many_countries_are_told_of_and_stand_in_the_last_table() -> None:
    codes = sorted(all_countries())[:80]
    html = render(audit(codes, 100))
    assert "32 smaller countries stand in the last table" in html
    assert all(
        f'<th scope="row">{all_countries()[code].name}' in section(html, "numbers") for code in codes if code != "ci"
    )
    assert len(html) < 1_500_000


def test_drops_add_up_or_it_is_a_problem() -> None:
    data = audit()
    assert "Every record is accounted for" in section(render(data), "drops")
    data["in"] += 5
    assert "5 records are missing: kept and dropped do not add up to those read" in Audit(data).problems
    assert "Every record" not in section(render(data), "drops")


def test_problems_of_splits_are_named_once() -> None:
    assert Audit(tiny()).problems == ["trained on but not tested: gh", "no document is in test"]
    data = tiny() | {"problems": []}
    assert Audit(data).problems == ["trained on but not tested: Ghana"]


def test_what_was_kept_comes_first_then_the_most_frequent_reason_and_none_is_lost() -> None:
    rows = list(corpus.drops(Audit(audit())))[-1].rows  # type: ignore[union-attr]
    assert [row.cells[0] for row in rows[:2]] == ["kept", "near duplicate"]
    many = Audit({"drops": {f"reason{at}": at + 1 for at in range(30)}, "in": 1000, "documents": 535})
    rows = list(corpus.drops(many))[-1].rows  # type: ignore[union-attr]
    assert rows[-1].cells[:2] == ["10 other reasons", "55"]


def test_every_year_has_a_column_and_old_years_share_one() -> None:
    data = audit(("gh", "jm"))
    html = section(render(data), "years")
    assert all(f">{year}</th>" in html for year in range(2016, 2025))
    assert "Jamaica (2018)" in html
    data["years"]["gh"] = {str(year): 1 for year in range(1980, 2025)}
    found = list(corpus.years(Audit(data)))[-1]
    assert found.headings[1] == "|to 2009"  # type: ignore[union-attr]
    assert found.rows[0].cells[1].text == "30"  # type: ignore[union-attr]


@pytest.mark.parametrize("more", [0, 1, 2])
def test_lengths_with_closed_and_open_bins_are_drawn(more: int) -> None:
    data = tiny()
    data["lengths"]["countries"]["gh"] += [1] * more
    assert "<svg" in section(render(data), "lengths")


def test_a_median_that_is_not_recorded_is_interpolated() -> None:
    data = tiny()
    del data["lengths"]["median"]
    median = Audit(data).countries.at["gh", "median"]
    assert EDGES[12] <= median <= EDGES[14]


def test_signals_are_summed_over_all_countries_or_not_at_all() -> None:
    data = audit(("gh", "ie"))
    found = Audit(data)
    right = sum(data["signals"][code]["suffix"] for code in ("gh", "ie"))
    total = found.signal("suffix", right=True)
    assert total is not None
    assert total.part == right
    del data["signals"]["gh"]["suffix"]
    assert Audit(data).signal("suffix", right=True) is None
    data["signals_wrong"]["ie"] |= {"any": 1, "path": 2}
    assert math.isnan(Audit(data).wrong.at["ie", "any"])


def test_extremes_that_chance_would_choose_are_not_named() -> None:
    assert "the share is largest in" in section(render(audit()), "duplicates")
    assert "largest in" not in section(render(audit(("gh", "ie"), 20)), "duplicates")


def test_a_country_without_copies_had_none_and_numbers_beyond_reason_are_damage() -> None:
    data = audit(("gh", "ie"))
    del data["duplicates"]["countries"]["gh"]
    assert list(Audit(data).countries.loc["gh", ["exact", "near"]]) == [0, 0]
    data["countries"]["gh"]["tokens"] = 10**30
    assert math.isnan(Audit(data).countries.at["gh", "tokens"])


@pytest.mark.parametrize("number", [8, 40, 120])
def test_the_terminal_puts_every_country_under_its_continent(number: int) -> None:
    codes = sorted(all_countries())[:number]
    said = terminal(audit(codes, 1000))
    assert "1 smaller ones" not in said
    heading, counted = "", dict.fromkeys(map(continent_of, codes), 0)
    for line in said.splitlines():
        if line.strip() in counted:
            heading = line.strip()
        elif found := re.match(r"  (\d+) smaller ones", line):
            counted[heading] += int(found[1])
        elif heading and line.startswith("  ") and not line.startswith("   "):
            counted[heading] += 1
        elif heading and not line.strip():
            break
    assert counted == {name: sum(continent_of(code) == name for code in codes) for name in counted}
