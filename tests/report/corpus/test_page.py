from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import dateline.report.page as report
from dateline.errors import UserError
from dateline.places.countries import all_countries
from dateline.report.corpus import render, write_corpus_page

from .audits import audit, tiny

SECTIONS = [
    "drops", "countries", "years", "outlets", "lengths", "duplicates", "verification", "signals", "filters", "balance",
    "steps", "numbers", "making",
]  # fmt: skip
EVIL = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}{% raw %}", "a]]>&lt;b&#39;\x00\ud800")
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Reader(HTMLParser):
    """Collects tags, attributes and visible words, and checks that tags nest."""

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
        self.handle_startendtag(tag, attrs)
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
def whole() -> str:
    return render(audit())


def folder_of(path: Path, data: dict[str, Any]) -> Path:
    (path / "audit.json").write_text(json.dumps(data), encoding="utf-8")
    return path


def check_closed(html: str) -> Reader:
    reader = Reader(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in ("src", "srcset", "action")]
    assert all(value.startswith("#") for name, value in reader.attributes if name == "href")
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", html))
    assert "@import" not in html
    return reader


def test_the_page_is_one_file_that_needs_nothing_else(whole: str) -> None:
    check_closed(whole)
    assert len(whole) < 1_000_000
    assert "default-src 'none'" in whole


def test_every_section_is_there_in_order_with_its_sentence(whole: str) -> None:
    assert re.findall(r'<section id="(\w+)"', whole) == SECTIONS
    assert whole.count('class="saying"') == len(SECTIONS) - 2
    assert 'class="gap"' not in whole
    ids = re.findall(r'\bid="([^"]+)"', whole)
    assert len(ids) == len(set(ids))
    assert not re.search(r"\b(nan|inf|None)\b", Reader(whole).text)


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


def test_the_page_is_written_into_the_folder_or_elsewhere(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, tiny())
    first = write_corpus_page(folder)
    assert first == folder / "corpus.html"
    other = write_corpus_page(folder, tmp_path / "other.html")
    assert other.read_bytes() == first.read_bytes()
    assert [path.name for path in folder.glob(".*")] == []
    with pytest.raises(UserError, match="cannot be written"):
        write_corpus_page(folder, tmp_path / "no" / "such" / "folder.html")


def test_the_folder_names_a_corpus_without_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "ghana-small"
    folder.mkdir()
    html = write_corpus_page(folder_of(folder, tiny())).read_text(encoding="utf-8")
    assert "<h1>ghana-small</h1>" in html


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
    html = render(data)
    reader = check_closed(html)
    assert evil.split("\x00")[0] in reader.text
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", html)
    html.encode("utf-8")


@pytest.mark.parametrize("part", sorted(set(audit(("gh",))) - {"documents", "name"}))
def test_every_part_may_be_absent(part: str) -> None:
    data = audit(("gh", "ie"))
    del data[part]
    text = Reader(render(data)).text
    assert not re.search(r"\b(nan|None)\b", text)
    if part not in (
        "splits",
        "no_country",
        "continent_only",
        "fingerprint",
        "problems",
        "files",
        "undated",
        "verified",
    ):
        assert "not recorded" in text.lower()


def test_an_empty_audit_says_what_is_missing() -> None:
    html = render({})
    assert html.count("Not recorded.") == len(SECTIONS) - 1
    check_closed(html)


def test_a_tiny_corpus_makes_a_page() -> None:
    text = Reader(render(tiny())).text
    assert "All documents with a country come from Ghana (3 documents)." in text
    assert "There is only one group" in text
    assert "1 outlet;" in text


def test_many_countries_are_told_of_and_stand_in_the_last_table() -> None:
    codes = sorted(all_countries())[:80]
    html = render(audit(codes, 100))
    assert "32 smaller ones stand in the last table" in html
    last = html[html.index('<section id="numbers">') :]
    assert all(f'<th scope="row">{all_countries()[code].name}' in last for code in codes if code != "ci")
    assert len(html) < 1_500_000


def test_the_same_audit_gives_the_same_page(whole: str) -> None:
    assert render(audit()) == whole


def luminance(color: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_what_is_written_on_bars_can_be_read(theme: int) -> None:
    css = (Path(report.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[theme]
    colors = {
        name: tuple(int(value[at : at + 2], 16) / 255 for at in (1, 3, 5))
        for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)
    }

    def mix(one: str, part: float, other: str) -> tuple[float, ...]:
        return tuple(part * a + (1 - part) * b for a, b in zip(colors[one], colors[other], strict=True))

    pairs = {
        "agree": (colors["paper"], colors["better"]),
        "single": (colors["ink"], mix("cool", 0.62, "middle")),
        "conflict": (colors["paper"], colors["worse"]),
        "none": (colors["ink"], mix("unsure", 0.45, "rule")),
        "tile": (colors["ink"], colors["cool"]),
        "under": (colors["ink"], colors["warm"]),
    }
    for name, (text, ground) in pairs.items():
        light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, name
