from __future__ import annotations

import dataclasses
import math

from dateline.report import intervals
from dateline.report.scoretable import Estimate

from .measures import row

FOUND = Estimate(-0.118, -0.131, -0.105, 1800, 412_345, 1e-4, (-0.118,), 0.004, 0.0131, 54, 1)


def test_a_difference_says_how_sure_and_what_could_not_be_seen() -> None:
    line = intervals.difference_line(("a",), FOUND)
    assert (line.value, line.sure) == ("\u22120.118", "\u22120.131 to \u22120.105")
    assert (line.p_value, line.detectable, line.documents) == ("0.004 (Holm)", "0.013", "1,800")
    older = intervals.difference_line(("a",), dataclasses.replace(FOUND, p_holm=None, mde=None))
    assert (older.p_value, older.detectable) == ("< 0.001", "not recorded")


def test_levels_and_shares() -> None:
    assert intervals.level_line(("a",), FOUND).p_value == ""
    line = intervals.share_line(("a",), row("accuracy_country", 0.78, 0.02))
    assert (line.value, line.sure, line.p_value) == ("78.0", "76.0 to 80.0", "")
    change = row("accuracy_country_difference", 0.07, 0.02, versus="tfidf/text", p_value=0.03)
    line = intervals.share_line(("a",), change, sign=True)
    assert (line.value, line.sure, line.p_value) == ("+7.0", "+5.0 to +9.0", "0.030")


def test_why_there_is_no_interval_is_said() -> None:
    assert intervals.how_sure(math.nan, math.nan, 1) == "not available (one document)"
    assert intervals.how_sure(math.nan, 1.0, 7) == "not available"
    assert intervals.how_sure(5.0, math.inf, 7, 1) == "5.0 or more"
    assert intervals.share_sure(0.88, 0.93, 7, 0) == "88 to 93%"
    assert intervals.share_sure(0.88, math.inf, 7, 0) == "88% or more"
    assert intervals.share_sure(math.nan, math.nan, 1) == "not available (one document)"


def test_no_line_no_table() -> None:
    assert intervals.table_of(("a",), [], "nats") is None
    table = intervals.table_of(("a",), [intervals.level_line(("x",), FOUND)], "nats")
    assert table is not None
    assert not table.tests
