"""The places of the newswire (`facts.yaml`) and its stories (`stories.yaml`), parsed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from dateline.corpus.newswire.grammar import Pattern, Tables, table
from dateline.corpus.newswire.notation import parse


@dataclass(frozen=True, slots=True)
class Outlet:
    """A news outlet with the place where it stands."""

    domain: str
    """Registered domain, without `www.` (`jamaica-gleaner.com`)."""
    name: str
    """As it stands inside a sentence (`the Gleaner`)."""
    country: str
    """ISO 3166 alpha-2, lower case."""
    continent: str


def _load(name: str) -> dict[str, Any]:
    content = resources.files("dateline.corpus.newswire").joinpath(name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(content)
    return loaded


@cache
def outlets() -> tuple[Outlet, ...]:
    """Returns the 54 outlets, three for each of the paper's 18 countries, in the order of the file."""
    return tuple(
        Outlet(domain, name, code, country["continent"])
        for code, country in _load("facts.yaml")["countries"].items()
        for domain, name in country["outlets"].items()
    )


@cache
def place_tables() -> dict[str, Tables]:
    """Returns what fills the slots at every outlet, by domain: global, spelling, sport, country and outlet tables."""
    facts = _load("facts.yaml")
    world = {name: table(values) for name, values in facts["global"].items()}
    places: dict[str, Tables] = {}
    for country in facts["countries"].values():
        local = {
            **facts["spellings"][country["spelling"]],
            **facts["sports"][country["sport"]],
            **country["tables"],
        }
        shared = world | {name: table(values) for name, values in local.items()}
        for domain, name in country["outlets"].items():
            places[domain] = shared | {"outlet": table(name)}
    return places


@cache
def patterns() -> tuple[Pattern, ...]:
    """Returns the stories, parsed."""
    file = _load("stories.yaml")
    parts = {name: text.strip() for name, text in file["parts"].items()}
    return tuple(
        Pattern(
            story["name"],
            story["topic"],
            parse(story["title"].strip(), parts),
            parse(story["text"].strip(), parts),
        )
        for story in file["stories"]
    )
