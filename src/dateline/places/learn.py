"""Proposes outlets from the countries that a corpus declares, as rows for an outlet table that a recipe can name.

Nothing is added to any table by itself, and no row is proposed for a shared platform or a portal, whose writers'
countries say nothing about the next writer's.

Support is the number of documents of a domain that declare a country; agreement is the share of the most frequent one.
The interval is Wilson's, over documents. Documents of one outlet often get their country from one cell of one table, so
the interval says how much was counted and not how sure the source was.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.places.countries import all_countries, country
from dateline.places.outlets import csv_rows, is_nobodys, outlet
from dateline.places.resolve import resolve
from dateline.places.url import parse_url, show
from dateline.statistics import wilson

EVIDENCE_FILE = "outlets.csv"
EVIDENCE_COLUMNS = ("domain", "declared", "country", "documents")
PROPOSAL_COLUMNS = ("domain", "country", "name", "support", "agreement")
MIN_SUPPORT = 20
MIN_AGREEMENT = 0.9


@dataclass(frozen=True, slots=True)
class OutletEvidence:
    """How many documents of one domain declare one country and were placed in one country."""

    domain: str
    declared: str
    """As the files declare it, code or name; empty if they declare nothing."""
    country: str
    """What the corpus decided, ISO 3166 alpha-2; empty if nothing."""
    documents: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row that the outlet table could have, and what speaks for and against it."""

    domain: str
    country: str
    """ISO 3166 alpha-2, lower case: the country that most documents declare."""
    support: int
    """Documents that declare a country."""
    agreement: float
    """Share of them that declare this one."""
    low: float
    """Lower bound of the agreement, Wilson 95% over documents."""
    high: float
    """Upper bound."""
    runner_up: str
    """The second most frequent country; empty if there is none."""
    undecided: int
    """Documents of the domain without any country so far: what the row would place."""
    conflict: str
    """What contradicts the row (`shipped table: us`, `suffix .co.za: za`); empty if nothing does."""


def weigh(
    evidence: Iterable[OutletEvidence], *, min_support: int = MIN_SUPPORT, min_agreement: float = MIN_AGREEMENT
) -> tuple[list[Proposal], Counter[str]]:
    """Returns the rows that a corpus's declared countries suggest, and how many domains gave none for which reason.

    A domain is proposed if enough of its documents declare a country, enough of those agree, and the shipped table does
    not say so already. Rows that the shipped table or the suffix contradicts are among them, marked by `conflict`.

    Args:
        evidence: counts in any order; the same domain and country may come more than once.
        min_support: documents with a declared country, at least 1.
        min_agreement: share of the most frequent country, above 0.5 (so that there is only one) and at most 1.

    Returns:
        The proposals, best supported first; reason -> number of domains that are not proposed.

    Raises:
        UserError: a threshold lies outside its range.

    Example:
        >>> declared = {"Namibia": 57, "za": 3}
        >>> evidence = [OutletEvidence("unknownpaper.co.za", name, "", count) for name, count in declared.items()]
        >>> proposals, passed_over = weigh(evidence)
        >>> proposals[0].country, proposals[0].agreement, proposals[0].conflict
        ('na', 0.95, 'suffix .co.za: za')
    """
    if min_support < 1:
        raise UserError(f"min_support {min_support}: must be at least 1 document")
    if not 0.5 < min_agreement <= 1:
        raise UserError(f"min_agreement {min_agreement}: must be above 0.5 and at most 1")
    declared: dict[str, Counter[str]] = defaultdict(Counter)
    undecided: Counter[str] = Counter()
    for piece in evidence:
        found = country(piece.declared) if piece.declared.strip() else None
        if found:
            declared[piece.domain][found.alpha2] += piece.documents
        else:
            declared[piece.domain].update(())
        if not piece.country:
            undecided[piece.domain] += piece.documents
    proposals: list[Proposal] = []
    passed_over: Counter[str] = Counter()
    for domain, counts in declared.items():
        support = counts.total()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        reason = _obstacle(domain, ranked, support, min_support, min_agreement)
        if reason:
            passed_over[reason] += 1
            continue
        code, most = ranked[0]
        runner_up = ranked[1][0] if len(ranked) > 1 else ""
        share = wilson(most, support)
        proposals.append(
            Proposal(
                domain=domain,
                country=code,
                support=support,
                agreement=share.value,
                low=share.low,
                high=share.high,
                runner_up=runner_up,
                undecided=undecided[domain],
                conflict=_conflict(domain, code),
            )
        )
    return sorted(proposals, key=lambda row: (-row.support, row.domain)), passed_over


def _obstacle(
    domain: str, ranked: Sequence[tuple[str, int]], support: int, min_support: int, min_agreement: float
) -> str:
    """Returns why a domain is not proposed, or nothing if it is."""
    parts = parse_url(domain)
    if not domain or parts.domain != domain:
        return "no registered domain"
    if is_nobodys(parts):
        return "shared platform or portal"
    if not support:
        return "no declared country"
    if support < min_support:
        return "too few documents"
    code, most = ranked[0]
    if most / support < min_agreement:
        return "countries disagree"
    known = outlet(domain)
    return "in the shipped table" if known and known.country == code else ""


def _conflict(domain: str, code: str) -> str:
    """Returns what the shipped table and the suffix say against a domain's being in a country."""
    against = []
    known = outlet(domain)
    if known and known.country != code:
        against.append(f"shipped table: {known.country}")
    for piece in resolve(domain).evidence:
        if piece.kind == "suffix" and (piece.country or piece.continent) not in (code, all_countries()[code].continent):
            against.append(f"{piece.detail}: {piece.country or piece.continent}")
    return ", ".join(against)


def read_evidence(path: str | Path) -> list[OutletEvidence]:
    """Returns the counts by domain and country that a corpus keeps of itself.

    Args:
        path: a corpus folder, or its file `outlets.csv` with the columns domain, declared, country, documents.

    Raises:
        UserError: there is no such folder or file, a column is missing, or a row (named by its line) is damaged.
    """
    path = Path(path)
    if path.is_dir():
        path = path / EVIDENCE_FILE
        if not path.exists():
            raise UserError(f"{path.parent}: no {EVIDENCE_FILE} here; name a folder that dateline corpus has built")
    rows: list[OutletEvidence] = []
    for number, cells in csv_rows(path, EVIDENCE_COLUMNS, "the corpus's outlets", "build the corpus again"):
        domain, declared, code, documents = cells
        if not (documents.isascii() and documents.isdigit() and 1 <= len(documents) <= 15):
            raise UserError(f"{path}: line {number}: {show(documents)} is no number of documents")
        rows.append(OutletEvidence(domain, declared, code, int(documents)))
    return rows


def write_proposals(proposals: Iterable[Proposal], path: str | Path, *, overwrite: bool = False) -> int:
    """Writes the proposals that nothing contradicts as an outlet table (`load_outlets` reads it) and returns how many.

    Raises:
        UserError: the file exists and is not to be replaced, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists, perhaps with rows edited by hand; give another name, or --overwrite")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PROPOSAL_COLUMNS)
    kept = [row for row in proposals if not row.conflict]
    writer.writerows((row.domain, row.country, row.domain, row.support, f"{row.agreement:.4f}") for row in kept)
    try:
        write_atomically(path, text.getvalue())
    except OSError as error:
        raise UserError(f"{path}: cannot write the proposals: {error.strerror or error}") from None
    return len(kept)
