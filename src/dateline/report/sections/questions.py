"""Many-choice questions: how many are right, in which form, told what, and against which chance.

Enters: the tables of `mcq/`. Leaves: a table with intervals, a figure by continent, switch and shift beside one half.
Deliberately not done: no chance level is assumed: where neither table nor manifest gives it, that is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dateline.evaluate.comparisons import family
from dateline.records import CONTINENTS, Score
from dateline.report import intervals
from dateline.report.figures import Figure
from dateline.report.figures.shares import Mark, SharePanel, ShareRow, shares
from dateline.report.measures import Measured
from dateline.report.numerals import is_number, percent
from dateline.report.scoretable import ORDER
from dateline.report.sections.leaks import marked
from dateline.report.words import told

FORMS = {
    "accuracy_cloze": "cloze form",
    "accuracy_letter": "letter form",
    "accuracy_paper_generative": "generated letter, as published",
    "accuracy_paper_generative_strict": "generated letter, every item counted",
}
SWITCHES = {
    "switch_cloze": "switch, cloze form",
    "switch_letter": "switch, letter form",
    "shift_cloze": "shift, cloze form",
    "shift_letter": "shift, letter form",
}
IGNORES = 0.5
"""What a model that ignores its metadata gets on paired items, whatever it prefers."""
DIFFERENCE = "_difference"
MOST_MODELS = 6


@dataclass(frozen=True, slots=True)
class Answered:
    """Everything about one run."""

    name: str
    chance: str
    """What guessing gives, in words."""
    figure: Figure | None
    lines: intervals.Lines | None
    differences: intervals.Lines | None
    published: bool
    """Whether it was scored by the published protocol, which flatters."""


def answered(found: Sequence[Measured]) -> list[Answered]:
    """Returns what is shown of the first runs."""
    return [_answered(one, at) for at, one in enumerate(found[:MOST_MODELS])]


def chance_of(one: Measured) -> float | None:
    """Returns the share that guessing gets right, from the table or the manifest; None where neither says."""
    rows = [s.value for s in one.scores if s.metric == "chance" and s.grouping == "all"]
    value = rows[0] if rows else one.facts.get("chance")
    return float(value) if isinstance(value, int | float) and is_number(value) else None


def _answered(one: Measured, at: int) -> Answered:
    chance = chance_of(one)
    levels = [s for s in one.scores if not s.versus and s.metric in FORMS | SWITCHES]
    conditions = sorted(dict.fromkeys(s.condition for s in levels), key=_order)
    changed = [s for s in one.scores if s.versus and s.metric.removesuffix(DIFFERENCE) in FORMS | SWITCHES]
    first = next((s for s in one.scores if "url" in s.fields.split("+")), one.scores[0])
    names = FORMS | SWITCHES
    lines = [
        intervals.share_line((names[s.metric], told(s.condition), _group(s)), s)
        for metric in names
        for s in levels
        if s.metric == metric and s.grouping in ("all", "continent")
    ]
    differences = [
        intervals.share_line((names[s.metric.removesuffix(DIFFERENCE)], told(s.condition), _versus(s)), s, sign=True)
        for s in changed
        if s.grouping == "all"
    ]
    words = f"Guessing gets {percent(chance, 1)} right." if chance is not None else "The chance level is not recorded."
    return Answered(
        name=marked(first),
        chance=words,
        figure=_figure(levels, conditions, chance, at),
        lines=intervals.table_of(("what", "condition", "questions about"), lines, "%"),
        differences=intervals.table_of(("what", "condition", "minus"), differences, "percentage points"),
        published=any(s.metric == "accuracy_paper_generative" for s in levels),
    )


def _figure(levels: Sequence[Score], conditions: Sequence[str], chance: float | None, at: int) -> Figure | None:
    panels = []
    for metric, name in FORMS.items():
        chosen = [s for s in levels if s.metric == metric and s.grouping in ("all", "continent")]
        if chosen:
            words = f"guessing: {percent(chance, 0)}" if chance is not None else ""
            panels.append(SharePanel(f"Right, {name}", tuple(_rows(chosen, conditions)), chance, words))
    paired = [s for s in levels if s.metric in SWITCHES and s.grouping == "all"]
    if paired:
        rows = tuple(
            ShareRow(name.removesuffix(" form"), _marks([s for s in paired if s.metric == metric], conditions))
            for metric, name in SWITCHES.items()
            if any(s.metric == metric for s in paired)
        )
        panels.append(SharePanel("Same question, two places", rows, IGNORES, "a model that ignores metadata: 50%"))
    if not panels:
        return None
    words = "; ".join(panel.title for panel in panels)
    return shares(panels, [told(c) for c in conditions], f"questions{at}", "Questions answered", words)


def _rows(chosen: Sequence[Score], conditions: Sequence[str]) -> list[ShareRow]:
    found = dict.fromkeys((s.grouping, _group(s)) for s in chosen)
    rows = []
    for grouping, group in sorted(found, key=_place):
        same = [s for s in chosen if (s.grouping, _group(s)) == (grouping, group)]
        rows.append(ShareRow(group, _marks(same, conditions), strong=grouping == "all"))
    return rows


def _marks(scores: Sequence[Score], conditions: Sequence[str]) -> tuple[Mark | None, ...]:
    known = {s.condition: Mark(s.value, s.ci_low, s.ci_high) for s in scores}
    return tuple(known.get(condition) for condition in conditions)


def _group(score: Score) -> str:
    return "All" if score.grouping == "all" else score.group


def _versus(score: Score) -> str:
    run, _, condition = score.versus.rpartition("/")
    same = not run or family(run) == family(score.run)
    return f"itself, {told(condition)}" if same else f"{family(run)}, {told(condition)}"


def _place(entry: tuple[str, str]) -> tuple[int, str]:
    grouping, group = entry
    if grouping == "all":
        return (-1, group)
    return (CONTINENTS.index(group) if group in CONTINENTS else len(CONTINENTS), group)


def _order(condition: str) -> tuple[int, str]:
    return (ORDER.index(condition) if condition in ORDER else len(ORDER), condition)
