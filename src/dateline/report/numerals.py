"""Numbers as a reader should see them.

Enters: floats, counts and probabilities, some of them not finite. Leaves: short texts with a true minus sign.
Deliberately not done: no locale, no silent rounding to zero; what is not a number is said to be not available.
"""

from __future__ import annotations

import math

MINUS = "\u2212"
NOT_AVAILABLE = "not available"
P_FLOOR = 0.001
"""Below this a probability is a bound, because the bootstrap cannot tell smaller ones apart."""


def is_number(value: object) -> bool:
    """Says whether a value is a finite number; booleans are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def number(value: float | None, digits: int = 2) -> str:
    """Returns a number with fixed decimals, or `not available`."""
    if value is None or not is_number(value):
        return NOT_AVAILABLE
    text = f"{abs(value):,.{digits}f}"
    return (MINUS + text) if value < 0 and float(text.replace(",", "")) != 0 else text


def signed(value: float | None, digits: int = 3) -> str:
    """Returns a number with its sign always shown, because a difference without one is easily misread."""
    text = number(value, digits)
    if value is None or not is_number(value) or text.startswith(MINUS):
        return text
    return f"+{text}" if float(text.replace(",", "")) != 0 else text


def interval(low: float | None, high: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Returns `9.05 to 9.25`, or `not available` where one end is missing."""
    if low is None or high is None or not (is_number(low) and is_number(high)):
        return NOT_AVAILABLE
    show = signed if sign else number
    return f"{show(low, digits)} to {show(high, digits)}"


def percent(value: float | None, digits: int = 0) -> str:
    """Returns a share as a percentage: 0.934 -> `93%`."""
    return NOT_AVAILABLE if value is None or not is_number(value) else f"{number(100 * value, digits)}%"


def count(value: object) -> str:
    """Returns a whole number with thousands separated."""
    return f"{int(value):,}" if isinstance(value, int | float) and is_number(value) else NOT_AVAILABLE


def counted(value: int, noun: str) -> str:
    """Returns a count with its noun: `1 document`, `1,800 documents`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def large(value: float) -> str:
    """Returns a count for an axis: 1,500,000 -> `1.5M`."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def p_text(value: float | None, *, name: bool = True) -> str:
    """Returns a probability as papers write it, never 0.0: `p < 0.001`, `p = 0.012`, `p = 0.34`.

    Args:
        value: None for levels, which have no test; NaN where the test failed.
        name: whether the letter p leads.
    """
    if value is None:
        return ""
    if not is_number(value) or not 0 <= value <= 1:
        return f"p {NOT_AVAILABLE}" if name else NOT_AVAILABLE
    if value < P_FLOOR:
        return f"p < {P_FLOOR}" if name else f"< {P_FLOOR}"
    text = f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"
    return f"p = {text}" if name else text


def decimals(largest: float) -> int:
    """Returns how many decimals differences of this size need to be told apart: 2, or 3 below 0.1."""
    return 3 if is_number(largest) and largest < 0.1 else 2
