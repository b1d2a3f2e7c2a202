"""The Python API. `import dateline` offers these names; nothing is loaded before one of them is used."""

from dateline.api.model import NEUTRAL_PROMPTS, Model, PlaceLike, load
from dateline.api.results import Comparison, Continuation, Generation, Leakage, Location, Score, Token

__all__ = [
    "NEUTRAL_PROMPTS",
    "Comparison",
    "Continuation",
    "Generation",
    "Leakage",
    "Location",
    "Model",
    "PlaceLike",
    "Score",
    "Token",
    "load",
]
