"""Cleaning: HTML or its remains, entities, control characters and the gaps of NOW become plain text, dates become days.

The result is NFC with single blanks and at most one empty line in a row; cleaning it again changes nothing. Sentences
are not removed (cookie notes, bylines), and mojibake, quotes, dashes and tokenized punctuation (`do n't`) stay.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from html import unescape
from html.entities import html5

_BLOCK = (
    "address article aside blockquote body br caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol option p pre section "
    "select summary table tbody tfoot thead title tr ul"
)
"""Elements that begin a new paragraph or line; `h` is NOW's mark of a headline."""
_INLINE = (
    "a abbr acronym amp-img area audio b base bdi bdo big button canvas cite code col colgroup data del dfn em embed "
    "font i iframe img input ins kbd label link map mark meta noscript object output param path picture polygon "
    "progress q rp rt ruby s samp script small source span strike strong style sub sup svg td template textarea th "
    "time track tt u var video wbr"
)
_NAMES = "|".join(sorted(map(re.escape, (_BLOCK + " " + _INLINE).split()), key=len, reverse=True))
_ATTRIBUTE = r"""\s+[^\s"'<>/=]++\s*=\s*(?:"[^"<]*+"|'[^'<]*+'|[^\s"'<>]++)"""
_TAG = re.compile(
    # well-formed, or at least with an `=` in it: `a <b and c> d` is prose. `o:p` and `fb:like` are tags in any case.
    rf"<(?=[/a-z])(/?)({_NAMES}|[a-z]+:[a-z]+)(?:(?:{_ATTRIBUTE})*+\s*/?>|\s[^<>=]*+=[^<>]*+>)|<!doctype\b[^<>]*+>",
    re.IGNORECASE,
)
_PARAGRAPH = "p h h1 h2 h3 h4 h5 h6 blockquote article section table ul ol pre figure"
_PARAGRAPH_TAGS = frozenset(_PARAGRAPH.split())
_BLOCK_TAGS = frozenset(_BLOCK.split())
_CELL_TAGS = frozenset(("td", "th"))
_HIDDEN = {name: re.compile(rf"<{name}\b[^<>]*>", re.IGNORECASE) for name in ("script", "style")}

_ESCAPED_AMPERSAND = re.compile(r"&(?:amp;|#0*38;|#[xX]0*26;)+")
_ENTITY = re.compile(r"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|[A-Za-z][A-Za-z0-9]{1,31});")
_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)
"""Control characters, zero-width marks, direction marks, non-characters, halves of surrogate pairs."""
_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]++|(?<![\u200c\u200d])[\u200c\u200d]++(?![^\x00-\x7f])")
"""Zero-width joiners carry meaning inside Indic words and emoji; beside ASCII they are litter. A row of them goes at
once: one by one, each pass would take one more off its end."""
_BLANKS = re.compile(r"[^\S\n ][^\S\n]*| [^\S\n]+")
"""All but a single space, which may stay as it is."""
_GAP = re.compile(r"(?<!\S)@(?:\s+@){2,}(?!\S)")
"""NOW withholds ten words in every two hundred and writes `@` for each."""
_NOW_NUMBER = re.compile(r"\A(?:\s*(?:@@|##)\d++(?!\S))+")
_LINE_ENDS = re.compile(r" *\n *")
_EMPTY_LINES = re.compile(r"\n{3,}")
_ODD = re.compile("[^\n\x20-\x7e\xa1-\xac\xae-\u02ff\u2010-\u2027\u20a0-\u20bf]")
_MARKS = ("<", "&", "@", "##", "  ", " \n", "\n ", "\n\n\n")
_SUSPECT = re.compile(r"<|&[#A-Za-z]|@[@\s]|\A##|  | \n|\n |\n\n\n")
"""Where neither odd characters nor any of this occur there is nothing to do: most clean text is spared every other
pass. Each mark is looked for by itself before the pattern is asked: 0.05 ms an article instead of 0.08."""

MAX_PASSES = 8
"""Markup that uncovers further markup after this many passes is built to do so: its `<` and `&` are dropped."""
_NO_MARKUP = str.maketrans("", "", "<&")
_NO_BREAKS = str.maketrans("", "", "\n\t")
_COMMENT = re.compile("<!--")


