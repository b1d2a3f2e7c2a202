"""Country inference: from a text to the places that it may come from, by Bayes' rule on a conditioned model."""

from dateline.evaluate.locate.locator import Locator, open_locator
from dateline.evaluate.locate.run import locate_stage

__all__ = ["Locator", "locate_stage", "open_locator"]
