"""The embedded newswire: plausible local news of 18 countries, with the exact log-probability of every article.

Log-probabilities are of (title, text) given the outlet, the country, the continent, or nothing: the least loss that any
model can reach under each condition. URL, date and id are drawn apart from the body and are no part of them.

A country is drawn uniformly out of 18, then one of its three outlets, then a story, then what fills it. With
`balance="continent"` the continent is drawn first, then a country of it, as in a corpus mixed by equal continents.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeVar

from dateline.corpus.newswire.facts import outlets, patterns, place_tables
from dateline.corpus.newswire.grammar import Grammar
from dateline.records import Article, article_id, stable_hash

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
