from __future__ import annotations

import math

import pytest

from dateline.report import sentences
from dateline.report.scoretable import ScoreTable

from .helpers import score, scores

CONDITION = {"run": "conditioned", "condition": "gold", "metric": "nll_difference", "versus": "plain/none"}


def difference(value: float, half: float = 0.01, p_value: float = 1e-5, group: str = "all", **more: object):
    grouping = "all" if group == "all" else "country"
    return score(
        "conditioned", "gold", "nll_difference", value, half,
        versus="plain/none", p_value=p_value, grouping=grouping, group=group, **more,
    )  # fmt: skip


def test_the_verdict_says_what_on_how_much_how_large_and_how_sure() -> None:
    text = " ".join(sentences.verdict(ScoreTable(scores()), {}))
    assert "the conditioned model predicts the news better than the plain model told nothing" in text
    assert "1,800 documents (412,345 tokens; 95% interval" in text
    assert "p < 0.001" in text
    assert "18 of 18 countries" in text
    assert "Told a wrong place, it is worse than" in text
    assert "Not every model was trained with several seeds" in text


@pytest.mark.parametrize(
    ("value", "word"), [(-0.1, "better than"), (0.1, "worse than"), (0.001, "cannot be told apart from")]
)
def test_the_direction_is_the_interval_s(value: float, word: str) -> None:
    levels = [score("plain", "none", "nll", 2, 0.1)]
    assert word in sentences.verdict(ScoreTable([*levels, difference(value)]), {})[0]


def test_countries_that_hold_zero_are_undecided() -> None:
    rows = [score("plain", "none", "nll", 2, 0.1), difference(-0.1)]
    rows += [difference(-0.1, group="gh"), difference(0.1, group="ie"), difference(0.001, 0.1, 0.9, group="us")]
    text = sentences.verdict(ScoreTable(rows), {})[1]
    assert "better in 1 of 3 countries, worse in 1, undecided in 1" in text
    assert "(Ghana)" in text
    assert "(Ireland)" in text


def test_nan_is_not_available() -> None:
    rows = [score("plain", "none", "nll", 2, 0.1), difference(math.nan, math.nan, math.nan)]
    text = " ".join(sentences.verdict(ScoreTable(rows), {"recovered_gain": math.nan}))
    assert "is not available" in text
    assert "nan" not in text.lower().replace("finance", "")


def test_without_comparisons_only_levels_are_claimed() -> None:
    text = " ".join(sentences.verdict(ScoreTable([score("a", "none", "ppl", 9.0, 0.2)]), {}))
    assert "levels only" in text
    assert "9.00 (95% interval 8.80 to 9.20), of a, told nothing" in text


def test_recovered_gain_with_and_without_interval() -> None:
    assert sentences.recovered_sentence({}) == ""
    assert "93% (95% interval 88 to 98%)" in sentences.recovered_sentence(
        {"recovered_gain": 0.93, "recovered_gain_ci": [0.88, 0.98]}
    )
    assert "no interval" in sentences.recovered_sentence({"recovered_gain": 0.93, "recovered_gain_ci": [0.88, None]})


def test_the_caption_counts_what_survives_correction() -> None:
    rows = [score("plain", "none", "nll", 2, 0.1), difference(-0.1)]
    rows += [difference(-0.1, p_value=p, group=g) for g, p in (("gh", 1e-4), ("ie", 0.04), ("us", 0.9))]
    assert "over 3 countries, 1 of them" in sentences.forest_caption(ScoreTable(rows))


def test_seeds_are_spoken_of() -> None:
    table = ScoreTable(scores(("gh", "ie"), seeds=3))
    assert "at least 3 seeds" in sentences.verdict(table, {})[-1]
    assert "Ticks are single seeds" in sentences.forest_caption(table)


def test_the_table_s_own_correction_is_taken_where_it_has_one() -> None:
    rows = [score("plain", "none", "nll", 2, 0.1), difference(-0.1)]
    rows += [difference(-0.1, p_value=1e-4, p_holm=p, group=g) for g, p in (("gh", 1e-3), ("ie", 0.2), ("us", 0.9))]
    assert "over 3 countries, 1 of them" in sentences.forest_caption(ScoreTable(rows))


def test_the_verdict_marks_a_leak() -> None:
    rows = [score("plain", "none", "nll", 2, 0.1), difference(-0.1, fields="url")]
    assert "the conditioned model [leak] predicts" in sentences.verdict(ScoreTable(rows), {})[0]
