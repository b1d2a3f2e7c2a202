"""Know news outlets by their domain.

Enters: a registered domain; the reviewed table data/outlets.csv; optionally a user's own tables: CSV with the same
columns, or lists as GDELT and Media Cloud publish them (`dateline.places.published`).
Leaves: `Outlet` or None.
Deliberately not done: no aggregators (a portal has no home), no audience: `country` is where the publisher sits, so the
New York Times is American on every page. Where an outlet keeps an edition under another country's suffix, that edition
is left to the suffix. No compressed and no remote tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from dateline.errors import UserError
from dateline.places.countries import country
from dateline.places.url import parse_url, show

OUTLET_TABLE = Path(__file__).parent / "data" / "outlets.csv"
COLUMNS = ("domain", "country", "name")

PORTALS = frozenset({
    "yahoo.com", "yahoo.co.jp", "msn.com", "aol.com", "google.com", "bing.com", "apple.news", "flipboard.com",
    "newsbreak.com", "smartnews.com", "dailyhunt.in", "inshorts.com", "feedly.com", "pressreader.com", "newsnow.co.uk",
    "allafrica.com", "einnews.com", "topix.com", "drudgereport.com", "facebook.com", "instagram.com", "linkedin.com",
    "pinterest.com", "quora.com", "reddit.com", "twitter.com", "x.com", "vk.com", "telegram.org", "t.me", "tiktok.com",
    "youtube.com", "youtu.be", "archive.org", "wikipedia.org", "prnewswire.com", "businesswire.com",
    "globenewswire.com",
})  # fmt: skip
"""Registered domains that carry what others publish: aggregators, social networks, archives, press releases.

They have no home, so no list and no count of declared countries makes outlets of them. A user's own table may.
"""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One news outlet."""

    domain: str
    """Registered domain in lower case (`bbc.co.uk`)."""
    country: str
    """ISO 3166 alpha-2, lower case: the publisher's home."""
    name: str


def outlet(domain: str) -> Outlet | None:
    """Returns the outlet that owns a registered domain, or None."""
    return shipped_outlets().get(domain)


@cache
def shipped_outlets() -> Mapping[str, Outlet]:
    """Returns the table inside the package by domain, read on first use (a few milliseconds) and not to be changed."""
    with OUTLET_TABLE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType(
            {row["domain"]: Outlet(row["domain"], row["country"], row["name"]) for row in csv.DictReader(file)}
        )


def load_outlets(path: str | Path) -> dict[str, Outlet]:
    """Returns an outlet table by domain: a user's own, every row checked, or a published list, bad rows left out.

    Which of the two it is shows in the first line (`dateline.places.published.published_format`); the file's name does
    not matter. `load_published` also says what was left out of a published list, and why.

    Args:
        path: CSV file, UTF-8, with a header line and the columns domain, country, name; further columns are ignored.
            Countries may be codes or names; a leading `www.` is forgiven. Or a list by GDELT or Media Cloud.

    Raises:
        UserError: the file cannot be read, a column is missing, or a row (named by its line) has a domain that is no
            registered domain, an unknown country, or a second country for the same domain. Of a published list: no row
            of it can be used.
    """
    from dateline.places.published import load_published, published_format

    return load_published(path)[0] if published_format(path) else _load_own(Path(path))


def load_outlet_tables(paths: Iterable[str | Path]) -> dict[str, Outlet]:
    """Returns several outlet tables as one, by domain; where two of them know a domain, the one named first is right.

    Raises:
        UserError: as `load_outlets`.
    """
    outlets: dict[str, Outlet] = {}
    for path in paths:
        for domain, found in load_outlets(path).items():
            outlets.setdefault(domain, found)
    return outlets


def _load_own(path: Path) -> dict[str, Outlet]:
    """Returns a user's own table; its first mistake stops."""
    outlets: dict[str, Outlet] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path}: line 1: no column {', '.join(missing)}; an outlet table has {', '.join(COLUMNS)} "
                    "(or is a list as GDELT or Media Cloud publish it)"
                )
            for row in reader:
                found = _checked(row, f"{path}: line {reader.line_num}")
                known = outlets.setdefault(found.domain, found)
                if known.country != found.country:
                    raise UserError(
                        f"{path}: line {reader.line_num}: {found.domain} is in {found.country} here but in "
                        f"{known.country} further up; keep one"
                    )
    except OSError as error:
        raise UserError(f"{path}: cannot read the outlet table: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save the outlet table as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"{path}: not a CSV table: {error}") from None
    return outlets


def _checked(row: Mapping[str, str | None], where: str) -> Outlet:
    """Returns the row as an outlet, or says what is wrong with it and where."""
    written, code, name = ((row[column] or "").strip() for column in COLUMNS)
    parts = parse_url(written)
    if not parts.domain:
        raise UserError(f"{where}: {show(written)} is not a domain: {parts.reason}")
    if parts.subdomain:
        raise UserError(f"{where}: {show(written)} is not a registered domain; write {parts.domain}")
    home = country(code)
    if home is None:
        raise UserError(f"{where}: unknown country {show(code)}; write an ISO 3166 code such as za, or an English name")
    return Outlet(parts.domain, home.alpha2, name or parts.domain)
