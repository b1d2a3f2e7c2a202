"""A paragraph for each comparison: what, on how much, how large, how sure, and what would not have been seen.

Enters: a score table. Leaves: sentences computed from its rows of `nll_difference` over all documents.
Deliberately not done: no adjectives of size, and no word on anything that the table does not hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dateline.report.numerals import count, counted, interval, is_number, number, p_text, signed
from dateline.report.scoretable import Comparison, Estimate, ScoreTable
from dateline.report.sentences import LEVEL
from dateline.report.words import model_name, told, upper


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One comparison in words."""

    heading: str
    text: str


def paragraphs(table: ScoreTable) -> list[Paragraph]:
    """Returns a paragraph for every comparison over all documents, in the order of the table."""
    result = []
    for comparison in table.comparisons:
        found = table.difference(comparison)
        if found is not None:
            result.append(Paragraph(heading(table, comparison), paragraph(table, comparison, found)))
    return result


def heading(table: ScoreTable, comparison: Comparison) -> str:
    """Names both sides: `The conditioned model told the true place, against the plain model told nothing`."""
    sides = [f"{model_name(table, cell)} {told(cell[1])}" for cell in (comparison.this, comparison.versus)]
    if comparison.this[0] == comparison.versus[0]:
        sides[1] = f"itself {told(comparison.versus[1])}"
    return upper(", against ".join(sides))


def paragraph(table: ScoreTable, comparison: Comparison, found: Estimate) -> str:
    """Returns what the table says of one comparison."""
    if not is_number(found.value):
        return f"Compared on {_basis(found)}. The difference is not available: its value is not a finite number."
    parts = [f"Compared on {_basis(found)}.", _size(found), _certainty(found), _blind(found)]
    if table.leaks(comparison.this) or table.leaks(comparison.versus):
        parts.append("One side saw the URL, whose slug gives words of the title away: part of this may be that leak.")
    return " ".join(part for part in parts if part)


def perplexity_change(value: float) -> str:
    """Says a difference in nats as a change of perplexity: -0.118 -> `11.1% lower`."""
    change = 100 * math.expm1(min(value, 700.0))
    if f"{abs(change):.1f}" == "0.0":
        return "less than 0.05% different"
    return f"{number(abs(change), 1)}% {'lower' if change < 0 else 'higher'}"


def _basis(found: Estimate) -> str:
    documents = counted(found.num_documents, "document")
    outlets = f" from {counted(found.num_outlets, 'outlet')}"
    where = outlets if found.num_outlets else " (the number of outlets is not recorded)"
    seeds = f"as a mean over {found.num_seeds} seeds" if found.num_seeds > 1 else "with one seed"
    return f"the same {documents}{where}, {count(found.num_tokens)} body tokens, {seeds}"


def _size(found: Estimate) -> str:
    low, high = found.low, found.high
    text = f"The difference is {signed(found.value)} nats per token"
    if is_number(low) and is_number(high):
        text += f" (95% interval {interval(low, high, 3, sign=True)})"
        ends = f" (95% interval {_ends(low, high)})"
    else:
        one = ": one document has no spread" if found.num_documents == 1 else ""
        text += f" (95% interval not available{one})"
        ends = ""
    return f"{text}, which makes perplexity {perplexity_change(found.value)}{ends}."


def _ends(low: float, high: float) -> str:
    """Says the ends of a change of perplexity: `10.2 to 12.0% lower`, `1.0% lower to 0.5% higher`."""
    first, last = (100 * math.expm1(min(end, 700.0)) for end in (low, high))
    if first < 0 < last or "0.0" in (f"{abs(first):.1f}", f"{abs(last):.1f}"):
        return f"{perplexity_change(low)} to {perplexity_change(high)}"
    small, large = sorted((abs(first), abs(last)))
    return f"{number(small, 1)} to {number(large, 1)}% {'lower' if last < 0 else 'higher'}"


def _certainty(found: Estimate) -> str:
    if not (is_number(found.low) and is_number(found.high)):
        return "Without an interval nothing can be said about its sign."
    plain = p_text(found.p_value)
    holm = p_text(found.p_holm) if found.p_holm is not None else ""
    tests = f"{holm} after Holm's correction, {plain} before" if holm and plain else plain
    bracket = f" ({tests})" if tests else ""
    uncorrected = "" if holm else " The table holds no value corrected for the number of tests."
    if not found.clear:
        return f"The interval holds zero, so the two cannot be told apart{bracket}.{uncorrected}"
    better = "better" if found.value < 0 else "worse"
    if found.p_holm is not None and is_number(found.p_holm) and found.p_holm >= LEVEL:
        return (
            f"The interval leaves out zero, and the first predicts {better}, but after correction for the other "
            f"tests that may still be chance{bracket}."
        )
    return f"The interval leaves out zero: the first predicts {better}{bracket}.{uncorrected}"


def _blind(found: Estimate) -> str:
    if found.mde is None or not is_number(found.mde):
        return "The table does not say which differences could not have been detected."
    digits = 4 if found.mde < 0.01 else 3
    return (
        f"A true difference smaller than {number(found.mde, digits)} nats per token, either way, would have been "
        "missed in more than one of five such evaluations."
    )
