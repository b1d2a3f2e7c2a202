"""Know news outlets by their domain.

Enters: a registered domain; the reviewed table data/outlets.csv; optionally a user's own table with the same columns.
Leaves: `Outlet` or None.
Deliberately not done: no aggregators (a portal has no home), no audience: `country` is where the publisher sits, so the
New York Times is American on every page. Where an outlet keeps an edition under another country's suffix, that edition
is left to the suffix.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from dateline.errors import UserError
from dateline.places.countries import country
from dateline.places.url import parse_url, show

OUTLET_TABLE = Path(__file__).parent / "data" / "outlets.csv"
COLUMNS = ("domain", "country", "name")


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
    """Returns a user's outlet table by domain, every row checked.

    Args:
        path: CSV file, UTF-8, with a header line and the columns domain, country, name; further columns are ignored.
            Countries may be codes or names; a leading `www.` is forgiven.

    Raises:
        UserError: the file cannot be read, a column is missing, or a row (named by its line) has a domain that is no
            registered domain, an unknown country, or a second country for the same domain.
    """
    path = Path(path)
    outlets: dict[str, Outlet] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path}: line 1: no column {', '.join(missing)}; an outlet table has {', '.join(COLUMNS)}"
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
