"""From the audit of a corpus to one HTML page, and to what fits a terminal.

Enters: the folder that the corpus room writes, with `audit.json`. Leaves: `corpus.html`; renderables for rich.
Deliberately not done: the audit is not repeated and the documents are not read.
"""

from dateline.report.corpus.audit import read_audit
from dateline.report.corpus.page import render, write_corpus_page
from dateline.report.corpus.terminal import describe

__all__ = ["describe", "read_audit", "render", "write_corpus_page"]
