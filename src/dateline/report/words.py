"""Numbers and names as a reader should see them: intervals, p-values, shares with Wilson's interval, conditions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from typing import TypeGuard

from dateline.places.countries import all_countries
from dateline.statistics.intervals import wilson

MINUS = "\u2212"
NOT_AVAILABLE = "not available"
NOT_RECORDED = "not recorded"
P_FLOOR = 0.001
"""Below this a p-value is given as a bound, because the bootstrap cannot tell smaller ones apart."""
MARK = "[leak]"
"""Stands before the name of every model whose prefix showed the URL, where no cut label loses it."""
SWAP = "swap:"
OTHER = "Place not known"
FIELD_NAMES = {
    "domain": "outlet",
    "url": "URL",
    "url_hash": "hashed outlet",
    "country": "country",
    "continent": "continent",
    "date": "date",
}
_CONDITIONS = {
    "gold": "gold metadata",
    "none": "no metadata",
    "wrong": "wrong metadata",
    "swap:all": "each country in turn",
    "marginal:uniform": "marginal over countries, uniform",
    "marginal:corpus": "marginal over countries, by corpus share",
    "text": "full text",
    "names masked": "place names masked",
}


def is_number(value: object) -> TypeGuard[float]:
    """Says whether a value is a finite number; booleans are not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Returns a number with fixed decimals and a true minus sign, or `not available`.

    Args:
        value: any float, or None.
        digits: decimals.
        sign: whether a plus is written too, because a difference without a sign is easily misread.
    """
    if value is None or not is_number(value):
        return NOT_AVAILABLE
    text = f"{abs(value):,.{digits}f}"
    zero = float(text.replace(",", "")) == 0
    return text if zero else f"{MINUS if value < 0 else '+' if sign else ''}{text}"


def interval(low: float | None, high: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Returns `9.05 to 9.25`, `5.00 or more` where the upper end is open, `not available` where an end is missing."""
    if low is not None and is_number(low) and high == math.inf:
        return f"{number(low, digits, sign=sign)} or more"
    if low is None or high is None or not (is_number(low) and is_number(high)):
        return NOT_AVAILABLE
    return f"{number(low, digits, sign=sign)} to {number(high, digits, sign=sign)}"


def percent(value: float | None, digits: int = 1) -> str:
    """Returns a share as a percentage whose rounding never turns some into none or into all: 0.934 -> `93.4%`."""
    if value is None or not is_number(value):
        return NOT_AVAILABLE
    if value in (0, 1):
        return f"{value:.0%}"
    if 0 < value < 0.0001:
        return "under 0.01%"
    if 0.9999 < value < 1:
        return "over 99.99%"
    return f"{number(100 * value, digits if 0.01 <= value <= 0.99 or not 0 <= value <= 1 else max(2, digits))}%"


def count(value: object) -> str:
    """Returns a whole number with thousands separated."""
    return f"{int(value):,}" if isinstance(value, Real) and is_number(value) else NOT_AVAILABLE


def some(amount: float, what: str) -> str:
    """Returns a count with its noun: `1 country`, `3 countries`."""
    if amount == 1:
        return f"1 {what}"
    return f"{count(amount)} {what[:-1] + 'ies' if what.endswith('ry') else what + 's'}"


def large(value: float) -> str:
    """Returns a count for an axis: 1,500,000 -> `1.5M`."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def p_text(value: float | None) -> str:
    """Returns a p-value as papers write it, never 0.0: `< 0.001`, `0.012`, `0.34`; empty where there is no test."""
    if value is None:
        return ""
    if not is_number(value) or not 0 <= value <= 1:
        return NOT_AVAILABLE
    if value < P_FLOOR:
        return f"< {P_FLOOR}"
    return f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def decimals(largest: float) -> int:
    """Returns how many decimals differences of this size need to be told apart: 2, or 3 below 0.1."""
    return 3 if is_number(largest) and largest < 0.1 else 2


def perplexity_change(value: float) -> str:
    """Says a difference in nats as a change of perplexity: -0.118 -> `11.1% lower`."""
    change = 100 * math.expm1(min(value, 700.0))
    if f"{abs(change):.1f}" == "0.0":
        return "less than 0.05% different"
    return f"{number(abs(change), 1)}% {'lower' if change < 0 else 'higher'}"


def duration(seconds: float) -> str:
    """Returns `48 s`, `12 min`, `3.4 h`."""
    if seconds < 0.05:
        return "under 0.1 s"
    if seconds < 120:
        return f"{number(seconds, 0 if seconds >= 10 else 1)} s"
    return f"{number(seconds / 60, 0)} min" if seconds < 7200 else f"{number(seconds / 3600, 1)} h"


def times(repeats: float) -> str:
    """Returns `6.8 times`, `0.42 times`."""
    return f"{number(repeats, 0 if repeats >= 100 else 1 if repeats >= 1 else 2)} times"


def listed(names: Iterable[str], most: int = 1000) -> str:
    """Returns `Fiji, Samoa and Tonga`, or the first few and how many more there are."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def upper(text: str) -> str:
    """Returns a sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def country_name(code: str) -> str:
    """Returns the name of a country as newspapers write it, or what was given where it is no known code."""
    known = all_countries().get(code)
    return known.name if known else code


def continent_name(code: str) -> str:
    """Returns the continent of a country code, or `Place not known`."""
    known = all_countries().get(code)
    return known.continent if known else OTHER


def condition_name(condition: str) -> str:
    """Names what a model was prompted with: `gold metadata`, `only the country`, `Ghana for every text`."""
    if condition in _CONDITIONS:
        return _CONDITIONS[condition]
    if condition.startswith(SWAP):
        return f"{country_name(condition.removeprefix(SWAP))} for every text"
    parts = condition.split("+")
    if all(part in FIELD_NAMES for part in parts):
        return f"only the {listed(FIELD_NAMES[part] for part in parts)}"
    return condition or "condition not recorded"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, both in documents, with Wilson's 95% interval; made by `share`, which checks them.

    Wilson's interval stays inside 0 and 1 and keeps its coverage for small counts. It treats documents as drawn one by
    one; documents of one outlet are more alike than that.
    """

    part: int
    whole: int

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.part / self.whole

    @property
    def ends(self) -> tuple[float, float]:
        """The 95% interval, between 0 and 1."""
        found = wilson(self.part, self.whole)
        return found.low, found.high

    @property
    def text(self) -> str:
        """`73.9%`; 0% and 100% only where they are exact."""
        return percent(self.value)

    @property
    def interval(self) -> str:
        """`73.8 to 74.0%`, with as many decimals as tell its ends apart."""
        low, high = (100 * end for end in self.ends)
        digits = 1 if high - low >= 0.1 and 0.01 <= self.value <= 0.99 else 2
        while digits < 6 and number(low, digits) == number(high, digits):
            digits += 1
        ends = [f"{end:.0f}" if end in (0, 100) else number(end, digits) for end in (low, high)]
        return f"{' to '.join(ends)}%"

    @property
    def full(self) -> str:
        """`73.9% (95% CI 73.8 to 74.0%)`."""
        return f"{self.text} (95% CI {self.interval})"


def share(part: float | None, whole: float | None) -> Share | None:
    """Returns a share, or None where a count is unknown, the whole is empty or the part is larger than the whole.

    Args:
        part: a count; None or NaN where it is unknown.
        whole: a count; None or NaN where it is unknown.

    Example:
        share(3, 4).text  # "75.0%"
    """
    if part is None or whole is None or whole <= 0 or not 0 <= part <= whole:
        return None
    return Share(int(part), int(whole))
