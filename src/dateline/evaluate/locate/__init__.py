"""Locating: the model read backwards, from a text to the places that it may come from.

Enters: texts and a conditioned model. Leaves: probabilities of places by Bayes' rule, and how good they are.
Deliberately not done: no classifier is trained on top of the model.
"""

from dateline.evaluate.locate.locator import Locator, open_locator
from dateline.evaluate.locate.run import evaluate_locating, locate_plan

__all__ = ["Locator", "evaluate_locating", "locate_plan", "open_locator"]
