"""Many tests at once: Holm's correction.

Enters: the p-values of one family of tests. Leaves: the same, corrected, in the same order.
Deliberately not done: no choice of the family (whoever runs the tests knows what is claimed with them), no control of
the false discovery rate: a report names single countries, and each such claim has to hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from dateline.errors import UserError


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns Holm's corrected p-values, which bound the chance of even one false alarm among all tests.

    The smallest of n is multiplied by n, the next by n - 1, and so on; a larger p-value never becomes the smaller one
    (Holm 1979, A simple sequentially rejective multiple test procedure). Nothing is assumed about how tests depend on
    each other, which suits countries whose documents are scored by one model.

    Raises:
        UserError: where a p-value is not between 0 and 1; leave out tests that could not be made.
    """
    strange = [p for p in p_values if not 0 <= p <= 1]
    if strange:
        raise UserError(f"{strange[0]} is no p-value; leave tests that could not be made out of the family")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    result, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        result[index] = largest
    return result
