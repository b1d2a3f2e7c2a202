"""Intervals, tests and what they could not have found: everything that says how sure a number is.

Enters: numbers of single documents or items. Leaves: estimates with intervals, p-values, detectable effects.
Deliberately not done: no reading of files and no tables; rooms that measure call these functions.
"""

from dateline.evaluate.statistics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Estimate,
    bits_per_byte,
    micro_average,
    paired_difference,
    ratio_difference,
    ratio_estimate,
    resampled_sums,
    two_sided_p,
)

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Estimate",
    "bits_per_byte",
    "micro_average",
    "paired_difference",
    "ratio_difference",
    "ratio_estimate",
    "resampled_sums",
    "two_sided_p",
]
