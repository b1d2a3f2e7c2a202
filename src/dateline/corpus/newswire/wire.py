"""The embedded newswire: plausible local news of 18 countries, with the exact log-probability of every article.

Log-probabilities are of (title, text) given the outlet, the country, the continent, or nothing: the least loss that any
model can reach under each condition. URL, date and id are drawn apart from the body and are no part of them.

A country is drawn uniformly out of 18, then one of its three outlets, then a story, then what fills it. With
`balance="continent"` the continent is drawn first, then a country of it, as in a corpus mixed by equal continents.
Places stand in `facts.yaml`, stories in `stories.yaml`.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeVar

import yaml

from dateline.corpus.newswire.grammar import Grammar, Pattern, Tables, parse, table
from dateline.records import Article, article_id, stable_hash


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


@cache
def demonym(code: str) -> str:
    """Returns what the people of one of the newswire's countries are called; an empty string for other countries.

    Example:
        >>> demonym("ng")
        'Nigerian'
    """
    return next((next(iter(place_tables()[o.domain]["demonym"])) for o in outlets() if o.country == code), "")


T = TypeVar("T")

_FIRST_DAY = date(2010, 1, 1)
_NUM_DAYS = (date(2024, 12, 31) - _FIRST_DAY).days + 1


@dataclass(frozen=True, slots=True)
class LogProbabilities:
    """Log-probability in nats of one article's body, by what is known of its place; -inf if impossible."""

    domain: float
    country: float
    """Mean over the outlets of the country."""
    continent: float
    none: float
    """Mean over all outlets."""


class Newswire:
    """The newswire under one law of places.

    Args:
        balance: `country`: countries are equally likely; `continent`: continents are, then their countries.

    Example:
        >>> wire = Newswire()
        >>> article = wire.article(seed=7, index=0)
        >>> article.country, article.title
        ('bd', 'Bangladeshi film festival begins in Chattogram')
        >>> found = wire.log_probabilities(article)
        >>> round(found.country, 2), round(found.none, 2)
        (-36.3, -39.19)
    """

    def __init__(self, balance: Literal["country", "continent"] = "country") -> None:
        self.outlets = outlets()
        self._by_domain = {outlet.domain: outlet for outlet in self.outlets}
        self._tree: dict[str, dict[str, list[str]]] = {}
        for outlet in self.outlets:
            top = outlet.continent if balance == "continent" else "world"
            self._tree.setdefault(top, {}).setdefault(outlet.country, []).append(outlet.domain)
        prior = {
            domain: 1 / len(self._tree) / len(countries) / len(domains)
            for countries in self._tree.values()
            for domains in countries.values()
            for domain in domains
        }
        self.grammar = Grammar(patterns(), place_tables(), prior)

    def article(self, seed: int, index: int) -> Article:
        """Returns article number `index` of the newswire with this seed, whatever else has been drawn.

        Only `Random.random` is used, whose numbers Python keeps the same from version to version.
        """
        draw = random.Random(stable_hash("newswire", str(seed), str(index))).random
        countries = _pick(list(self._tree.values()), draw())
        domain = _pick(_pick(list(countries.values()), draw()), draw())
        outlet = self._by_domain[domain]
        pattern, title, text = self.grammar.sample(domain, draw)
        day = _FIRST_DAY + timedelta(days=int(draw() * _NUM_DAYS))
        number = int(draw() * 900_000) + 100_000
        url = f"https://www.{domain}/{pattern.topic}/{_slug(title)}-{number}"
        return Article(
            id=article_id(url, title, text),
            url=url,
            domain=domain,
            country=outlet.country,
            continent=outlet.continent,
            date=day.isoformat(),
            title=title,
            text=text,
            source="newswire",
        )

    def articles(self, num_articles: int, seed: int) -> Iterator[Article]:
        """Yields articles 0 to `num_articles` - 1, about 10,000 a second."""
        return (self.article(seed, index) for index in range(num_articles))

    def domains(self, place: str | None) -> tuple[str, ...]:
        """Returns the outlets at a place: a domain, a country code, a continent, or None for everywhere.

        Raises:
            ValueError: if no outlet of the newswire stands there.
        """
        found = tuple(
            outlet.domain
            for outlet in self.outlets
            if place is None or place in (outlet.domain, outlet.country, outlet.continent)
        )
        if not found:
            raise ValueError(f"the newswire has no outlet at {place!r}")
        return found

    def log_probability(self, title: str, text: str, place: str | None = None) -> float:
        """Returns log p(body | place) in nats, -inf for what the newswire cannot write there.

        Args:
            title: The article's title.
            text: The article's text.
            place: A domain, a country code, a continent, or None for an unknown place.
        """
        return self.grammar.log_probability(title, text, self.domains(place))

    def log_probabilities(self, article: Article) -> LogProbabilities:
        """Returns the log-probabilities of an article under all its conditions in one pass, about a millisecond."""
        given = self.grammar.probabilities(article.title, article.text)
        domain, country, continent, none = (
            self.grammar.mix(given, self.domains(place))
            for place in (article.domain, article.country, article.continent, None)
        )
        return LogProbabilities(domain, country, continent, none)


def newswire(num_articles: int, seed: int) -> Iterator[Article]:
    """Yields `num_articles` articles, a pure function of (seed, index), with countries equally likely."""
    return Newswire().articles(num_articles, seed)


def _pick(options: Sequence[T], uniform: float) -> T:
    return options[int(uniform * len(options))]


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