def clean_text(text: str) -> str:
    """Returns the plain text of an article body.

    Entities are decoded until none is left (feeds escape twice), so escaped markup counts as markup. Tags go, with
    what stands between `<script>` or `<style>` tags; `a < b and c > d` stays.

    Example:
        >>> clean_text("<p>Rain &amp;amp; wind</p><p>in Lagos")
        'Rain & wind\\n\\nin Lagos'
    """
    passes = 0
    while (cleaned := _pass(text)) != text:
        passes += 1
        text = cleaned if passes < MAX_PASSES else cleaned.translate(_NO_MARKUP)
    return text


def clean_title(title: str) -> str:
    """Returns a headline as one line of plain text."""
    while (cleaned := " ".join(clean_text(title).split())) != title:
        title = cleaned
    return title


def clean_address(url: str) -> str:
    """Returns a URL without surrounding blanks, line breaks, tabs and invisible characters; nothing is decoded."""
    return _INVISIBLE.sub("", _NEWLINES.sub("", url)).translate(_NO_BREAKS).strip()


def _pass(text: str) -> str:
    """Cleans once; what one step uncovers for an earlier one (`&am<b></b>p;`) is left to the next pass."""
    if not _is_suspect(text) and unicodedata.is_normalized("NFC", text):
        return text.strip()
    text = _NEWLINES.sub("\n", text)
    if "&" in text:
        text = _ENTITY.sub(_decode, _ESCAPED_AMPERSAND.sub("&", text))
        text = _NEWLINES.sub("\n", text)
    if "<" in text:
        text = _without_tags(text)
    text = _JOINERS.sub("", _INVISIBLE.sub("", text))
    text = unicodedata.normalize("NFC", text)
    if text.startswith(("@@", "##")):
        text = _NOW_NUMBER.sub("", text)
    if "@" in text:
        text = _GAP.sub(" ", text)
    text = _BLANKS.sub(" ", text)
    text = _LINE_ENDS.sub("\n", text)
    return _EMPTY_LINES.sub("\n\n", text).strip()


def _is_suspect(text: str) -> bool:
    if _ODD.search(text):
        return True
    return any(mark in text for mark in _MARKS) and bool(_SUSPECT.search(text))


def _decode(found: re.Match[str]) -> str:
    entity = found.group()
    return unescape(entity) if entity[1] == "#" or entity[1:] in html5 else entity


def _without_tags(text: str) -> str:
    text = _without_spans(text, _COMMENT, "-->")
    for name, opening in _HIDDEN.items():
        text = _without_spans(text, opening, f"</{name}>")
    return _TAG.sub(_in_place_of_tag, text)


def _without_spans(text: str, opening: re.Pattern[str], closing: str) -> str:
    """Cuts what stands between an opening and the next closing, both included; an opening never closed stays."""
    if not opening.search(text):
        return text
    ends = [found.end() for found in re.finditer(re.escape(closing), text, re.IGNORECASE)]
    kept: list[str] = []
    at = 0
    ends.reverse()
    for found in opening.finditer(text):
        if found.start() < at:
            continue
        while ends and ends[-1] < found.end():
            ends.pop()
        if not ends:
            break
        kept.append(text[at : found.start()])
        at = ends[-1]
    kept.append(text[at:])
    return " ".join(kept)


def _in_place_of_tag(found: re.Match[str]) -> str:
    name = (found.group(2) or "").lower()
    if name in _PARAGRAPH_TAGS:
        return "\n\n"
    if name in _BLOCK_TAGS:
        return "\n"
    return " " if name in _CELL_TAGS else ""


