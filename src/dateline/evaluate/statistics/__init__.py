"""Intervals, tests and what they could not have found: everything that says how sure a number is.

Enters: numbers of single documents or items. Leaves: estimates with intervals, p-values, detectable effects.
Deliberately not done: no reading of files and no tables; rooms that measure call these functions.
"""

from dateline.evaluate.statistics.bootstrap import (
    RESAMPLES,
    Labels,
    bits_per_byte,
    cluster_sums,
    micro_average,
    paired_difference,
    ratio_difference,
    resampled_sums,
)
from dateline.evaluate.statistics.families import holm
from dateline.evaluate.statistics.intervals import (
    LEVEL,
    Estimate,
    difference_estimate,
    ratio_degrees,
    ratio_error,
    ratio_estimate,
    two_sided_p,
)
from dateline.evaluate.statistics.power import POWER, minimum_detectable_effect
from dateline.evaluate.statistics.proportions import chi_square_uniform, mcnemar, wilson
from dateline.evaluate.statistics.seeds import SeedSpread, across_seeds, seed_spread

__all__ = [
    "LEVEL",
    "POWER",
    "RESAMPLES",
    "Estimate",
    "Labels",
    "SeedSpread",
    "across_seeds",
    "bits_per_byte",
    "chi_square_uniform",
    "cluster_sums",
    "difference_estimate",
    "holm",
    "mcnemar",
    "micro_average",
    "minimum_detectable_effect",
    "paired_difference",
    "ratio_degrees",
    "ratio_difference",
    "ratio_error",
    "ratio_estimate",
    "resampled_sums",
    "seed_spread",
    "two_sided_p",
    "wilson",
]
