"""News outlets by registered domain: the reviewed table in the package, a user's own CSV, and published lists.

`country` is where the publisher sits, not where its readers are: the New York Times is American on every page. Where an
outlet keeps an edition under another country's suffix, that edition is left to the suffix.

A user's own table is strict: its first mistake stops. A published list has thousands of rows and nobody to correct
them, so bad rows are left out and counted by reason: rows = outlets + left out. Files are local and not compressed.

GDELT, "domains by country" (MASTER-GDELTDOMAINSBYCOUNTRY-MAY2018.TXT, 189,545 lines): three columns separated by tabs,
no header: domain, FIPS 10-4 country code, country name (`0-50.ru`, `RS`, `Russia`). FIPS codes look like ISO codes and
mean other countries (AS is Australia, RS Russia), so the name counts, and the code only where the name is unknown.
Mind what the list says: the country that an outlet *writes about* most, as an estimate of where it sits.

Media Cloud, source list of a collection ("Download CSV"; `id,homepage,domain,url_search_string,label,notes,platform,
pub_country,pub_state,...`; older exports have the domain in `name`, or only a `url`): `pub_country` is ISO 3166 alpha-3
and often empty. A row with a `url_search_string` is a part of a site, and a `platform` other than online_news no site.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, TextIO

from dateline.errors import UserError
from dateline.places.countries import Country, all_countries, country
from dateline.places.url import UrlParts, parse_url, show
from dateline.places.wrapped import is_everywhere, stands_for_others

OUTLET_TABLE = Path(__file__).parent / "data" / "outlets.csv"

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


def is_nobodys(parts: UrlParts) -> bool:
    """Says whether a site carries what others publish: it is no outlet, and its suffix says nothing of a country."""
    return bool(parts.platform or parts.domain in PORTALS or is_everywhere(parts) or stands_for_others(parts))


@dataclass(frozen=True, slots=True)
class Outlet:
    """One news outlet."""

    domain: str
    """Registered domain in lower case (`bbc.co.uk`)."""
    country: str
    """ISO 3166 alpha-2, lower case: the publisher's home."""
    name: str


def outlet(domain: str) -> Outlet | None:
    """Returns the outlet that owns a registered domain, or None.

    Example:
        >>> outlet("punchng.com")
        Outlet(domain='punchng.com', country='ng', name='The Punch')
    """
    return shipped_outlets().get(domain)


@cache
def shipped_outlets() -> Mapping[str, Outlet]:
    """Returns the table inside the package by domain, read on first use (a few milliseconds) and not to be changed."""
    with OUTLET_TABLE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType(
            {row["domain"]: Outlet(row["domain"], row["country"], row["name"]) for row in csv.DictReader(file)}
        )


PublishedFormat = Literal["gdelt", "mediacloud"]

COLUMNS = ("domain", "country", "name")
"""Of a user's own table."""
HEADER_CHARACTERS = 1 << 16
"""How much of the first line is looked at to tell formats apart."""

_ADDRESSES = ("domain", "name", "homepage", "url")
"""Where Media Cloud's exports keep an outlet's address, best first."""

_FIPS = (
    "AA:aw AC:ag AE:ae AF:af AG:dz AJ:az AL:al AM:am AN:ad AO:ao AQ:as AR:ar AS:au AU:at AV:ai AY:aq BA:bh BB:bb BC:bw "
    "BD:bm BE:be BF:bs BG:bd BH:bz BK:ba BL:bo BM:mm BN:bj BO:by BP:sb BR:br BT:bt BU:bg BV:bv BX:bn BY:bi CA:ca CB:kh "
    "CD:td CE:lk CF:cg CG:cd CH:cn CI:cl CJ:ky CK:cc CM:cm CN:km CO:co CQ:mp CS:cr CT:cf CU:cu CV:cv CW:ck CY:cy DA:dk "
    "DJ:dj DO:dm DR:do EC:ec EG:eg EI:ie EK:gq EN:ee ER:er ES:sv ET:et EZ:cz FG:gf FI:fi FJ:fj FK:fk FM:fm FO:fo FP:pf "
    "FR:fr FS:tf GA:gm GB:ga GG:ge GH:gh GI:gi GJ:gd GK:gg GL:gl GM:de GP:gp GQ:gu GR:gr GT:gt GV:gn GY:gy GZ:ps HA:ht "
    "HK:hk HM:hm HO:hn HR:hr HU:hu IC:is ID:id IM:im IN:in IO:io IR:ir IS:il IT:it IV:ci IZ:iq JA:jp JE:je JM:jm JO:jo "
    "KE:ke KG:kg KN:kp KR:ki KS:kr KT:cx KU:kw KZ:kz LA:la LE:lb LG:lv LH:lt LI:lr LO:sk LS:li LT:ls LU:lu LY:ly MA:mg "
    "MB:mq MC:mo MD:md MF:yt MG:mn MH:ms MI:mw MJ:me MK:mk ML:ml MN:mc MO:ma MP:mu MR:mr MT:mt MU:om MV:mv MX:mx MY:my "
    "MZ:mz NC:nc NE:nu NF:nf NG:ne NH:vu NI:ng NL:nl NN:sx NO:no NP:np NR:nr NS:sr NU:ni NZ:nz OD:ss PA:py PC:pn PE:pe "
    "PK:pk PL:pl PM:pa PO:pt PP:pg PS:pw PU:gw QA:qa RB:rs RE:re RI:rs RM:mh RN:mf RO:ro RP:ph RQ:pr RS:ru RW:rw SA:sa "
    "SB:pm SC:kn SE:sc SF:za SG:sn SH:sh SI:si SL:sl SM:sm SN:sg SO:so SP:es ST:lc SU:sd SV:sj SW:se SX:gs SY:sy SZ:ch "
    "TB:bl TD:tt TH:th TI:tj TK:tc TL:tk TN:to TO:tg TP:st TS:tn TT:tl TU:tr TV:tv TW:tw TX:tm TZ:tz UC:cw UG:ug UK:gb "
    "UP:ua US:us UV:bf UY:uy UZ:uz VC:vc VE:ve VI:vg VM:vn VQ:vi VT:va WA:na WE:ps WF:wf WI:eh WS:ws WZ:sz YM:ye ZA:zm "
    "ZI:zw"
)
FIPS_TO_ISO = dict(pair.split(":") for pair in _FIPS.split())
"""FIPS 10-4 country codes (withdrawn in 2008, still GDELT's) with their ISO 3166 alpha-2 codes.

Gaza (GZ) and the West Bank (WE) are Palestine. Kosovo (KV), military bases and disputed reefs have no ISO code.
"""


