"""The audit: what a corpus covers, as `audit.json` and as a list of problems in words."""

from dateline.corpus.audit.summary import check_coverage, summarize
from dateline.corpus.audit.tally import CONTRIBUTED, Tally, file_of, signals_of

__all__ = ["CONTRIBUTED", "Tally", "check_coverage", "file_of", "signals_of", "summarize"]
