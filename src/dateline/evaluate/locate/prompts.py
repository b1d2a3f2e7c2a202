"""Which places are weighed, and what the model is told of each.

Enters: a model folder and its tokenizer's prefixes, country codes, and for outlets the training split of a corpus.
Leaves: `Prompts`: one prefix a country, or several with weights.
Deliberately not done: nothing in a prefix that the country does not determine: an outlet is shown only where it is
summed over, a date and a URL never.

One prefix a country is the default. On the newswire (198 test articles, names masked, a model trained with all three
fields and `field_dropout: {domain: 0.5}`) it places 60.6% rightly, the sum over three outlets 56.6% at three times the
cost: no clear difference (McNemar p = 0.15). With names both place all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dateline.conditions import FIELDS, Field, Metadata, render
from dateline.errors import UserError
from dateline.evaluate.subject import Subject, known_fields
from dateline.places import PAPER_COUNTRIES, continent_of, country
from dateline.tokens.store import EncodedCorpus

BY_COUNTRY: tuple[Field, ...] = ("country", "continent")
"""Fields that a country determines."""
BY_OUTLET: tuple[Field, ...] = ("domain", "url_hash")
"""Fields that an outlet determines besides; without outlets they stay out of the prefix."""


@dataclass(frozen=True)
class Prompts:
    """The prefixes under which every text is scored."""

    countries: list[str]
    """The places, in the order of every array of probabilities."""
    continents: list[str]
    """Of each country."""
    fields: tuple[Field, ...]
    """What the prefixes show."""
    place: npt.NDArray[np.int64]
    """Index of the country that each prompt stands for, shape [prompts]."""
    weights: npt.NDArray[np.float64]
    """Share of the prompt within its country, shape [prompts]."""
    places: list[Metadata]
    """What each prompt claims."""

    def texts(self, subject: Subject) -> list[str]:
        """Returns the prefixes as the model was trained with."""
        return [render(place, self.fields, prefix_format=subject.prefix_format) for place in self.places]


def told_fields(folder: Path) -> tuple[Field, ...]:
    """Returns the fields that a model was trained to be told, and refuses one that was told no place.

    Raises:
        UserError: where the model was trained without any field, or nothing says with which.
    """
    fields = known_fields(folder)
    if fields is None:
        raise UserError(
            f"{folder}: no dateline.json says which fields the model was told; only a conditioned model can be read "
            "backwards: train one, or name the fields with --fields country,continent"
        )
    if not fields:
        raise UserError(
            f"{folder}: was trained without any place in front of its texts, so it cannot tell places apart; use a "
            "run whose conditions.fields name country, continent or domain"
        )
    return fields


def country_prompts(fields: Sequence[Field], countries: Sequence[str]) -> Prompts:
    """Returns one prompt a country, which shows those of the fields that a country determines.

    Raises:
        UserError: where a country is not one, fewer than two are named, or no field tells countries apart.
    """
    codes = check_countries(countries)
    shown = tuple(field for field in FIELDS if field in fields and field in BY_COUNTRY)
    if "country" not in shown:
        raise UserError(
            f"the model is told {', '.join(fields) or 'nothing'}, and none of it is the country itself; "
            "sum over outlets with --outlets 3 --corpus ENCODED, or use a model with the field country"
        )
    places = [Metadata(country=code, continent=continent_of(code)) for code in codes]
    return _prompts(codes, shown, np.arange(len(codes)), np.ones(len(codes)), places)


def outlet_prompts(fields: Sequence[Field], countries: Sequence[str], corpus: EncodedCorpus, outlets: int) -> Prompts:
    """Returns a prompt for each of a country's most frequent training outlets, weighted by their documents.

    p(text | country) = sum over outlets of share x p(text | prefix of the outlet).

    Args:
        fields: that the model was trained with; one of them must be of outlets.
        countries: codes.
        corpus: whose training split says which outlets there are.
        outlets: at most this many for each country.

    Raises:
        UserError: where the model was never told an outlet, or a country has none in the training split.
    """
    codes = check_countries(countries)
    shown = tuple(field for field in FIELDS if field in fields and field in BY_COUNTRY + BY_OUTLET)
    if outlets < 1:
        raise UserError(f"--outlets {outlets}: give 1 or more")
    if not set(shown) & set(BY_OUTLET):
        raise UserError(f"--outlets: the model is told {', '.join(fields)} and no outlet; leave --outlets out")
    train = corpus.select("train")
    counts: dict[str, Counter[str]] = {code: Counter() for code in codes}
    for code, domain in zip(corpus.countries[train], corpus.domains[train], strict=True):
        if code in counts and domain:
            counts[code][str(domain)] += 1
    owners, weights, places = [], [], []
    for position, code in enumerate(codes):
        chosen = sorted(counts[code].items(), key=lambda item: (-item[1], item[0]))[:outlets]
        if not chosen:
            raise UserError(f"{corpus.folder}: no training document of {code} names an outlet; leave --outlets out")
        total = sum(count for _, count in chosen)
        for domain, count in chosen:
            owners.append(position)
            weights.append(count / total)
            places.append(Metadata(domain=domain, country=code, continent=continent_of(code)))
    return _prompts(codes, shown, np.array(owners), np.array(weights), places)


def check_countries(countries: Sequence[str]) -> list[str]:
    """Returns codes of the countries that names or codes stand for, each once, in the order given.

    Raises:
        UserError: where one is not a country, or fewer than two are left.
    """
    codes = []
    for name in countries:
        known = country(name)
        if known is None:
            raise UserError(f"'{name}' is no country; write ISO codes such as gb,ng")
        codes.append(known.alpha2)
    codes = list(dict.fromkeys(codes))
    if len(codes) < 2:
        raise UserError(f"a text is located among at least two countries, not {', '.join(codes) or 'none'}; name more")
    return codes


def training_counts(corpus: EncodedCorpus) -> dict[str, int]:
    """Returns the training documents of each country, unknown countries left out, in alphabetical order."""
    counts = Counter(str(code) for code in corpus.countries[corpus.select("train")] if code)
    return dict(sorted(counts.items()))


def default_countries(corpus: EncodedCorpus | None) -> list[str]:
    """Returns the countries of a corpus's training split, or the paper's 18 where there is no corpus."""
    return list(PAPER_COUNTRIES) if corpus is None else list(training_counts(corpus))


def _prompts(
    codes: list[str], fields: tuple[Field, ...], place: npt.NDArray[np.int64], weights: npt.NDArray[np.float64],
    places: Sequence[Metadata],
) -> Prompts:  # fmt: skip
    return Prompts(codes, [continent_of(code) for code in codes], fields, place, weights, list(places))
