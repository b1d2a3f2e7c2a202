"""An embedded newswire of known entropy: news of the paper's 18 countries, written by a grammar over public facts.

Enters: a number of articles and a seed.
Leaves: articles, and the exact log-probability of each with and without its place.
Deliberately not done: no truth; the stories are invented, and the names in them stand for nobody.
"""

from dateline.corpus.newswire.facts import Outlet
from dateline.corpus.newswire.grammar import Grammar, Pattern
from dateline.corpus.newswire.wire import LogProbabilities, Newswire, newswire

__all__ = ["Grammar", "LogProbabilities", "Newswire", "Outlet", "Pattern", "newswire"]
