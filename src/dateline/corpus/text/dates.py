"""Dates as files write them to a day, `YYYY-MM-DD`, as it was written (no change of time zone).

Where day and month could be exchanged (`03/04/2021`) there is no guess, and the date is empty.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?!\d)")
"""ISO 8601 and its cousins: `2021-03-04T10:00:00Z`, `2021/3/4`, `20210304`."""
_DAY_FIRST = re.compile(r"(?:[a-z]{3,9}\.?,?\s+)?(\d{1,2})(?:st|nd|rd|th)?[\s-]+([a-z]{3,9})\.?,?[\s-]+(\d{4})(?!\d)")
"""RFC 2822 and prose: `Thu, 04 Mar 2021 10:00:00 +0000`, `4 March 2021`."""
_MONTH_FIRST = re.compile(r"(?:[a-z]{3,9}\.?,\s+)?([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")
"""American prose: `March 4, 2021 2:35 PM`."""
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{12,13}(?:\.0)?")
"""Seconds (9 or 10 digits) or milliseconds (12 or 13) since 1970, UTC."""
_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = tuple(_MONTH_NAMES.split())


def day_of(written: str) -> str:
    """Returns the ISO day that a string names, or an empty string where that cannot be told for certain."""
    text = " ".join(written[:200].lower().split())
    if not text.isascii():
        return ""
    if _EPOCH.fullmatch(text):
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= 1e11 else seconds, UTC).date().isoformat()
    if found := _YEAR_FIRST.match(text):
        if not found[2] and len(found[0]) != 8:
            return ""
        return _day(int(found[1]), int(found[3]), int(found[4]))
    if found := _DAY_FIRST.match(text):
        return _day(int(found[3]), _month(found[2]), int(found[1]))
    if found := _MONTH_FIRST.match(text):
        return _day(int(found[3]), _month(found[1]), int(found[2]))
    return ""


def _month(name: str) -> int:
    """Returns 1 to 12 for a month's name or its first three letters (`sept` too), else 0."""
    matches = [number for number, month in enumerate(_MONTHS, start=1) if month.startswith(name)]
    return matches[0] if len(matches) == 1 and len(name) >= 3 else 0


def _day(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat() if year >= 1600 else ""
    except ValueError:
        return ""
