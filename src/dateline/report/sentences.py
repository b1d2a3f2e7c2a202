"""What the numbers say, in words: computed from the score table, never written by hand.

Enters: a `ScoreTable`, and the summary where there is one. Leaves: plain sentences; the page escapes them.
Deliberately not done: no adjectives of size. A sentence says what was compared, on how much, how large the difference
is and how sure, and where an interval holds zero it says that nothing can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dateline.report.numerals import count, counted, decimals, interval, is_number, number, p_text, percent, signed
from dateline.report.scoretable import Comparison, Estimate, ScoreTable, country_name
from dateline.report.words import model_name, named, told, upper
from dateline.statistics import holm

LEVEL = 0.05
"""Holm-corrected p-values below this count as shown."""


def verdict(table: ScoreTable, summary: Mapping[str, Any]) -> list[str]:
    """Returns the opening paragraph: the main comparison first, then its spread, its controls and its certainty."""
    main = table.main()
    if main is None:
        return [_levels_only(table), *_trust(table)]
    result = [_lead(table, main), _spread_over_countries(table, main)]
    for comparison in table.comparisons:
        same_model = comparison.this[0] == main.this[0] and comparison != main
        if same_model and comparison.versus == main.versus and comparison.this[1] in ("none", "wrong"):
            result.append(_control(table, comparison))
    result.append(recovered_sentence(summary))
    return [sentence for sentence in [*result, *_trust(table)] if sentence]


def how_sure(estimate: Estimate, digits: int = 3) -> str:
    """Says the interval and the p-value of a difference: `95% interval -0.091 to -0.079, p < 0.001`."""
    p_value = p_text(estimate.p_value)
    return f"95% interval {interval(estimate.low, estimate.high, digits, sign=True)}" + (
        f", {p_value}" if p_value else ""
    )


def recovered_sentence(summary: Mapping[str, Any]) -> str:
    """Says how much of the possible gain was recovered; empty where that was not measured."""
    gain = summary.get("recovered_gain")
    if gain is None:
        return ""
    if not is_number(gain):
        return "The recovered gain is not available: its value is not a finite number."
    ends = pair(summary.get("recovered_gain_ci"))
    sure = f" (95% interval {interval(100 * ends[0], 100 * ends[1], 0)}%)" if ends else " (no interval was given)"
    return (
        f"The entropy of this newswire is known, and of the gain that a place can bring at best the model "
        f"recovers {percent(gain)}{sure}."
        + (" More than all of it means that the plain model is further from its own best." if gain > 1 else "")
    )


def pair(value: Any) -> tuple[float, float] | None:
    """Returns `[low, high]` as two finite floats, or None for anything else."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(is_number(end) for end in value):
        return float(value[0]), float(value[1])
    return None


def heat_caption(table: ScoreTable) -> str:
    """Says what a cell of the heat map is."""
    return (
        f"Loss of each model under each condition minus that of {named(table, table.baseline)}, in nats per body "
        "token, on the same documents. Below zero, in blue, the text is predicted better."
    )


def forest_caption(table: ScoreTable) -> str:
    """Says what a row of the forest plot is, and how many country differences survive correction."""
    text = (
        "Paired differences in nats per body token with 95% intervals from resampling documents: blue is better, "
        "orange worse, grey cannot be told from zero. Each panel has a scale of its own. The p-values are not "
        "corrected for the number of rows."
    )
    main = table.main()
    tests = _country_tests(table, main) if main else []
    p_values = [e.p_value for _, e in tests if e.p_value is not None and is_number(e.p_value)]
    if main and p_values:
        corrected = [e.p_holm for _, e in tests if e.p_holm is not None and is_number(e.p_holm)]
        kept = sum(p < LEVEL for p in (corrected if len(corrected) == len(p_values) else holm(p_values)))
        text += (
            f" After Holm's correction over {len(p_values)} countries, {kept} of them still differ at {LEVEL} in the "
            f"first comparison."
        )
    if any(len(e.seeds) > 1 for _, e in tests):
        pooled = all(e.num_seeds == 1 or e.p_holm is not None for _, e in tests)
        text += " Ticks are single seeds" + (
            ", the interval is over documents and seeds."
            if pooled
            else "; the interval is the hull of theirs, and p the largest of theirs."
        )
    return text


def curves_caption(clipped: bool, seeds: bool = False) -> str:
    """Says what the learning curves show."""
    text = "Validation loss on body tokens against tokens seen; the training loss of each run is faint."
    text += " Losses while training carry no interval: conclusions rest on the sections above."
    if clipped:
        text += " The first points lie above the frame."
    if seeds:
        text += " Seeds are drawn one by one; the numbers are their means."
    return text


