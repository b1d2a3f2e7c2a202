from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import dateline.report.page as page
from dateline.errors import UserError
from dateline.manifest import Manifest, write_manifest
from dateline.report import write_report

from .helpers import build, scores, write_scores

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


@pytest.mark.parametrize("evil", [SCRIPT, IMAGE, "{{ 7*7 }}{% raw %}", "a]]>&lt;b&#39;\x00\ud800"])
def test_hostile_words_stay_words(tmp_path: Path, evil: str) -> None:
    folder = build(tmp_path / "experiment", ("gh", "ie", "us"))
    clean = evil.replace("\ud800", "")
    table = scores(("gh", "ie", clean), families=(f"plain{clean}", f"told{clean}"))
    write_scores(folder, [dataclasses.replace(row, corpus=clean, model=clean) for row in table])
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
    assert reader.text.count(visible) > 8
    assert html.count("49") == html.replace("{{ 7*7 }}", "").count("49")


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


def test_samples_of_one_headline_stand_side_by_side(paper_folder: Path) -> None:
    groups = page.samples(page.read_results(paper_folder).samples)
    assert len(groups) == 1
    assert [entry["told"] for entry in groups[0]["entries"]][:2] == ["Told nothing", "Told Ghana"]


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
