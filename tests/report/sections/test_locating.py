from __future__ import annotations

import math
from pathlib import Path

import pytest

from dateline.report.measures import Locating, read_locating
from dateline.report.sections.locating import located

from ..measures import row, write_locating

COUNTRIES = ("gh", "ie", "us")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Locating:
    folder: Path = tmp_path_factory.mktemp("locating")
    write_locating(folder, COUNTRIES)
    return read_locating(folder / "locate", {})[0]


def test_every_measure_stands_beside_the_baseline_and_with_names_masked(found: Locating) -> None:
    (shown,) = located([found])
    assert shown.lines is not None
    labels = {line.labels for line in shown.lines.lines}
    assert len(labels) == 5 * 2 * 2
    assert ("country right", "TF-IDF baseline", "names masked") in labels
    assert all(" to " in line.sure for line in shown.lines.lines)


def test_sentences_say_how_often_against_what_and_how_sure(found: Locating) -> None:
    text = " ".join(located([found])[0].sentences)
    assert "On the text, conditioned names the right country in 78.0% (95% interval 75.9 to 80.1%) of 1,800" in text
    assert "the TF-IDF baseline in 70.2%" in text
    assert "is better than the TF-IDF baseline with place names masked: +7.1 percentage points" in text
    assert "p < 0.001, p < 0.001 after Holm's correction" in text


def test_reliability_and_confusion_are_drawn_for_both_forms(found: Locating) -> None:
    (shown,) = located([found])
    assert shown.reliability is not None
    drawn = str(shown.reliability.wide)
    assert drawn.count("documents, up to 380 in a bin") == 4
    assert "with place names masked, ECE 6.1%" in drawn
    assert shown.bins is not None
    assert len(shown.bins.lines) == 40
    assert [label for label, _ in shown.confusions] == [
        "conditioned, on the text", "conditioned, with place names masked",
    ]  # fmt: skip
    assert shown.countries is not None
    assert len(shown.countries.lines) == 4 * len(COUNTRIES)


def test_scores_alone_are_shown_without_figures(found: Locating) -> None:
    (shown,) = located([Locating("x", found.scores)])
    assert shown.reliability is None
    assert shown.bins is None
    assert shown.confusions == ()


def test_no_difference_and_no_baseline_are_said() -> None:
    rows = [row("accuracy_country", 0.5, 0.02), row("accuracy_country_difference", 0.01, 0.02, versus="tfidf/text")]
    text = " ".join(located([Locating("x", tuple(rows))])[0].sentences)
    assert "no baseline stands beside it" in text
    assert "cannot be told apart from the TF-IDF baseline" in text


def test_a_leak_and_what_is_not_finite_are_marked() -> None:
    gone = row("accuracy_country", math.nan, math.nan, fields="url", num_documents=1)
    (shown,) = located([Locating("x", (gone,))])
    assert shown.name == "[leak] conditioned"
    assert "not available (95% interval not available (one document)) of 1 document;" in shown.sentences[0]
