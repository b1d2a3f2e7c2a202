"""`dateline place` shows what URLs say about their origin, `dateline outlets learn` proposes outlets from a corpus."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pydantic
import tyro

from dateline.cli.options import choose_action, read_arguments
from dateline.cli.tables import print_rows
from dateline.config import Section
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.places.learn import OutletEvidence, Proposal


COLUMNS = ("url", "domain", "country", "continent", "verified", "evidence")


class Place(Section):
    """Shows what each URL says about its origin: domain, country, continent, and the evidence for it.

    The outlet table, the country-code suffix and hints in host, path and query are looked at; nothing is fetched.
    """

    urls: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """URLs; - reads them from standard input, one a line."""
    country: str = ""
    """Country that the data itself declares: the strongest evidence."""
    as_json: tyro.conf.FlagCreatePairsOff[bool] = pydantic.Field(default=False, alias="json")
    """Print one JSON object a line, in the order of the arguments."""


def place(words: list[str]) -> None:
    """Runs the verb `place`."""
    args = read_arguments("dateline place", Place, words)
    from dateline.places import country, resolve

    if not args.urls:
        raise UserError("no URL given; name some, or - to read them from standard input")
    if args.country and country(args.country) is None:
        raise UserError(f"--country '{args.country}': is no country; write an ISO code such as gb, or a name")
    pairs = ((url, resolve(url, args.country)) for url in _read(args.urls))
    if args.as_json:
        for url, place in pairs:
            print(json.dumps({"url": url, **asdict(place)}))
        return
    rows = []
    for url, place in pairs:
        shown = url if len(url) <= 100 else url[:97] + "..."
        evidence = "; ".join(item.detail for item in place.evidence) or place.reason
        cells = (shown, place.domain, place.country, place.continent, place.verified, evidence)
        rows.append(dict(zip(COLUMNS, map(_printable, cells), strict=True)))
    print_rows(rows, names=COLUMNS)


def _read(urls: tuple[str, ...]) -> Iterator[str]:
    for url in urls:
        if url == "-":
            sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield url


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


ACTIONS = {"learn": "propose outlets from the countries that the documents of a corpus declare"}


class Learn(Section):
    """Proposes outlets (domain, country) from the countries that a corpus's own documents declare.

    Rows that the shipped table has are left out; rows that it or the suffix contradicts are shown, not written.
    """

    corpus: Annotated[Path, tyro.conf.Positional]
    """Folder that dateline corpus has built."""
    out: Path | None = None
    """CSV file to write, for outlets: in a recipe (default: only print)."""
    min_support: int = 20
    """Documents of a domain that must declare a country."""
    min_agreement: float = 0.9
    """Share of them that must declare the same one."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace the CSV file if it exists."""


def outlets(words: list[str]) -> None:
    """Runs the verb `outlets`."""
    _, words = choose_action("dateline outlets", ACTIONS, words, kind="action", rest="CORPUS")
    args = read_arguments("dateline outlets learn", Learn, words)
    from dateline.places.learn import read_evidence, weigh, write_proposals

    evidence = read_evidence(args.corpus)
    proposals, passed_over = weigh(evidence, min_support=args.min_support, min_agreement=args.min_agreement)
    _require_declared(evidence, args.corpus)
    if proposals:
        _print_table(proposals)
    contradicted = sum(bool(row.conflict) for row in proposals)
    summary = [f"{len(proposals)} domains proposed, {contradicted} of them contradicted and not to be written"]
    summary += [f"{number} passed over: {reason}" for reason, number in sorted(passed_over.items())]
    print("; ".join(summary))
    if args.out:
        written = write_proposals(proposals, args.out, overwrite=args.overwrite)
        print(
            f"rows written to {args.out}: {written}; look through them, then name the file under outlets: in a recipe"
        )
    elif len(proposals) > contradicted:
        print("--out proposals.csv writes them as a table for outlets: in a recipe")


def _require_declared(evidence: list[OutletEvidence], corpus: Path) -> None:
    """Refuses a corpus that has nothing to learn from, and says which of the reasons it is."""
    from dateline.places import country

    declared = {row.declared for row in evidence if row.declared.strip()}
    documents = sum(row.documents for row in evidence)
    if not declared:
        raise UserError(
            f"{corpus}: none of its {documents:,} documents declares a country, so there is nothing to learn from; "
            "outlets are learned from a source with a country column, mapped in the recipe (columns: country: ...)"
        )
    if not any(country(written) for written in declared):
        shown = ", ".join(map(ascii, sorted(word[:40] for word in declared)[:3]))
        raise UserError(
            f"{corpus}: none of the declared countries is a country ({shown}); map the right column in the recipe "
            "(columns: country: ...)"
        )


def _print_table(proposals: list[Proposal]) -> None:
    """Prints the proposals, best supported first."""
    rows = []
    for row in proposals:
        notes = [f"CONFLICT, {row.conflict}"] if row.conflict else []
        notes += [f"then {row.runner_up}"] if row.runner_up else []
        rows.append(
            {
                "domain": row.domain,
                "country": row.country,
                "support": f"{row.support:,}",
                "agreement": f"{row.agreement:.1%}",
                "95%": f"{row.low:.1%} to {row.high:.1%}",
                "no country yet": f"{row.undecided:,}",
                "note": "; ".join(notes),
            }
        )
    print_rows(rows, names=("domain", "country", "note"))
