"""How numbers are said on the corpus page: shares with their intervals, counts of things, times, lists.

Enters: counts, seconds and names. Leaves: short texts, and `Share`, a part of a whole with its Wilson 95% interval.
Deliberately not done: no share without its whole, no rounding to 0% or 100% of what is neither; nothing here knows what
a corpus is.

Wilson's interval stays inside 0 and 1 and is honest for small counts and for shares near the ends, where the usual one
has no width. It speaks of documents as if they were drawn one by one; documents of one outlet are more alike than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dateline.report.numerals import count, number
from dateline.statistics import wilson

SIGNAL_NAMES = {
    "suffix": "suffix",
    "outlet": "outlet table",
    "subdomain": "sub-domain",
    "path": "path",
    "query": "query",
    "any": "any of these",
    "declared": "declared",
}
STANDING_NAMES = {"agree": "two agree", "single": "one alone", "conflict": "conflict", "none": "no evidence"}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, both in documents; made by `share`, which checks them."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.part / self.whole

    @property
    def ends(self) -> tuple[float, float]:
        """The 95% interval, between 0 and 1."""
        return wilson(self.part, self.whole)[1:3]

    @property
    def text(self) -> str:
        """`73.9%`; 0% and 100% only where they are exact."""
        return percent(self.value)

    @property
    def interval(self) -> str:
        """`73.8 to 74.0%`."""
        low, high = (100 * end for end in self.ends)
        digits = 1 if high - low >= 0.1 and 0.01 <= self.value <= 0.99 else 2
        while digits < 6 and number(low, digits) == number(high, digits):
            digits += 1
        ends = [f"{end:.0f}" if end in (0, 100) else number(end, digits) for end in (low, high)]
        return f"{' to '.join(ends)}%"

    @property
    def full(self) -> str:
        """`73.9% (95% interval 73.8 to 74.0%)`."""
        return f"{self.text} (95% interval {self.interval})"


def share(part: int | None, whole: int | None) -> Share | None:
    """Returns a share, or None where a count is unknown, the whole is empty or the part is larger than the whole."""
    if part is None or whole is None or whole <= 0 or not 0 <= part <= whole:
        return None
    return Share(part, whole)


def percent(value: float) -> str:
    """Returns a share between 0 and 1 as a percentage whose rounding never turns some into none or into all."""
    if value in (0, 1):
        return f"{value:.0%}"
    if value < 0.0001:
        return "under 0.01%"
    if value > 0.9999:
        return "over 99.99%"
    return f"{100 * value:.{1 if 0.01 <= value <= 0.99 else 2}f}%"


def some(amount: int | float, what: str) -> str:
    """Returns `1 country`, `3 countries`."""
    if amount == 1:
        return f"1 {what}"
    return f"{count(amount)} {what[:-1] + 'ies' if what.endswith('ry') else what + 's'}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Returns `Fiji, Samoa and Tonga`, or the first few and how many more there are."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def reason(name: str) -> str:
    """Returns a reason as words: `near_duplicate` -> `near duplicate`."""
    return name.replace("_", " ")


def times(repeats: float) -> str:
    """Returns `6.8 times`, `0.42 times`."""
    return f"{number(repeats, 0 if repeats >= 100 else 1 if repeats >= 1 else 2)} times"


def duration(seconds: float) -> str:
    """Returns `48 s`, `12 min`, `3.4 h`."""
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 120:
        return f"{number(seconds, 0 if seconds >= 10 else 1)} s"
    return f"{number(seconds / 60, 0)} min" if seconds < 7200 else f"{number(seconds / 3600, 1)} h"


def were(amount: int) -> str:
    """Returns `was` or `were`."""
    return "was" if amount == 1 else "were"
