"""`dateline place`: what URLs say about their origin; none of them is requested."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import pydantic
import tyro

from dateline.cli.options import read_arguments
from dateline.config import Section
from dateline.errors import UserError


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


def run(words: list[str]) -> None:
    """Runs the verb."""
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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("url", "domain", "country", "continent", "verified", "evidence"):
        table.add_column(name, overflow="fold", ratio=3 if name in ("url", "evidence") else None)
    for url, place in pairs:
        evidence = "; ".join(item.detail for item in place.evidence) or place.reason
        shown = url if len(url) <= 100 else url[:97] + "..."
        cells = (shown, place.domain, place.country, place.continent, place.verified, evidence)
        table.add_row(*(Text(_printable(cell)) for cell in cells))
    Console(highlight=False).print(table)


def _read(urls: tuple[str, ...]) -> Iterator[str]:
    for url in urls:
        if url == "-":
            sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield url


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
