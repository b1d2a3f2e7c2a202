"""The table behind every figure: what it shows, number by number, each with its interval.

Enters: estimates of a score table, or rows of another measure. Leaves: `Line`s, short texts that the template lays out.
Deliberately not done: no number without saying how sure it is; what is not known is said in words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dateline.records import Score
from dateline.report.numerals import NOT_AVAILABLE, count, interval, is_number, number, p_text, signed
from dateline.report.scoretable import Estimate


@dataclass(frozen=True, slots=True)
class Line:
    """One number in words."""

    labels: tuple[str, ...]
    """What it is a number of, one text for each heading."""
    value: str
    sure: str
    """Its 95% interval, or why there is none."""
    p_value: str
    """Corrected where the table says so; empty for levels."""
    detectable: str
    """The difference that would have been found in 80% of repetitions; empty for levels."""
    documents: str


@dataclass(frozen=True, slots=True)
class Lines:
    """One table."""

    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    unit: str
    tests: bool
    """Whether the lines are differences, which have p-values and detectable effects."""


def table_of(headings: tuple[str, ...], lines: list[Line], unit: str) -> Lines | None:
    """Returns a table, or None where there is no line."""
    tests = any(line.p_value or line.detectable for line in lines)
    return Lines(headings, tuple(lines), unit, tests) if lines else None


def difference_line(labels: tuple[str, ...], found: Estimate, digits: int = 3) -> Line:
    """Returns the line of a difference in nats per token."""
    p_value, corrected = (found.p_holm, " (Holm)") if found.p_holm is not None else (found.p_value, "")
    return Line(
        labels=labels,
        value=signed(found.value, digits),
        sure=how_sure(found.low, found.high, found.num_documents, digits, sign=True),
        p_value=(p_text(p_value, name=False) or NOT_AVAILABLE) + corrected,
        detectable=number(found.mde, digits) if found.mde is not None else "not recorded",
        documents=count(found.num_documents),
    )


def level_line(labels: tuple[str, ...], found: Estimate, digits: int = 3) -> Line:
    """Returns the line of a level."""
    sure = how_sure(found.low, found.high, found.num_documents, digits)
    return Line(labels, number(found.value, digits), sure, "", "", count(found.num_documents))


def share_line(labels: tuple[str, ...], score: Score, digits: int = 1, *, sign: bool = False) -> Line:
    """Returns the line of a share, or of a difference of shares, in percent."""
    show = signed if sign else number
    ends = [100 * end for end in (score.ci_low, score.ci_high)]
    p_value = score.p_holm if score.p_holm is not None else score.p_value
    return Line(
        labels=labels,
        value=show(100 * score.value, digits),
        sure=how_sure(ends[0], ends[1], score.num_documents, digits, sign=sign),
        p_value=(p_text(p_value, name=False) or NOT_AVAILABLE) + (" (Holm)" if score.p_holm is not None else "")
        if score.versus
        else "",
        detectable=(number(100 * score.mde, digits) if score.mde is not None else "not recorded")
        if score.versus
        else "",
        documents=count(score.num_documents),
    )


def share_sure(low: float, high: float, documents: int, digits: int = 1) -> str:
    """Says the interval of a share in percent: `88.1 to 93.0%`, `not available`."""
    text = how_sure(100 * low, 100 * high, documents, digits)
    if text.startswith(NOT_AVAILABLE):
        return text
    return text.replace(" or more", "% or more") if text.endswith(" or more") else f"{text}%"


def how_sure(low: float, high: float, documents: int, digits: int = 3, *, sign: bool = False) -> str:
    """Says an interval, or why there is none: `0.91 to 0.94`, `not available (one document)`, `5.00 or more`."""
    if is_number(low) and high == math.inf:
        return f"{(signed if sign else number)(low, digits)} or more"
    text = interval(low, high, digits, sign=sign)
    return f"{text} (one document)" if text == NOT_AVAILABLE and documents == 1 else text
