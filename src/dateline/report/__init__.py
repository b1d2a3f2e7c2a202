"""From the folder of an experiment or a corpus to one self-contained HTML page."""

from dateline.report.sections import render, write_report

__all__ = ["render", "write_report"]
