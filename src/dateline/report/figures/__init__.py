"""The figures of the reports: numbers in, inline SVG out, each drawn once for wide and once for narrow screens.

Enters: plain values that a section has chosen. Leaves: `Figure` pairs of SVG with a title and a description in words.
Deliberately not done: no reading of files, no statistics, no choice of what is compared; see sections/.
"""

from dateline.report.figures.frame import NARROW, WIDE, Figure

__all__ = ["NARROW", "WIDE", "Figure"]
