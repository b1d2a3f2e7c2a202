"""The page of a real experiment: every section, every gap, no script, no outside address, no invented number."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import dateline.report as report
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report import effects, measures, sections, write_report
from dateline.report.results import read_results
from dateline.report.words import large

from .reader import EVIL, Reader, check_closed, section
from .test_results import edit, two_protocols

ORDER = [
    "differences",
    "countries",
    "swaps",
    "tokens",
    "locate",
    "mcq",
    "learning",
    "recovered",
    "coverage",
    "samples",
    "scores",
    "making",
]


def test_the_page_is_one_file_that_needs_nothing_else(page: str) -> None:
    check_closed(page)
    assert not re.search(r"(?:https?:)?//[a-z]", page)
    assert len(page) < 4_000_000


def test_every_section_is_there_in_order_and_nothing_is_missing(page: str) -> None:
    assert re.findall(r'<section id="(\w+)"', page) == ORDER
    assert "of metrics.jsonl" not in page
    gaps = re.findall(r'<p class="gap">(.*?)</p>', page)
    assert all(gap.startswith("Not drawn: ") or "further rows" in gap for gap in gaps), gaps


def test_every_figure_has_a_text_alternative_and_a_table(page: str) -> None:
    assert page.count('role="img"') == page.count("<svg") >= 15
    assert page.count("<title") == page.count("<svg") + 1
    for name in ("differences", "countries", "swaps", "tokens", "locate", "mcq", "learning"):
        part = section(page, name)
        assert "<svg" in part
        assert re.search(r"95% CI|nats/token", part)
        assert "<table" in part


def test_a_comparison_is_one_row_with_its_meaning(page: str, experiment: Path) -> None:
    part = section(page, "differences")
    text = Reader(part).text
    assert (
        '<th scope="row">conditioned, gold metadata<br><span class="note">minus plain, no metadata</span></th>' in part
    )
    table = pd.read_parquet(experiment / "scores.parquet")
    row = table[
        (table["run"] == "conditioned")
        & (table["condition"] == "gold")
        & (table["slice_by"] == "all")
        & (table["metric"] == "nll_difference")
    ].iloc[0]
    sign = "+" if row["value"] > 0 else "\u2212"
    assert f"{sign}{abs(row['value']):.3f}" in text
    assert f"{row['mde']:.3f}" in text
    assert "MDE" in text
    assert "p (Holm)" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"value": -0.1, "ci_low": -0.2, "ci_high": -0.05, "p_holm": 0.01}, "Better: perplexity 9.5% lower."),
        ({"value": 0.1, "ci_low": 0.05, "ci_high": 0.2, "p_holm": 0.01}, "Worse: perplexity 10.5% higher."),
        ({"value": -0.1, "ci_low": -0.2, "ci_high": 0.05, "p_holm": 0.3}, "No difference shown"),
        ({"value": -0.1, "ci_low": -0.2, "ci_high": -0.05, "p_holm": 0.3}, "Better: perplexity 9.5% lower, but not"),
        ({"value": -0.1, "ci_low": None, "ci_high": None, "p_holm": None}, "No interval, so no claim about its sign."),
        ({"value": float("nan"), "ci_low": 0.0, "ci_high": 0.0, "p_holm": None}, "not a finite number"),
    ],
)
def test_what_a_difference_means(values: dict[str, float], words: str) -> None:
    assert effects.reading(pd.Series(values)).startswith(words) or words in effects.reading(pd.Series(values))


def test_the_diagonal_of_counterfactual_countries_is_zero(page: str) -> None:
    text = Reader(section(page, "swaps")).text
    assert "zero by definition" in text
    assert "Singapore, prompted with Ireland" in text


def test_country_inference_stands_beside_its_baseline(page: str) -> None:
    text = Reader(section(page, "locate")).text
    for words in (
        "TF-IDF baseline full text",
        "conditioned-seed1 place names masked",
        "Accuracy (%)",
        "Confidence (%)",
    ):
        assert words in text
    assert "Confusion matrix: conditioned-seed1, place names masked" in text


def test_questions_have_their_chance_and_paired_items_one_half(page: str) -> None:
    text = Reader(section(page, "mcq")).text
    assert re.search(r"plain-seed0, no metadata [\d.]+% \([\d.]+ to [\d.]+\) 25.0% 6", text)
    assert re.search(r"Switch, cloze form .*?conditioned-seed0, gold metadata \S+ \([\d.]+ to [\d.]+\) 50.0%", text)


def test_learning_curves_are_over_body_tokens(page: str, experiment: Path) -> None:
    part = Reader(section(page, "learning")).text
    assert "body tokens read" in part
    assert "tokens seen" not in part
    lines = [json.loads(line) for line in (experiment / "runs/plain-seed0/metrics.jsonl").open()]
    last = [line for line in lines if line["kind"] == "validation" and line["group"] == "all"][-1]
    assert f"{last['loss']:.3f}" in part
    assert large(last["body_tokens"]) in part


def test_key_numbers(page: str, experiment: Path) -> None:
    text = Reader(page).text
    assert re.search(r"recovered gain: conditioned-seed0 \S+% 95% CI \S+ to \S+%", text)
    assert re.search(r"perplexity: plain, no metadata [\d.]+ mean of 2 seeds: [\d.]+ and [\d.]+", text)
    assert "p = 0.0 " not in text


def test_the_same_folder_gives_the_same_page(folder: Path) -> None:
    shutil.rmtree(folder / "mcq")
    first = write_report(folder).read_bytes()
    assert sections.render(read_results(folder)).encode() == first
    assert [path.name for path in folder.glob(".*")] == []


def many(folder: Path, measure: str, number: int) -> None:
    """Makes more models of one: copies of its folder under other names."""
    table = pd.read_parquet(folder / "scores.parquet")
    first = next(iter(sorted((folder / measure).iterdir())))
    own = table[(table["measure"] == measure) & (table["run"] == first.name)]
    for at in range(number):
        copy = Path(shutil.copytree(first, folder / measure / f"model{at}"))
        for path in [*copy.glob("reliability.parquet"), *copy.glob("confusion.parquet")]:
            edit(path, run=lambda run, at=at: run if run == "tfidf" else f"model{at}")
        table = pd.concat([table, own.assign(run=f"model{at}")])
    table.to_parquet(folder / "scores.parquet")


@pytest.mark.parametrize(("measure", "make"), [("locate", measures.locate), ("mcq", measures.questions)])
def test_no_model_is_dropped_without_a_word(
    folder: Path, measure: str, make: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "MOST_DRAWN", 1)
    many(folder, measure, 7)
    found = make(read_results(folder))  # type: ignore[operator]
    tables = [block for block in found.blocks if isinstance(block, measures.Table)]
    listed = " ".join(str(row.cells) for row in tables[0].rows)
    gaps = " ".join(block.words for block in found.blocks if isinstance(block, measures.Text) and block.kind == "gap")
    for at in range(7):
        assert f"model{at}" in listed
        assert f"model{at}" in gaps


def test_a_leak_is_a_banner_and_a_mark_at_every_name(folder: Path) -> None:
    edit(folder / "scores.parquet", shown=lambda shown: f"url+{shown}" if shown else "")
    html = write_report(folder).read_text()
    assert html.index('class="warning"') < html.index("<h1>")
    text = Reader(html).text
    assert (
        "Leak warning. conditioned-seed0, conditioned, conditioned-seed1" in text or "Leak warning. conditioned" in text
    )
    assert not re.search(r"(?<!\[leak\] )conditioned, (gold|wrong) metadata", text)
    assert "[leak] conditioned, no metadata" not in text


def test_no_leak_no_warning(page: str) -> None:
    assert "Leak warning" not in page
    assert "[leak]" not in page


def test_hostile_words_stay_words(folder: Path) -> None:
    evil = " ".join(EVIL)
    tables = [*folder.glob("*.parquet"), *folder.glob("locate/*/*.parquet")]
    for path in tables:
        table = pd.read_parquet(path)
        for name in {"run", "family", "slice", "versus_run", "truth", "predicted"} & set(table.columns):
            table[name] = table[name].map(lambda value: f"{value}{evil}" if value and value != "all" else value)
        if "slice_by" in table:
            table = table[table["slice_by"].isin(["all", "country", "part"])]
        table.to_parquet(path)
    place = {"domain": evil, "country": evil, "continent": evil}
    sample = {"headline": evil, "run": evil, "place": place, "continuation": f"\ud800{evil}\x00"}
    (folder / "samples.json").write_text(json.dumps([sample]))
    write_manifest(folder, Manifest.of("experiment", {"name": evil, "runs": {evil: {}}}, {evil: evil}))
    audit = json.loads((folder / "corpus" / "audit.json").read_text())
    audit["countries"][evil] = audit["countries"]["gh"] | {"continent": evil}
    audit["problems"] = [evil]
    (folder / "corpus" / "audit.json").write_text(json.dumps(audit))
    record = {"kind": "validation", "step": 1, "body_tokens": 10, "condition": evil, "group": "all", "loss": 2.0}
    (folder / "runs" / "plain-seed0" / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    html = write_report(folder).read_text(encoding="utf-8")
    reader = check_closed(html)
    assert reader.text.count(evil) > 40
    assert not re.search(r"(conditioned|plain|seed\d)49", reader.text), "an expression in data was computed"


def test_every_gap_is_a_marked_sentence(folder: Path) -> None:
    removed = ["samples.json", "summary.json", "corpus", "runs", "manifest.json", "locate/conditioned-seed0"]
    for one in [*removed, "locate/conditioned-seed1/confusion.parquet"]:
        target = folder / one
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    html = write_report(folder).read_text(encoding="utf-8")
    reader = check_closed(html)
    assert "holds no samples.json" in section(html, "samples")
    assert "holds no locate/conditioned-seed1/confusion.parquet" in section(html, "locate")
    for words in read_results(folder).gaps.values():
        assert all(" ".join(one.split()) in reader.text for one in words)


def test_levels_alone_make_a_page(folder: Path) -> None:
    path = folder / "scores.parquet"
    table = pd.read_parquet(path)
    table[(table["metric"] == "nll") & (table["slice_by"] == "all")].iloc[:1].to_parquet(path)
    for name in ("locate", "mcq", "efficiency"):
        shutil.rmtree(folder / name)
    html = write_report(folder).read_text(encoding="utf-8")
    text = Reader(html).text
    assert "shows levels only" in text
    assert "so there is no map" in text
    assert "holds no paired differences" in text
    assert set(re.findall(r'<section id="(\w+)"', html)) == set(ORDER) - {"swaps", "tokens", "locate", "mcq"}


def test_numbers_that_are_not_finite_are_marked(folder: Path) -> None:
    edit(folder / "scores.parquet", value=float("nan"), ci_low=float("inf"), ci_high=float("nan"), p=float("nan"))
    (folder / "summary.json").write_text('{"recovered_gain": NaN, "seconds": Infinity}')
    html = write_report(folder).read_text(encoding="utf-8")
    assert check_closed(html).text.count("not available") > 20


def test_an_open_interval_is_said(folder: Path) -> None:
    edit(folder / "scores.parquet", value=0.8, ci_low=0.5, ci_high=float("inf"))
    text = " ".join(str(block) for block in measures.learning(read_results(folder)).blocks)
    assert "Not reached in part of the resamples, so no upper end." in text
    assert "50 or more" in text


def test_two_protocols_are_refused_and_no_page_is_left(folder: Path) -> None:
    edit(folder / "scores.parquet", protocol=two_protocols())
    (folder / "report.html").unlink(missing_ok=True)
    with pytest.raises(UserError, match="protocols"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_country_that_is_tested_but_not_trained_on_is_red(folder: Path) -> None:
    path = folder / "corpus" / "audit.json"
    audit = json.loads(path.read_text())
    audit["countries"]["ie"]["train"]["documents"] = 0
    audit["no_country"] = {"train": {"documents": 5}}
    path.write_text(json.dumps(audit))
    rows = sections.coverage(read_results(folder)).blocks[-1].rows  # type: ignore[union-attr]
    assert [row.cells[0] for row in rows if row.bad] == ["Ireland"]
    assert rows[-1].cells[:3] == ["not known", "5", "not recorded"]


def test_a_table_that_is_too_long_says_how_much_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "MOST_ROWS", 10)
    results = read_results(folder)
    words = str(sections.all_scores(results).blocks[-1])
    assert f"{len(results.scores) - 10:,} further rows" in words


def luminance(color: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_that_of_wcag_aa(theme: int) -> None:
    css = (Path(report.__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colors = {
        name: tuple(int(value[at : at + 2], 16) / 255 for at in (1, 3, 5))
        for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)
    }

    def mix(one: str, part: float, other: str) -> tuple[float, ...]:
        return tuple(part * a + (1 - part) * b for a, b in zip(colors[one], colors[other], strict=True))

    text = [("ink", ground) for ground in ("paper", "panel", "middle", "cool", "warm", "bad-panel")]
    text += [(name, ground) for name in ("muted", "accent") for ground in ("paper", "panel")]
    text += [("bad", "paper"), ("bad", "bad-panel"), ("muted", "middle"), ("paper", "better"), ("paper", "worse")]
    assert {pair for pair in text if contrast(colors[pair[0]], colors[pair[1]]) < 4.5} == set()
    assert contrast(colors["ink"], mix("cool", 0.62, "middle")) >= 4.5
    assert contrast(colors["ink"], mix("unsure", 0.45, "rule")) >= 4.5
    marks = ["better", "worse", "unsure", *(f"series-{n}" for n in range(1, 7))]
    assert {name for name in marks if contrast(colors[name], colors["paper"]) < 3} == set()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Leaves pages some sections, and the last: to draw all of them takes seconds."""

    def choose(*names: str) -> None:
        kept = tuple(make for make in sections.SECTIONS if make.__name__ in {*names, "making"})
        assert len(kept) == len(names) + 1
        monkeypatch.setattr(sections, "SECTIONS", kept)

    return choose


