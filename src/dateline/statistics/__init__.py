"""Intervals, hypothesis tests, detectable effects: all statistics of the package, on plain arrays."""

from dateline.statistics.bootstrap import (
    RESAMPLES,
    Labels,
    cluster_sums,
    micro_average,
    paired_difference,
    ratio_difference,
    resampled_sums,
)
from dateline.statistics.hypothesis_tests import (
    POWER,
    chi_square_uniform,
    holm,
    holm_by_family,
    mcnemar,
    minimum_detectable_effect,
)
from dateline.statistics.intervals import (
    LEVEL,
    Estimate,
    difference_estimate,
    kappa,
    ratio_degrees,
    ratio_error,
    ratio_estimate,
    two_sided_p,
    wilson,
)
from dateline.statistics.seeds import SeedSpread, seed_spread

__all__ = [
    "LEVEL",
    "POWER",
    "RESAMPLES",
    "Estimate",
    "Labels",
    "SeedSpread",
    "chi_square_uniform",
    "cluster_sums",
    "difference_estimate",
    "holm",
    "holm_by_family",
    "kappa",
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