def _lead(table: ScoreTable, main: Comparison) -> str:
    estimate = table.difference(main)
    if estimate is None or not is_number(estimate.value):
        return f"The difference between {named(table, main.this)} and {named(table, main.versus)} is not available."
    ours, theirs = (table.level(cell, "ppl") for cell in (main.this, main.versus))
    sizes = ""
    if ours and theirs:
        sizes = f": perplexity {number(ours.value)} against {number(theirs.value)}"
    amount = (
        f"{signed(estimate.value)} nats per token on the same {counted(estimate.num_documents, 'document')} "
        f"({count(estimate.num_tokens)} tokens; {how_sure(estimate)})"
    )
    who, other = f"{upper(told(main.this[1]))}, {model_name(table, main.this)}", _other(table, main)
    if not estimate.clear:
        return f"{who} cannot be told apart from {other}{sizes}, a difference of {amount}."
    word = "better" if estimate.value < 0 else "worse"
    return f"{who} predicts the news {word} than {other}{sizes}, a difference of {amount}."


def _other(table: ScoreTable, comparison: Comparison) -> str:
    name, condition = comparison.versus
    same = name == comparison.this[0]
    return f"{'itself' if same else model_name(table, comparison.versus)} {told(condition)}"


def _spread_over_countries(table: ScoreTable, main: Comparison) -> str:
    tests = [(code, e) for code, e in _country_tests(table, main) if is_number(e.value)]
    if not tests:
        return "No country was scored by itself, so nothing can be said about single countries."
    digits = max(2, decimals(max(abs(e.value) for _, e in tests)))
    better = sum(e.clear and e.value < 0 for _, e in tests)
    worse = sum(e.clear and e.value > 0 for _, e in tests)
    unclear = len(tests) - better - worse
    if len(tests) == 1:
        return f"Only one country was scored by itself: {country_name(tests[0][0])}, {signed(tests[0][1].value)}."
    parts = [f"better in {better} of {len(tests)} countries"]
    parts += [f"worse in {worse}"] if worse else []
    parts += [f"undecided in {unclear}, where the interval holds zero"] if unclear else []
    tests.sort(key=lambda item: item[1].value)
    (first, low), (last, high) = tests[0], tests[-1]
    return (
        f"By country it is {', '.join(parts)}; the difference runs from {signed(low.value, digits)} "
        f"({country_name(first)}) to {signed(high.value, digits)} ({country_name(last)})."
    )


def _country_tests(table: ScoreTable, comparison: Comparison) -> list[tuple[str, Estimate]]:
    codes = [code for group in table.countries().values() for code in group]
    found = [(code, table.difference(comparison, "country", code)) for code in codes]
    return [(code, estimate) for code, estimate in found if estimate is not None]


def _control(table: ScoreTable, comparison: Comparison) -> str:
    estimate = table.difference(comparison)
    if estimate is None or not is_number(estimate.value):
        return ""
    what, other = f"{upper(told(comparison.this[1]))}, it", _other(table, comparison)
    amount = f"({signed(estimate.value)}; {how_sure(estimate)})"
    if not estimate.clear:
        return f"{what} cannot be told apart from {other} {amount}."
    return f"{what} is {'better' if estimate.value < 0 else 'worse'} than {other} {amount}."


def _levels_only(table: ScoreTable) -> str:
    levels = [(cell, table.level(cell, "ppl")) for cell in table.cells]
    known = [(cell, e) for cell, e in levels if e is not None and is_number(e.value)]
    text = "No two models were compared on the same documents, so this report shows levels only."
    if known:
        cell, best = min(known, key=lambda item: item[1].value)
        text += (
            f" The lowest perplexity is {number(best.value)} (95% interval {interval(best.low, best.high)}), of "
            f"{named(table, cell)}, on {counted(best.num_documents, 'document')}."
        )
    return text


def _trust(table: ScoreTable) -> list[str]:
    seeds = min((e.num_seeds for cell in table.cells if (e := table.level(cell, "nll"))), default=1)
    if seeds > 1:
        means = (
            "values are means over them; a level has the hull of their intervals, a pooled difference an interval over "
            "documents and seeds"
        )
        return [f"Every model was trained with at least {seeds} seeds; {means}."]
    return ["Not every model was trained with several seeds: the intervals speak of documents, not of training luck."]
