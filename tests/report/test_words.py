from __future__ import annotations

import pytest

from dateline.report import words
from dateline.report.scoretable import ScoreTable

from .helpers import score


@pytest.mark.parametrize(
    ("condition", "told", "short"),
    [
        ("gold", "told the true place", "true place"),
        ("country", "told only its country", "country only"),
        ("country+continent", "told only its country and continent", "country, continent"),
        ("url_hash", "told only its hashed outlet", "hashed outlet only"),
        ("domain+country+continent", "told only its outlet, country and continent", "outlet, country, continent"),
        ("url", "told only its URL", "URL only"),
        ("marginal:corpus", "averaged over countries by their share of the corpus", "average, by corpus"),
        ("marginal:uniform", "averaged over all countries alike", "average, uniform"),
        ("swap:gh", "told Ghana throughout", "Ghana"),
        ("<b>", "under condition <b>", "<b>"),
        ("", "under an unnamed condition", "unnamed"),
    ],
)
def test_conditions_are_put_in_words(condition: str, told: str, short: str) -> None:
    assert words.told(condition) == told
    assert words.short(condition) == short


def test_who_saw_the_url_is_marked_wherever_it_is_named() -> None:
    rows = [score("a", "gold", "nll", 2, 0.1, fields="url+country"), score("b", "gold", "nll", 2, 0.1, fields="domain")]
    table = ScoreTable([*rows, score("b", "url", "nll", 2, 0.1), score("b", "url_hash", "nll", 2, 0.1)])
    assert words.named(table, ("a", "gold")) == "[leak] a, told the true place"
    assert words.named(table, ("b", "gold")) == "b, told the true place"
    assert words.model_name(table, ("a", "gold")) == "the a model [leak]"
    assert words.named(table, ("b", "url")).startswith("[leak]"), "older tables have no column `fields`"
    assert not words.named(table, ("b", "url_hash")).startswith("[leak]")


def test_lists_read_as_sentences_do() -> None:
    assert [words.listed(list(found)) for found in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert words.upper("told") == "Told"