def test_a_comparison_across_mixes_says_so_and_comes_last(folder: Path, only: Callable[..., None]) -> None:
    """As `evaluate.compare` makes them: here the plain runs become local ones."""
    only("differences")
    text = Reader(section(write_report(folder).read_text(), "differences")).text
    assert "the models also differ in" not in text
    edit(folder / "runs.parquet", trained_on=["Africa", "all", "Africa", "all"])
    results = read_results(folder)
    assert set(results.runs.loc[results.runs["trained_on"] == "Africa", "family"]) == {"plain"}
    words = "conditioned, gold metadata minus plain, no metadata: the models also differ in trained_on (all, Africa)."
    page = write_report(folder).read_text()
    assert words in Reader(section(page, "differences")).text
    assert "The two models also differ in trained_on (all, Africa)." in Reader(page).text


def regional(folder: Path, value: float) -> None:
    """Adds, to the main comparison, the rows of a region: its whole row again, once inside and once outside."""
    table = pd.read_parquet(folder / "scores.parquet")
    main = (table["run"] == "conditioned") & (table["condition"] == "gold") & (table["versus_run"] == "plain")
    main &= (table["metric"] == "nll_difference") & (table["slice_by"] == "all")
    rows = [table[main].assign(slice_by="region", slice=part, value=value) for part in ("in", "out")]
    pd.concat([*rows, table], ignore_index=True).to_parquet(folder / "scores.parquet")


