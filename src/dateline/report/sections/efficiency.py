"""Learning efficiency: how many tokens the one model needs to reach the loss that another ends with.

Enters: the tables of `efficiency/`. Leaves: a sentence for each comparison, a figure of the shares, a table.
Deliberately not done: no extrapolation: where the loss was not reached in part of the resamples, the interval is open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dateline.evaluate.comparisons import family
from dateline.records import Score
from dateline.report import intervals
from dateline.report.figures import Figure
from dateline.report.figures.shares import Mark, SharePanel, ShareRow, shares
from dateline.report.measures import Measured
from dateline.report.numerals import NOT_AVAILABLE, count, counted, is_number, large, percent
from dateline.report.sections.leaks import marked
from dateline.report.words import told, upper

TOKENS, SHARE = "tokens_to_reach", "share_to_reach"
MOST_MARKS = 6
"""Comparisons of the figure that can be told apart; the others stand in sentences and table."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Everything about learning efficiency."""

    sentences: tuple[str, ...]
    figure: Figure | None
    lines: intervals.Lines | None


def efficiency(found: Sequence[Measured]) -> Efficiency | None:
    """Returns the comparisons over all documents, or None where there are none."""
    scores = [s for one in found for s in one.scores if s.versus and s.grouping == "all"]
    tokens = [s for s in scores if s.metric == TOKENS]
    if not tokens:
        return None
    pooled = {(family(s.run), s.condition) for s in tokens if s.num_seeds > 1}
    tokens = [s for s in tokens if s.num_seeds > 1 or (family(s.run), s.condition) not in pooled]
    share = {_key(s): s for s in scores if s.metric == SHARE}
    drawn = [s for s in tokens if _key(s) in share][:MOST_MARKS]
    row = ShareRow("All", tuple(_mark(share[_key(s)]) for s in drawn), strong=True)
    panel = SharePanel("Share of the other's tokens", (row,), 1.0, "as many as the other")
    words = "; ".join(_sentence(s, share.get(_key(s))) for s in tokens)
    names = [f"{_name(s)}, to reach {_other(s)}" for s in drawn]
    figure = shares([panel], names, "efficiency", "Tokens to reach the other's loss", words) if drawn else None
    return Efficiency(
        sentences=tuple(_sentence(s, share.get(_key(s))) for s in tokens),
        figure=figure,
        lines=intervals.table_of(("model", "to reach"), [_line(s) for s in tokens], "body tokens"),
    )


def tokens_sure(score: Score) -> str:
    """Says the interval of a number of tokens: `4.8M to 5.9M`, `from 4.8M, with no upper end`."""
    if is_number(score.ci_low) and score.ci_high == math.inf:
        return f"from {large(score.ci_low)}, with no upper end"
    if not (is_number(score.ci_low) and is_number(score.ci_high)):
        return f"{NOT_AVAILABLE} (one document)" if score.num_documents == 1 else NOT_AVAILABLE
    return f"{large(score.ci_low)} to {large(score.ci_high)}"


def _key(score: Score) -> tuple[str, str, str]:
    return (score.run, score.condition, score.versus)


def _name(score: Score) -> str:
    return f"{marked(score)}, {told(score.condition)}"


def _other(score: Score) -> str:
    run, _, condition = score.versus.rpartition("/")
    return f"{family(run)}, {told(condition)}" if run else told(condition)


def _sentence(tokens: Score, share: Score | None) -> str:
    who = f"{upper(told(tokens.condition))}, {marked(tokens)}"
    if tokens.value == math.inf:
        low = f"; its 95% interval begins at {large(tokens.ci_low)}" if is_number(tokens.ci_low) else ""
        return f"{who} did not reach the final loss of {_other(tokens)} within its training{low}."
    if not is_number(tokens.value):
        return f"{who}: how many tokens it needs to reach the loss of {_other(tokens)} is not available."
    text = (
        f"{who} needs {large(tokens.value)} body tokens (95% interval {tokens_sure(tokens)}) to reach the final loss "
        f"of {_other(tokens)}, measured on {counted(tokens.num_documents, 'document')}"
    )
    if share is not None and is_number(share.value):
        sure = intervals.share_sure(share.ci_low, share.ci_high, share.num_documents, 0)
        text += f": {percent(share.value)} of the tokens that the other took (95% interval {sure})"
    if tokens.ci_high == math.inf:
        text += ". In part of the resamples it was not reached, so the interval has no upper end"
    return f"{text}."


def _mark(score: Score) -> Mark | None:
    return Mark(score.value, score.ci_low, score.ci_high) if is_number(score.value) else None


def _line(score: Score) -> intervals.Line:
    missed = "not reached" if score.value == math.inf else NOT_AVAILABLE
    value = large(score.value) if is_number(score.value) else missed
    labels = (_name(score), _other(score))
    return intervals.Line(labels, value, tokens_sure(score), "", "", count(score.num_documents))
