"""Audit: what a corpus covers, and what a reader of its scores must know.

Enters: the counts of every task. Leaves: `audit.json` and a list of problems in words.
Deliberately not done: no repair, no sampling: every document counts.
"""

from dateline.corpus.audit.summary import check_coverage, summarize
from dateline.corpus.audit.tally import Tally, signals_of

__all__ = ["Tally", "check_coverage", "signals_of", "summarize"]