def test_a_region_has_its_rows_and_is_not_india(folder: Path, only: Callable[..., None]) -> None:
    only("differences", "countries")
    before = Reader(section(write_report(folder).read_text(), "countries")).text
    assert "India" in before
    regional(folder, 7.891)
    page = write_report(folder).read_text()
    text = Reader(section(page, "differences")).text
    assert re.search(r"In the region of training \+7.891 .*Outside the region of training \+7.891 ", text)
    assert "In the region of its training the difference is +7.891, outside it +7.891." in Reader(page).text
    assert Reader(section(page, "countries")).text == before


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ci_low": -0.01, "ci_high": 0.02, "p_holm": 0.4}, "Equivalent within 0.03 nats per token."),
        ({"ci_low": 0.005, "ci_high": 0.02, "p_holm": 0.01}, "Worse: perplexity 1.0% higher; equivalent within 0.03"),
        ({"ci_low": 0.005, "ci_high": 0.02, "p_holm": 0.2}, "but not after Holm's correction; equivalent within 0.03"),
    ],
)
def test_equivalence_is_said_where_the_table_has_it(values: dict[str, float], words: str) -> None:
    row = {"value": 0.01, **values}
    assert words in effects.reading(pd.Series({**row, "equivalent_within": 0.03}))
    assert "quivalent" not in effects.reading(pd.Series({**row, "equivalent_within": float("nan")}))


def test_the_recovered_gain_is_that_of_the_run_that_the_summary_names(
    page: str, folder: Path, only: Callable[..., None]
) -> None:
    assert "conditioned-seed0 recovers" in Reader(section(page, "recovered")).text
    only("recovered")
    summary = json.loads((folder / "summary.json").read_text())
    del summary["recovered_gain_run"]
    (folder / "summary.json").write_text(json.dumps(summary))
    text = Reader(write_report(folder).read_text()).text
    assert "a run that summary.json does not name recovers" in text