MAX_FIELD = 16 << 20
"""Characters; more in one cell is a quote that was never closed."""


class _Row(NamedTuple):
    """One row of any list: what it calls domain, country and name, or why it is left out."""

    domain: str = ""
    home: Country | None = None
    name: str = ""
    reason: str = ""


def load_outlets(path: str | Path) -> dict[str, Outlet]:
    """Returns an outlet table by domain: a user's own, every row checked, or a published list, bad rows left out.

    Which of the two it is shows in the first line (`published_format`); the file's name does
    not matter. `load_published` also says what was left out of a published list, and why.

    Args:
        path: CSV file, UTF-8, with a header line and the columns domain, country, name; further columns are ignored.
            Countries may be codes or names; a leading `www.` is forgiven. Or a list by GDELT or Media Cloud.

    Raises:
        UserError: the file cannot be read, a column is missing, or a row (named by its line) has a domain that is no
            registered domain, an unknown country, or a second country for the same domain. Of a published list: no row
            of it can be used.

    Example:
        >>> outlets = load_outlets("my-outlets.csv")  # domain,country,name
        >>> resolve("https://lagosdaily.com/vote", outlets=outlets).country
        'ng'
    """
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


def published_format(path: str | Path) -> PublishedFormat | None:
    """Returns whose list a file is, by its first line with anything in it, or None for any other file.

    GDELT's is three columns separated by tabs, the second a code of at most two letters. Media Cloud's is a CSV header
    with `pub_country`. A header with domain, country and name is a user's own table, whatever else it has.

    Raises:
        UserError: the file cannot be read.
    """
    with _open(Path(path)) as file:
        line = file.readline(HEADER_CHARACTERS)
        while line and not line.strip():
            line = file.readline(HEADER_CHARACTERS)
    columns = line.rstrip("\r\n").split("\t")
    if len(columns) == 3 and len(columns[1].strip()) <= 2 and columns[0].strip().lower() != "domain":
        return "gdelt"
    header = _columns(line)
    return "mediacloud" if "pub_country" in header and not set(COLUMNS) <= set(header) else None


def load_published(path: str | Path) -> tuple[dict[str, Outlet], Counter[str]]:
    """Returns the outlets of a published list by domain, and how many rows were left out for which reason.

    Left out are rows with another number of columns, without a country or with an unknown one, whose domain is not a
    registered domain (`www.` is forgiven) or is a shared platform or portal, repetitions, and every row of a domain
    that the list puts into two countries. The order of rows matters to nothing but which spelling of a name is kept.

    Raises:
        UserError: the file cannot be read, is neither list, or no row of it can be used.
    """
    path = Path(path)
    kind = published_format(path)
    if kind is None:
        raise UserError(
            f"{path}: neither GDELT's list of domains by country (three columns separated by tabs, no header) nor a "
            "Media Cloud source list (CSV with a column pub_country)"
        )
    found: dict[str, Outlet] = {}
    rows: Counter[str] = Counter()
    disputed: set[str] = set()
    skipped: Counter[str] = Counter()
    with _open(path) as file:
        for row in _read_gdelt(file) if kind == "gdelt" else _read_media_cloud(file, path):
            outlet = _judge(row)
            if isinstance(outlet, str):
                skipped[outlet] += 1
                continue
            rows[outlet.domain] += 1
            if found.setdefault(outlet.domain, outlet).country != outlet.country:
                disputed.add(outlet.domain)
    outlets = {domain: outlet for domain, outlet in found.items() if domain not in disputed}
    skipped["two countries"] += sum(rows[domain] for domain in disputed)
    skipped["repeated"] += sum(rows[domain] - 1 for domain in outlets)
    skipped = +skipped
    if not outlets:
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(skipped.items()))
        raise UserError(f"{path}: no outlet in this list can be used ({reasons or 'it has no rows'})")
    return outlets, skipped


