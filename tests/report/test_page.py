from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dateline.report.page as page
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report import write_report

from .helpers import build, score, scores, write_scores
from .measures import (
    build_whole,
    difference,
    swaps,
    tokens,
    whole_table,
    write_efficiency,
    write_locating,
    write_questions,
)

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags, attributes and visible text, and checks that tags nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def whole(paper_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = tmp_path_factory.mktemp("whole") / "experiment"
    shutil.copytree(paper_folder, copy)
    return write_report(copy).read_text(encoding="utf-8")


def test_the_page_is_one_file_that_needs_nothing_else(whole: str) -> None:
    reader = Reader(whole)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(reader.tags)
    assert not re.search(r"(?:https?:)?//[a-z]", whole)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert all(value.startswith("#") for name, value in reader.attributes if name == "href")
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", whole))
    assert "@import" not in whole
    assert len(whole) < 1_000_000


def test_every_section_is_there_in_order(whole: str) -> None:
    order = ["countries", "differences", "learning", "recovered", "coverage", "samples", "scores", "making"]
    assert re.findall(r'<section id="(\w+)"', whole) == order
    assert 'class="gap"' not in whole
    assert whole.count('role="img"') == 8
    ids = re.findall(r'\bid="([^"]+)"', whole)
    assert len(ids) == len(set(ids))


def test_key_numbers_and_their_intervals(whole: str) -> None:
    text = Reader(whole).text
    assert "recovered gain 93% 95% interval 88 to 98%" in text
    assert re.search(r"perplexity: plain, told nothing 9\.\d\d 95% interval [\d.]+ to [\d.]+", text)
    assert "perplexity: conditioned, told a wrong place" in text
    assert "p = 0.0 " not in text
    assert "nan" not in re.sub(r"[Ff]inanc|Ghanan", "", text).lower()


def test_the_same_folder_gives_the_same_page(folder: Path) -> None:
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
    assert [path.name for path in folder.glob(".*")] == []


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = build_whole(tmp_path_factory.mktemp("everything") / "experiment", ("gh", "ie", "us"))
    return write_report(folder).read_text(encoding="utf-8")


def test_every_measure_has_its_section(everything: str) -> None:
    order = [
        "countries", "swaps", "differences", "tokens", "locating", "questions", "learning", "recovered", "coverage",
        "samples", "scores", "making",
    ]  # fmt: skip
    assert re.findall(r'<section id="(\w+)"', everything) == order
    reader = Reader(everything)
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    assert not re.search(r"(?:https?:)?//[a-z]", everything)
    ids = re.findall(r'\bid="([^"]+)"', everything)
    assert len(ids) == len(set(ids))
    assert not re.search(r"\b(nan|inf|None)\b", reader.text)
    assert "the diagonal is the reference and zero by definition" in reader.text


def test_no_figure_stands_without_a_table_of_its_intervals(everything: str) -> None:
    for section in ("countries", "swaps", "tokens", "locating", "questions"):
        start = everything.index(f'<section id="{section}"')
        part = everything[start : everything.index("</section>", start)]
        assert "<figure>" in part
        assert "95% interval</th>" in part


def test_a_leak_is_a_banner_and_a_mark_at_every_name(everything: str, whole: str) -> None:
    assert everything.index('class="warning"') < everything.index("<h1>")
    text = Reader(everything).text
    assert "Leak warning. with-url saw the URL" in text
    assert not re.search(r"(?<!\[leak\] )with-url, told|with-url model(?! \[leak\])", text)
    assert "Leak warning" not in whole


def test_many_swaps_leave_the_page_in_bounds(tmp_path: Path) -> None:
    folder = build(tmp_path / "experiment")
    write_scores(folder, whole_table())
    html = write_report(folder).read_text(encoding="utf-8")
    assert len(html) < 3_000_000


def test_a_score_table_that_is_too_long_says_how_much_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST_ROWS", 10)
    left = len(scores(("gh", "ie", "us"))) - 10
    text = Reader(write_report(folder).read_text(encoding="utf-8")).text
    assert f"{left} further rows stand in scores.parquet only" in text


@pytest.mark.parametrize("evil", [SCRIPT, IMAGE, "{{ 7*7 }}{% raw %}", "a]]>&lt;b&#39;\x00\ud800"])
def test_hostile_words_stay_words(tmp_path: Path, evil: str) -> None:
    folder = build(tmp_path / "experiment", ("gh", "ie", "us"))
    clean = evil.replace("\ud800", "")
    told, base = f"told{clean}", f"plain{clean}/none"
    table = scores(("gh", "ie", clean), families=(f"plain{clean}", told))
    table += [*swaps(told, ("gh", "ie", clean)), *tokens(told, "gold", base, -0.1)]
    table += [score(told, clean, "nll", 2.0, 0.1, fields=f"url+{clean}")]
    table += [difference(told, clean, base, -0.1, 0.01, grouping=grouping, group=clean)
              for grouping in ("all", "part", "position", "continent")]  # fmt: skip
    table += [score("", "", "title_in_url", 0.6, 0.1, grouping=g, group=clean) for g in ("all", "country")]
    write_scores(folder, [dataclasses.replace(row, corpus=clean, model=clean) for row in table])
    write_locating(folder, ("gh", clean), "run")
    write_questions(folder, "run")
    write_efficiency(folder, "run")
    for measure in ("locate", "mcq", "efficiency"):
        spoil(folder / measure / "run", clean)
    place = {"domain": evil, "country": evil, "continent": evil}
    samples = [{"headline": evil, "run": evil, "place": place, "continuation": evil}]
    (folder / "samples.json").write_text(json.dumps(samples))
    write_manifest(folder, Manifest.of("experiment", {"name": clean, clean: clean}, {clean: clean}))
    audit = json.loads((folder / "corpus" / "audit.json").read_text())
    audit["countries"][evil] = audit["countries"]["gh"] | {"continent": evil}
    audit["problems"] = [evil]
    (folder / "corpus" / "audit.json").write_text(json.dumps(audit))
    metrics = {"kind": "validation", "step": 1, "tokens": 10, "condition": evil, "group": "all", "loss": 2.0}
    (folder / "runs" / "plain" / "metrics.jsonl").write_text(json.dumps(metrics) + "\n")
    html = write_report(folder).read_text(encoding="utf-8")
    reader = Reader(html)
    assert not {"script", "img"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    visible = evil.split("\x00")[0]
    assert reader.text.count(visible) > 40
    assert not re.search(r"(told|plain|run)49", reader.text), "an expression in data was computed"


def spoil(place: Path, words: str) -> None:
    """Puts hostile words behind every name in the tables of a measure."""
    for path in place.glob("*.parquet"):
        table = pq.read_table(path)
        for name in ("run", "condition", "truth", "predicted", "versus", "group"):
            if name in table.column_names:
                spoiled = [
                    f"{value}{words}" if value and value != "all" else value for value in table[name].to_pylist()
                ]
                table = table.set_column(table.column_names.index(name), name, pa.array(spoiled))
        pq.write_table(table, path)


@pytest.mark.parametrize(
    ("remove", "sentence"),
    [
        ("samples.json", "The folder holds no samples.json."),
        ("summary.json", "The folder holds no summary.json."),
        ("corpus", "The folder holds no audit.json."),
        ("runs", "No run in this folder left a metrics.jsonl"),
        ("manifest.json", "it cannot be said how to make this again"),
    ],
)
def test_a_gap_is_a_marked_sentence(folder: Path, remove: str, sentence: str) -> None:
    target = folder / remove
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    html = write_report(folder).read_text(encoding="utf-8")
    assert sentence in Reader(html).text
    assert 'class="gap"' in html


def test_levels_alone_make_a_page(folder: Path) -> None:
    write_scores(folder, [row for row in scores(("gh",)) if row.grouping == "all" and row.metric == "nll"][:1])
    text = Reader(write_report(folder).read_text(encoding="utf-8")).text
    assert "levels only" in text
    assert "there is no map of countries" in text
    assert "holds no paired differences" in text


def test_numbers_that_are_not_finite_are_marked(folder: Path) -> None:
    gone = {"value": math.nan, "ci_low": math.inf, "ci_high": math.nan}
    write_scores(folder, [dataclasses.replace(row, **gone) for row in scores(("gh", "ie"))])
    (folder / "summary.json").write_text('{"recovered_gain": NaN, "seconds": Infinity}')
    text = Reader(write_report(folder).read_text(encoding="utf-8")).text
    assert text.count("not available") > 20
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE)


def test_two_protocols_are_refused_and_no_page_is_left(folder: Path) -> None:
    table = scores(("gh",))
    write_scores(folder, [*table, dataclasses.replace(table[0], protocol="paper-1")])
    with pytest.raises(UserError, match="protocols"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_country_that_is_tested_but_not_trained_on_is_red(folder: Path) -> None:
    path = folder / "corpus" / "audit.json"
    audit = json.loads(path.read_text())
    audit["countries"]["ie"]["train"]["documents"] = 0
    path.write_text(json.dumps(audit))
    html = write_report(folder).read_text(encoding="utf-8")
    assert '<span class="problem">tested but not trained on</span>' in html
    assert 'class="bad"' in html


def test_perplexity_falls_back_to_the_summary(folder: Path) -> None:
    write_scores(folder, [row for row in scores(("gh",)) if row.metric != "ppl"])
    assert "9.15" in Reader(write_report(folder).read_text(encoding="utf-8")).text


def luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_contrast_is_that_of_wcag_aa(theme: int) -> None:
    css = (Path(page.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]))
    text = [("ink", b) for b in ("paper", "panel", "middle", "cool", "warm")]
    text += [(name, b) for name in ("muted", "accent") for b in ("paper", "panel")]
    text += [("bad", "paper"), ("bad", "bad-panel"), ("muted", "middle")]
    assert {pair for pair in text if contrast(colors[pair[0]], colors[pair[1]]) < 4.5} == set()
    marks = ["better", "worse", "unsure", *(f"series-{n}" for n in range(1, 7))]
    assert {name for name in marks if contrast(colors[name], colors["paper"]) < 3} == set()
