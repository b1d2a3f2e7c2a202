"""Shares and counts: how sure a share is, whether two differ on the same items, whether counts are even.

Enters: counts of items. Leaves: an `Estimate`, or a p-value.
Deliberately not done: no normal approximation where an exact test is cheap; no share of items whose answers are
averages over rotations (those are no counts: resample the items).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dateline.errors import UserError
from dateline.evaluate.statistics.intervals import LEVEL, Estimate


def wilson(successes: int, trials: int, *, level: float = LEVEL) -> Estimate:
    """Returns a share with Wilson's score interval, which stays inside [0, 1] and has width at 0 and 1.

    With no trials everything is NaN: a group without items has no share.

    Args:
        successes: right items.
        trials: all items.
        level: of the interval.

    Raises:
        UserError: where the counts are negative, not whole, or more items are right than there are.
    """
    from scipy.stats import binomtest

    if successes != int(successes) or trials != int(trials) or not 0 <= successes <= trials:
        raise UserError(f"{successes} of {trials} is no share; count whole items")
    if trials == 0:
        return Estimate(math.nan, math.nan, math.nan)
    interval = binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return Estimate(successes / trials, float(interval.low), float(interval.high))


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the exact two-sided p-value for two answerers of the same items (McNemar 1947, binomial form).

    Items that both or neither answer say nothing about which is better. Among the others either is as likely, if the
    two are equally good.

    Args:
        only_first: items that only the first answers rightly.
        only_second: items that only the second does.

    Returns:
        1 where they never differ.

    Raises:
        UserError: where a count is negative or not whole.
    """
    from scipy.stats import binomtest

    for count in (only_first, only_second):
        if count != int(count) or count < 0:
            raise UserError(f"{count} is no number of items; count whole items")
    if not only_first + only_second:
        return 1.0
    return float(binomtest(int(only_first), int(only_first + only_second)).pvalue)


def chi_square_uniform(counts: Sequence[int]) -> float:
    """Returns Pearson's p-value for counts that should be even, such as how often each option is the right one.

    The approximation holds from about 5 expected items a cell; below, the p-value is rough.

    Args:
        counts: items in each cell; cells that could be hit but were not count as 0.

    Raises:
        UserError: where there are fewer than two cells, no items, or a count that is negative or not whole.
    """
    from scipy.stats import chisquare

    if len(counts) < 2 or any(count != int(count) or count < 0 for count in counts) or not sum(counts):
        raise UserError(f"counts of at least one item in two or more cells are needed, not {list(counts)[:8]}")
    return float(chisquare([int(count) for count in counts]).pvalue)