def csv_rows(path: Path, columns: Sequence[str], what: str, cure: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each line of a CSV table and what stands in the columns that are asked for.

    Args:
        path: in UTF-8, with a header.
        columns: that it must have; others are passed over.
        what: the table is, for messages: `the outlet table`.
        cure: what to do about a damaged one.

    Raises:
        UserError: where it cannot be read, is damaged, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
                raise UserError(f"{path}: line 1: no column {', '.join(missing)}; {cure}")
            for row in reader:
                yield reader.line_num, [row[column] or "" for column in columns]
    except OSError as error:
        raise UserError(f"{path}: cannot read {what}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; {cure}") from None
    except csv.Error as error:
        raise UserError(f"{path}: not a CSV table: {error}; {cure}") from None


def _load_own(path: Path) -> dict[str, Outlet]:
    """Returns a user's own table; its first mistake stops."""
    outlets: dict[str, Outlet] = {}
    cure = f"an outlet table has {', '.join(COLUMNS)}, in UTF-8 (or is a list as GDELT or Media Cloud publish it)"
    for number, cells in csv_rows(path, COLUMNS, "the outlet table", cure):
        found = _checked(cells, f"{path}: line {number}")
        known = outlets.setdefault(found.domain, found)
        if known.country != found.country:
            raise UserError(
                f"{path}: line {number}: {found.domain} is in {found.country} here but in {known.country} further up; "
                "keep one"
            )
    return outlets


def _checked(cells: Sequence[str], where: str) -> Outlet:
    """Returns domain, country and name as an outlet, or says what is wrong with them and where."""
    written, code, name = map(str.strip, cells)
    parts = parse_url(written)
    if not parts.domain:
        raise UserError(f"{where}: {show(written)} is not a domain: {parts.reason}")
    if parts.subdomain:
        raise UserError(f"{where}: {show(written)} is not a registered domain; write {parts.domain}")
    home = country(code)
    if home is None:
        raise UserError(f"{where}: unknown country {show(code)}; write an ISO 3166 code such as za, or an English name")
    return Outlet(parts.domain, home.alpha2, name or parts.domain)


def _judge(row: _Row) -> Outlet | str:
    """Returns the row as an outlet, or the reason to leave it out."""
    if row.reason:
        return row.reason
    parts = parse_url(row.domain)
    if not parts.domain:
        return "no registered domain"
    if is_nobodys(parts):
        return "shared platform or portal"
    if parts.subdomain or parts.path.strip("/"):
        return "part of a site"
    if row.home is None:
        return "unknown country"
    return Outlet(parts.domain, row.home.alpha2, " ".join(row.name.split())[:200] or parts.domain)


def _read_gdelt(file: TextIO) -> Iterator[_Row]:
    """Yields the rows of a GDELT list."""
    for line in file:
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 3:
            yield _Row(reason="not three columns")
            continue
        domain, code, name = columns
        if not code and not name:
            yield _Row(reason="no country")
            continue
        named = country(name) if len(name) > 3 else None  # shorter ones are codes, and the codes here are not ISO's
        yield _Row(domain, named or all_countries().get(FIPS_TO_ISO.get(code.upper(), "")))


def _read_media_cloud(file: TextIO, path: Path) -> Iterator[_Row]:
    """Yields the rows of a Media Cloud list."""
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(file)
    try:
        header = next((_lower(row) for row in reader if any(row)), [])
        place = {column: index for index, column in reversed(list(enumerate(header)))}
        if not place.keys() & set(_ADDRESSES):
            raise UserError(f"{path}: no column {', '.join(_ADDRESSES)}; one of them holds an outlet's address")
        for row in reader:
            if not any(row):
                continue
            cell = {column: row[index].strip() for column, index in place.items() if index < len(row)}
            if len(row) != len(header):
                yield _Row(reason="other columns than the header")
            elif cell.get("url_search_string"):
                yield _Row(reason="part of a site")
            elif cell.get("platform", "online_news") != "online_news":
                yield _Row(reason="not a web site")
            elif not cell["pub_country"]:
                yield _Row(reason="no country")
            else:
                address = next((cell[key] for key in _ADDRESSES if parse_url(cell.get(key, "")).domain), "")
                name = cell.get("label") or cell.get("name", "")
                yield _Row(address, country(cell["pub_country"]), name if name != address else "")
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not a CSV table: {error}") from None


def _columns(line: str) -> list[str]:
    """Returns the column names of a header line, or nothing if it is none."""
    try:
        return _lower(next(csv.reader([line]), []))
    except csv.Error:
        return []


def _lower(row: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in row]


def _open(path: Path) -> TextIO:
    """Returns the file as text; broken UTF-8 becomes a mark that no domain and no country contains."""
    try:
        return path.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise UserError(f"{path}: cannot read the outlet table: {error.strerror or error}") from None
