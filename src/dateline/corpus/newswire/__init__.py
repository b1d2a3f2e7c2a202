"""An embedded newswire of known entropy: invented news of the paper's 18 countries, written by a grammar.

It gives the exact log-probability of each article with and without its place.
"""

from dateline.corpus.newswire.grammar import Grammar, Pattern
from dateline.corpus.newswire.wire import LogProbabilities, Newswire, Outlet, newswire

__all__ = ["Grammar", "LogProbabilities", "Newswire", "Outlet", "Pattern", "newswire"]
