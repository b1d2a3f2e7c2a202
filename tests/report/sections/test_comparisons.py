from __future__ import annotations

import dataclasses
import math

import pytest

from dateline.report.scoretable import ScoreTable
from dateline.report.sections.comparisons import paragraphs, perplexity_change

from ..helpers import score
from ..measures import difference

LEVELS = [score("plain", "none", "nll", 2.2, 0.02)]


def text(*rows: object) -> str:
    return paragraphs(ScoreTable([*LEVELS, *rows]))[0].text  # type: ignore[list-item]


def row(value: float = -0.118, half: float = 0.0092, **more: object):
    return difference("conditioned", "gold", "plain/none", value, half, **more)


def test_a_paragraph_says_all_of_it() -> None:
    (found,) = paragraphs(ScoreTable([*LEVELS, row()]))
    assert found.heading == "The conditioned model told the true place, against the plain model told nothing"
    assert found.text == (
        "Compared on the same 1,800 documents from 54 outlets, 412,345 body tokens, with one seed. The difference is "
        "\u22120.118 nats per token (95% interval \u22120.127 to \u22120.109), which makes perplexity 11.1% lower "
        "(95% interval 10.3 to 11.9% lower). The interval leaves out zero: the first predicts better (p < 0.001 after "
        "Holm's correction, p < 0.001 before). A true difference smaller than 0.013 nats per token, either way, would "
        "have been missed in more than one of five such evaluations."
    )


def test_an_interval_that_holds_zero_tells_nothing_apart() -> None:
    found = text(row(0.001, 0.005, p_holm=1.0))
    assert "The interval holds zero, so the two cannot be told apart" in found
    assert "0.4% lower to 0.6% higher" in found
    assert "predicts" not in found


def test_what_does_not_survive_correction_is_said() -> None:
    assert "may still be chance (p = 0.21 after" in text(row(-0.02, 0.019, p_value=0.03, p_holm=0.21))


def test_older_tables_say_what_they_lack() -> None:
    found = text(row(p_holm=None, mde=None, num_outlets=0))
    assert "the number of outlets is not recorded" in found
    assert "no value corrected for the number of tests" in found
    assert "does not say which differences could not have been detected" in found


def test_a_group_of_one_document_has_no_interval() -> None:
    found = text(row(num_documents=1, num_outlets=1, ci_low=math.nan, ci_high=math.nan, p_value=math.nan))
    assert "the same 1 document from 1 outlet," in found
    assert "95% interval not available: one document has no spread" in found
    assert "nothing can be said about its sign" in found
    assert "nan" not in found


def test_pooled_rows_speak_for_their_seeds() -> None:
    seeds = [dataclasses.replace(row(v), run=f"conditioned-seed{n}", versus=f"plain-seed{n}/none")
             for n, v in enumerate((-0.1, -0.14))]  # fmt: skip
    assert "mean over 2 seeds" in text(*seeds)
    found = text(*seeds, row(-0.12, 0.03, num_seeds=2))
    assert "mean over 2 seeds" in found
    assert "\u22120.150 to \u22120.090" in found


def test_a_leak_is_said_and_a_model_is_compared_with_itself() -> None:
    (found,) = paragraphs(ScoreTable([*LEVELS, row(fields="url+country")]))
    assert "the URL" in found.text
    assert "[leak]" in found.heading
    (same,) = paragraphs(ScoreTable([*LEVELS, difference("a", "gold", "a/wrong", -0.1, 0.01)]))
    assert same.heading == "The a model told the true place, against itself told a wrong place"


def test_what_is_not_finite_is_not_available() -> None:
    assert "is not available" in text(row(math.nan, 0.1))


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.118, "11.1% lower"), (0.1, "10.5% higher"), (0.0, "less than 0.05% different"), (-1e-4, "less than")],
)
def test_nats_as_perplexity(value: float, words: str) -> None:
    assert words in perplexity_change(value)
