"""The model read backwards: how often it finds the country of a text, and whether it knows when it does not.

Enters: the tables of `locate/`. Leaves: for each model a table beside the baseline, reliability diagrams, confusions.
Deliberately not done: no posterior is read here; bins and counts come from whoever located.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dateline.evaluate.comparisons import family
from dateline.places.countries import all_countries
from dateline.records import CONTINENTS, Score
from dateline.report import intervals
from dateline.report.figures import Figure
from dateline.report.figures.matrix import Side, Tile, matrix
from dateline.report.figures.reliability import Bin, Panel, reliability
from dateline.report.measures import Locating
from dateline.report.numerals import count, counted, is_number, number, p_text, percent, signed
from dateline.report.scoretable import OTHER, country_name
from dateline.report.sections.leaks import marked
from dateline.report.words import upper

BASELINE = "tfidf"
METRICS = {
    "accuracy_country": "country right",
    "top3_country": "country among three",
    "accuracy_continent": "continent right",
    "log_loss": "log loss, nats",
    "ece": "calibration error (ECE)",
}
MOST_MODELS = 4
MOST_COUNTRIES = 40
"""Countries of a confusion matrix; beyond, the rarest are left to the table."""


@dataclass(frozen=True, slots=True)
class Located:
    """Everything about one model."""

    name: str
    sentences: tuple[str, ...]
    lines: intervals.Lines | None
    reliability: Figure | None
    bins: intervals.Lines | None
    confusions: tuple[tuple[str, Figure], ...]
    countries: intervals.Lines | None


def located(found: Sequence[Locating]) -> list[Located]:
    """Returns what is shown of the first models."""
    return [_located(one, at) for at, one in enumerate(found[:MOST_MODELS])]


def form(condition: str) -> str:
    """Says on which form of the texts: `on the text`, `with place names masked`."""
    known = {"text": "on the text", "names masked": "with place names masked"}
    return known.get(condition, f"on {condition}" if condition else "on an unnamed form")


def run_name(score: Score) -> str:
    """Names a guesser; the baseline is told in words."""
    return "TF-IDF baseline" if family(score.run) == BASELINE else marked(score)


def _located(one: Locating, at: int) -> Located:
    levels = [s for s in one.scores if not s.versus and s.metric in METRICS]
    overall = [s for s in levels if s.grouping == "all"]
    names = {s.run: run_name(s) for s in sorted(one.scores, key=lambda s: len(run_name(s)))}
    ours = next((s for s in overall if s.run != BASELINE), None)
    lines = [_line(score) for metric in METRICS for score in overall if score.metric == metric]
    by_country = [
        intervals.share_line((run_name(s), s.condition or "unnamed", country_name(s.group)), s)
        for s in levels
        if s.grouping in ("country", "continent") and s.metric == "accuracy_country"
    ]
    return Located(
        name=run_name(ours) if ours else one.name,
        sentences=(*_accuracies(overall), *_differences(one.scores)),
        lines=intervals.table_of(("measure", "who", "on"), lines, "% or nats"),
        reliability=_reliability(one, names, at),
        bins=_bins(one, names),
        confusions=tuple(_confusions(one, names, at)),
        countries=intervals.table_of(("who", "on", "texts of"), by_country, "% right"),
    )


def _line(score: Score) -> intervals.Line:
    labels = (METRICS[score.metric], run_name(score), score.condition or "unnamed")
    if score.metric != "log_loss":
        return intervals.share_line(labels, score)
    sure = intervals.how_sure(score.ci_low, score.ci_high, score.num_documents)
    return intervals.Line(labels, number(score.value, 3), sure, "", "", count(score.num_documents))


def _accuracies(overall: Sequence[Score]) -> list[str]:
    result = []
    for score in overall:
        if score.metric != "accuracy_country" or score.run == BASELINE:
            continue
        same = [s for s in overall if s.condition == score.condition and s.metric == score.metric and s.run == BASELINE]
        other = f"; the TF-IDF baseline in {_share(same[0])}" if same else "; no baseline stands beside it"
        result.append(
            f"{upper(form(score.condition))}, {marked(score)} names the right country in {_share(score)} of "
            f"{counted(score.num_documents, 'document')}{other}."
        )
    return result


def _share(score: Score) -> str:
    sure = intervals.share_sure(score.ci_low, score.ci_high, score.num_documents)
    return f"{percent(score.value, 1)} (95% interval {sure})"


def _differences(scores: Sequence[Score]) -> list[str]:
    result = []
    for s in scores:
        if s.metric != "accuracy_country_difference" or s.grouping != "all":
            continue
        ends = [100 * end for end in (s.ci_low, s.ci_high)]
        sure = intervals.how_sure(ends[0], ends[1], s.num_documents, 1, sign=True)
        run, _, condition = s.versus.rpartition("/")
        versus = "itself" if run == s.run else "the TF-IDF baseline" if run == BASELINE else family(run)
        tests = [p_text(s.p_value)] + ([f"{p_text(s.p_holm)} after Holm's correction"] if s.p_holm is not None else [])
        clear = is_number(s.ci_low) and is_number(s.ci_high) and (s.ci_low > 0 or s.ci_high < 0)
        word = "better" if s.value > 0 else "worse"
        verdict = f"is {word} than" if clear else "cannot be told apart from"
        result.append(
            f"{upper(form(s.condition))}, {marked(s)} {verdict} {versus} {form(condition)}: "
            f"{signed(100 * s.value, 1)} percentage points (95% interval {sure}"
            f"{''.join(f', {test}' for test in tests if test)})."
        )
    return result


def _reliability(one: Locating, names: dict[str, str], at: int) -> Figure | None:
    shown = dict.fromkeys((b.run, b.condition) for b in one.bins if b.documents)
    order = sorted(shown, key=lambda pair: (pair[0] == BASELINE, pair[1] != "text"))[:8]
    eces = {(s.run, s.condition): s for s in one.scores if s.metric == "ece" and s.grouping == "all"}
    panels = []
    for run, condition in order:
        bins = tuple(
            Bin(b.confidence, b.accuracy, b.low, b.high, b.documents)
            for b in one.bins
            if (b.run, b.condition) == (run, condition) and b.documents
        )
        ece = eces.get((run, condition))
        words = f", ECE {percent(ece.value, 1)}" if ece else ""
        panels.append(Panel(names.get(run, run), f"{form(condition)}{words}", bins, run == BASELINE))
    if not panels:
        return None
    words = "; ".join(f"{panel.title} {panel.subtitle}" for panel in panels)
    return reliability(panels, f"reliability{at}", "How often it is right against how sure it says it is", words)


def _bins(one: Locating, names: dict[str, str]) -> intervals.Lines | None:
    lines = [
        intervals.Line(
            (names.get(b.run, b.run), b.condition or "unnamed", percent(b.confidence, 1)),
            number(100 * b.accuracy, 1),
            intervals.how_sure(100 * b.low, 100 * b.high, b.documents, 1),
            "",
            "",
            count(b.documents),
        )
        for b in one.bins
        if b.documents
    ]
    return intervals.table_of(("who", "on", "says"), lines, "% right")


def _confusions(one: Locating, names: dict[str, str], at: int) -> list[tuple[str, Figure]]:
    """Returns the matrices of the model, each with the heading that stands over it; the baseline has only its table."""
    found = dict.fromkeys((pair.run, pair.condition) for pair in one.confusions if pair.run != BASELINE)
    result = []
    for index, (run, condition) in enumerate(sorted(found, key=lambda key: key[1] != "text")):
        same = [c for c in one.confusions if (c.run, c.condition) == (run, condition)]
        counts = {(c.truth, c.predicted): c.documents for c in same}
        totals: dict[str, int] = {}
        for (truth, _), documents in counts.items():
            totals[truth] = totals.get(truth, 0) + documents
        codes = {code for pair in counts for code in pair}
        kept = sorted(codes, key=lambda code: -totals.get(code, 0))[:MOST_COUNTRIES]
        order = sorted(kept, key=lambda code: (_rank(code), country_name(code)))
        rows = [
            (
                Side(country_name(truth), _continent(truth)),
                [_tile(counts.get((truth, guess), 0), totals.get(truth, 0), own=truth == guess) for guess in order],
            )
            for truth in order
        ]
        columns = [Side(country_name(code), _continent(code)) for code in order]
        label = f"{names.get(run, run)}, {form(condition)}"
        words = f"Documents by true country, left, and guessed country, above; {count(sum(totals.values()))} in all."
        figure = matrix(columns, rows, ("texts of", "taken for"), f"confusion{at}-{index}", label, words)
        result.append((label, figure))
    return result


def _tile(documents: int, total: int, *, own: bool) -> Tile:
    if not total:
        return Tile("", None, own)
    return Tile(count(documents) if documents else "", -documents / total, own)


def _continent(code: str) -> str:
    known = all_countries().get(code)
    return known.continent if known else OTHER


def _rank(code: str) -> int:
    continent = _continent(code)
    return CONTINENTS.index(continent) if continent in CONTINENTS else len(CONTINENTS)
