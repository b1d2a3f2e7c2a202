"""The rule by which a study judges its findings, written down in the recipe before there are results."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from dateline.config import Section

Verdict = Literal["replicates", "contradicts", "found", "none within the margin", "too small to tell"]
VERDICTS: tuple[str, ...] = (
    "replicates",
    "contradicts",
    "found",
    "none within the margin",
    "too small to tell",
    "not defined",
    "missing",
)
"""All that a finding can have, in the order in which they are counted; the last two where there is no effect."""
SHARE = "share"
"""The unit of findings that are shares; all others are in nats per token."""


class Study(Section):
    """The rule by which the findings of a study are judged; `study: {}` takes the defaults."""

    margin: float = Field(0.01, gt=0)
    """Nats per token: an effect whose whole interval is within it counts as none, and so does a published effect that
    is smaller."""
    share_margin: float = Field(0.1, gt=0)
    """The same for findings that are shares."""
    level: float = Field(0.05, gt=0, lt=1)
    """Of the tests, after Holm's correction over the whole study."""
    truth_share: float = Field(0.5, gt=0, le=1)
    """On the newswire: the part of the ideal learner's effect that a study must find to be sound."""

    def margin_of(self, unit: str) -> float:
        """Returns the margin in the unit of a finding."""
        return self.share_margin if unit == SHARE else self.margin


def judge(
    effect: float | None,
    interval: tuple[float | None, float | None],
    p_holm: float | None,
    published: float | None,
    *,
    margin: float,
    level: float,
) -> Verdict:
    """Returns the verdict on an effect; all numbers are in one unit, with no effect at 0.

    Args:
        effect: as measured; None or NaN where there is none.
        interval: its ends; None or NaN where there are none.
        p_holm: corrected over the study; None or NaN where no test was possible.
        published: the published effect, or None.
        margin: below which an effect counts as none.
        level: of the test.

    Example:
        >>> judge(-0.06, (-0.07, -0.05), 0.001, -0.09, margin=0.01, level=0.05)
        'replicates'
        >>> judge(-0.06, (-0.07, -0.05), 0.001, None, margin=0.01, level=0.05)
        'found'
        >>> judge(-0.02, (-0.05, 0.01), 0.2, -0.09, margin=0.01, level=0.05)
        'too small to tell'
    """
    low, high = (math.nan if end is None else end for end in interval)
    if effect is None or math.isnan(effect) or math.isnan(low) or math.isnan(high):
        return "too small to tell"
    none = -margin <= low and high <= margin
    significant = p_holm is not None and p_holm < level
    if published is None:
        return "none within the margin" if none else "found" if significant else "too small to tell"
    if abs(published) < margin:
        beyond = low > margin or high < -margin
        return "replicates" if none else "contradicts" if significant and beyond else "too small to tell"
    if none:
        return "contradicts"
    if not significant or effect == 0:
        return "too small to tell"
    return "replicates" if (effect < 0) == (published < 0) else "contradicts"


def rule_in_words(rule: Study) -> str:
    """Returns the rule as a list in Markdown, for the summary of a study."""
    return f"""\
- An effect is *significant* if its p, corrected by Holm's method over all tests of the study, is below {rule.level:g}.
- It is *none within the margin* if its whole 95% interval is within ±{rule.margin:g} nats per token
  (±{rule.share_margin:g} for shares), whether it is significant or not.
- *replicates*: significant, not none, with the sign of the published effect. Where the published effect itself is
  smaller than the margin: none.
- *contradicts*: none, or significant with the opposite sign. Where the published effect itself is smaller than the
  margin: significant, and the whole interval beyond the margin.
- *found*: no effect was published; significant and not none.
- *too small to tell*: everything else. *not defined* and *missing*: there is no effect, for the reason given.
- The share of text to reach a loss has no effect at 1, all others have none at 0.
- Known truths (newswire): where the two sides read the same text (in_region, fields, dropout_gain) and ideal
  learners differ by {rule.margin:g} nats per token or more, the effect must be significant, have the sign of the
  ideal effect, and at least {rule.truth_share:g} of its size. The ideal effect of all other claims is that of
  learners that have read enough: it is given, and not asked of models of which one has read more."""