_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(?!\d)")
"""ISO 8601 and its cousins: `2021-03-04T10:00:00Z`, `2021/3/4`, `20210304`."""
_DAY_FIRST = re.compile(
    r"(?:[a-z]{3,9}(?:\.?,?\s+|\.?,))?(\d{1,2})(?:st|nd|rd|th)?[\s-]+(?:of\s+)?([a-z]{3,9})\.?,?[\s-]+(\d{4})(?!\d)"
)
"""RFC 2822 and prose: `Thu, 04 Mar 2021 10:00:00 +0000`, `Thu,04 Mar 2021`, `4 March 2021`."""
_SHORT_YEAR = re.compile(
    r"(?:[a-z]{3,9},?\s*)?(\d{1,2})\s+([a-z]{3,9})\s+(\d{2})\s+\d{1,2}:\d{2}"
    r"|[a-z]{6,9},\s*(\d{1,2})-([a-z]{3})-(\d{2})\s+\d{1,2}:\d{2}"
)
"""RFC 822 and RFC 850, with a time: `Thu, 04 Mar 21 10:00 GMT`, `Thursday, 04-Mar-21 10:00:00 GMT`. Without one, which
number is the year is not certain."""
_YEAR_LAST = re.compile(
    r"(?:[a-z]{3,9},?\s+)([a-z]{3,9})\s+(\d{1,2})\s+\d{1,2}:\d{2}(?::\d{2})?\s+(?:[a-z]{1,5}\s+|[+-]\d{4}\s+)?(\d{4})(?!\d)"
)
"""What C, Java and Twitter write: `Thu Mar 04 10:00:00 GMT 2021`."""
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}")
"""GDELT's: `20210304101500`; without seconds they would be milliseconds of 1976."""
_MONTH_FIRST = re.compile(r"(?:[a-z]{3,9}\.?,\s+)?([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")
"""American prose: `March 4, 2021 2:35 PM`."""
_NO_YEAR = re.compile(
    r"(?:[a-z]{3,9}\.?,?\s+)?(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s-]+(?P<month>[a-z]{3,9})|"
    r"(?P<first>[a-z]{3,9})\.?\s+(?P<last>\d{1,2})(?:st|nd|rd|th)?)"
    r"\.?(?:,?\s+(?:at\s+)?\d{1,2}(?::\d{2}){0,2}\s?(?:[ap]\.?m\.?)?(?:\s[a-z]{2,4})?)?"
)
"""Both without a year: `Jan. 26`, `Thu, 4 March, 10:00`."""
_EPOCH = re.compile(r"-?\d{9,10}(?:\.\d+)?|\d{12,13}(?:\.0)?|\d{16}|\d{19}")
"""Seconds (9 or 10 digits), milliseconds (12 or 13), microseconds (16) or nanoseconds (19) since 1970, UTC."""
_TICKS = {16: 1e6, 19: 1e9}
"""Digits -> so many a second."""
_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = tuple(_MONTH_NAMES.split())


def day_of(written: str, year: int | None = None) -> str:
    """Returns the ISO day that a string names, or an empty string where that cannot be told for certain.

    Args:
        written: as it stands in a file.
        year: of dates that name none; without it, these are not read.

    Example:
        >>> day_of("Thu, 04 Mar 2021 10:00:00 +0000"), day_of("03/04/2021")
        ('2021-03-04', '')
    """
    text = " ".join(written[:200].lower().split())
    if not text.isascii():
        return ""
    if (found := _DIGITS.fullmatch(text)) and (day := _day(int(found[1]), int(found[2]), int(found[3]))):
        return day
    if _EPOCH.fullmatch(text):
        seconds = float(text) / (_TICKS.get(len(text), 1) if text.isdigit() else 1)
        return datetime.fromtimestamp(seconds / 1000 if abs(seconds) >= 1e11 else seconds, UTC).date().isoformat()
    if found := _YEAR_FIRST.match(text):
        if not found[2] and len(found[0]) != 8:
            return ""
        return _day(int(found[1]), int(found[3]), int(found[4]))
    if found := _DAY_FIRST.match(text):
        return _day(int(found[3]), _month(found[2]), int(found[1]))
    if found := _SHORT_YEAR.match(text):
        day, month, short = found[1] or found[4], found[2] or found[5], int(found[3] or found[6])
        return _day(short + (2000 if short < 50 else 1900), _month(month), int(day))  # RFC 2822, 4.3
    if found := _YEAR_LAST.match(text):
        return _day(int(found[3]), _month(found[1]), int(found[2]))
    if found := _MONTH_FIRST.match(text):
        return _day(int(found[3]), _month(found[1]), int(found[2]))
    if year is not None and (found := _NO_YEAR.fullmatch(text)):
        return _day(year, _month(found["month"] or found["first"]), int(found["day"] or found["last"]))
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
