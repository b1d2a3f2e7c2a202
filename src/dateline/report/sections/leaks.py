"""The leak of the URL: who saw it, and how much of the titles it gives away.

Enters: a score table and the rows of other measures. Leaves: a warning, and the share of title words in URLs.
Deliberately not done: no correction of scores; a leak is named, not subtracted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dateline.evaluate.comparisons import family
from dateline.records import Score
from dateline.report import intervals
from dateline.report.numerals import counted, percent
from dateline.report.scoretable import ScoreTable, country_name
from dateline.report.words import MARK, listed

TITLE_IN_URL = "title_in_url"
NOTHING = ("", "")
"""The cell of what is measured on documents and not on a model."""


@dataclass(frozen=True, slots=True)
class Leak:
    """How much of the titles stands in the URLs."""

    sentence: str
    lines: intervals.Lines | None


def saw_url(score: Score) -> bool:
    """Says whether the prefix of a score showed the URL."""
    return "url" in score.fields.split("+")


def marked(score: Score) -> str:
    """Names the model of a score without its seed, with the mark where it saw the URL."""
    return f"{MARK} {family(score.run)}" if saw_url(score) else family(score.run)


def warning(table: ScoreTable, others: Iterable[Score]) -> str:
    """Returns the warning for the top of the page; empty where nobody saw a URL."""
    seen = [name for name in table.families if any(table.leaks(cell) for cell in table.cells if cell[0] == name)]
    seen += [family(score.run) for score in others if saw_url(score)]
    seen += [name for name, codes in table.swaps.items() if any(table.leaks((name, f"swap:{c}")) for c in codes)]
    names = list(dict.fromkeys(seen))
    if not names:
        return ""
    found = table.level(NOTHING, TITLE_IN_URL)
    share = ""
    if found is not None:
        sure = intervals.share_sure(found.low, found.high, found.num_documents)
        share = f" Here {percent(found.value, 1)} of the title words stand in it (95% interval {sure})."
    return (
        f"{listed(names)} saw the URL of the text under some condition, and the URL's slug repeats words of the title "
        f"that is scored.{share} Numbers marked {MARK} are too good for that reason; compare them with those of the "
        "outlet or the hashed outlet."
    )


def leak(table: ScoreTable) -> Leak | None:
    """Returns the share of title words that stand in the URL, or None where it was not measured."""
    found = table.level(NOTHING, TITLE_IN_URL)
    if found is None:
        return None
    rows = [s for s in table.scores if s.metric == TITLE_IN_URL and s.grouping in ("all", "continent", "country")]
    labels = {"all": lambda group: "All", "country": country_name}
    lines = [
        intervals.share_line((labels.get(score.grouping, str)(score.group),), score)
        for score in sorted(rows, key=lambda s: ("all", "continent", "country").index(s.grouping))
    ]
    sure = intervals.share_sure(found.low, found.high, found.num_documents)
    sentence = (
        f"Of the title words, {percent(found.value, 1)} stand in the slug of the URL "
        f"(95% interval {sure}; {counted(found.num_documents, 'document')})."
    )
    return Leak(sentence, intervals.table_of(("texts of",), lines, "% of title words"))
