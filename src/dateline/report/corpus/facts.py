"""The nouns of a corpus page: countries, outlets, filters, steps, and `Facts`, which holds them all.

Enters: what audit.py has read. Leaves: plain data in one order, in which None says that a part was not recorded.
Deliberately not done: nothing is computed that the audit does not say, except totals; nothing is repaired.
"""

from __future__ import annotations

from dataclasses import dataclass

from dateline.report.corpus.words import Share, share

SIGNALS = ("suffix", "outlet", "subdomain", "path", "query", "any", "declared")
"""What can name a country, in the order in which it is shown."""
STANDINGS = ("agree", "single", "conflict", "none")
NOWHERE = "Place not known"
"""Heading of what has no continent."""
MOST_COUNTRIES = 48
"""Countries that figures show; the last table shows all."""

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Country:
    """What is known about one country, or about the documents without one, whose code is empty."""

    code: str
    name: str
    continent: str
    splits: Counts
    bytes: int | None
    tokens: int | None
    outlets: int | None
    read: int | None
    dropped: Counts | None
    verified: Counts | None
    years: Counts | None
    """Year -> documents; the empty year holds those without a date."""
    lengths: tuple[int, ...] | None
    """Documents in each bin between the edges of `Facts`."""
    median: int | None
    """Characters; interpolated inside its bin where the audit records bins only."""
    copies: Counts | None
    """`exact` and `near` -> records dropped."""
    right: Counts | None
    """Signal -> documents in which it names this country; `documents` -> all that were looked at."""
    wrong: Counts | None
    """Signal -> documents in which it names another one."""

    @property
    def documents(self) -> int:
        """Of all splits."""
        return sum(self.splits.values())

    @property
    def heading(self) -> str:
        """The continent, or what stands in its place."""
        return self.continent or NOWHERE

    @property
    def copied(self) -> Share | None:
        """The share of the records read that were copies of another."""
        if self.copies is None:
            return None
        return share(self.copies.get("exact", 0) + self.copies.get("near", 0), self.read)

    def standing(self, kind: str) -> Share | None:
        """Returns the share of the documents whose evidence stands so."""
        return share(self.verified.get(kind, 0), sum(self.verified.values())) if self.verified else None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with this country's splits."""
        train, test = self.splits.get("train"), self.splits.get("test")
        if not self.code or train is None or test is None:
            return ()
        if test and not train:
            return ("tested but not trained on",)
        if train and not test:
            return ("trained on but not tested",)
        return () if train else ("no document was kept",)


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet among the largest."""

    domain: str
    country: str
    documents: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """One text that came many times."""

    url: str
    title: str
    copies: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A reason that removes one country more, or less, than the others. Shares lie between 0 and 1."""

    reason: str
    country: str
    dropped: int | None
    read: int | None
    share: float
    low: float
    high: float
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Group:
    """A continent or a country in the balance; `repeats` is how often it is read when groups weigh the same."""

    name: str
    continent: str
    documents: int | None
    tokens: int | None
    repeats: float


@dataclass(frozen=True, slots=True)
class Step:
    """The time that one step took."""

    name: str
    seconds: float
    documents: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a corpus page can show; None is what the audit does not record."""

    name: str
    fingerprint: str
    sources: tuple[str, ...]
    documents: int
    read: int | None
    splits: Counts
    drops: Counts | None
    countries: tuple[Country, ...]
    """By continent, then by documents, most first; what has no country comes last."""
    undated: int | None
    outlets: int | None
    largest: tuple[Outlet, ...] | None
    edges: tuple[float, ...] | None
    """Characters."""
    copies: Counts | None
    """`exact`, `near`, `clusters`."""
    clusters: tuple[Cluster, ...] | None
    verified: Counts | None
    filters: tuple[Filter, ...] | None
    bytes_per_token: float | None
    continents: tuple[Group, ...] | None
    balance: tuple[Group, ...] | None
    """Countries in the balance."""
    steps: tuple[Step, ...] | None
    files: tuple[tuple[str, str], ...]
    """Damaged file and what is wrong with it."""
    problems: tuple[str, ...]

    @property
    def placed(self) -> tuple[Country, ...]:
        """The countries proper."""
        return tuple(country for country in self.countries if country.code)

    @property
    def tokens(self) -> int | None:
        """Estimated tokens of all countries that have an estimate."""
        known = [country.tokens for country in self.countries if country.tokens is not None]
        return sum(known) if known else None

    def largest_of(self, code: str) -> Outlet | None:
        """Returns the largest outlet of a country, if it is among the largest of all."""
        own = [outlet for outlet in self.largest or () if outlet.country == code]
        return max(own, key=lambda outlet: outlet.documents, default=None)

    def ordered(self, most: int) -> tuple[Country, ...]:
        """Returns the largest countries, in the order of the page."""
        kept = sorted(self.countries, key=lambda country: -country.documents)[:most]
        chosen = {country.code for country in kept}
        return tuple(country for country in self.countries if country.code in chosen)
