"""How well a model predicts documents when told the truth, nothing, or a lie about their origin.

Enters: a model folder and an encoded corpus. Leaves: losses by document and by part of the document, averages with
intervals, and how much text a run needs to reach another's loss.
Deliberately not done: no comparison between runs here, except of how fast they learn (see `evaluate.comparisons`).
"""

from dateline.evaluate.perplexity.run import evaluate_perplexity, perplexity_plan

__all__ = ["evaluate_perplexity", "perplexity_plan"]
