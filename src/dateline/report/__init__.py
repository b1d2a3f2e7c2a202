"""From an experiment's folder to one HTML page that a person would rather look at than read tables.

Enters: the folder that the experiment room writes. Leaves: `report.html` in it, self-contained.
Deliberately not done: no network, no script, no statistics of its own.
"""

from dateline.report.page import render, write_report

__all__ = ["render", "write_report"]
