"""Evaluation conditions: gold, partial, absent or counterfactual metadata, and the prefix that each gives a document.

A condition never changes the body. A `marginal` condition has no prefix of its own: it averages over those of `swap`,
which the scorer computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dateline.conditions.template import FIELDS, LABELS, PREFIX_FORMAT, Field, Metadata, PrefixFormat, render
from dateline.errors import UserError
from dateline.places import continent_of, country
from dateline.records import stable_hash

Prior = Literal["uniform", "corpus"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A named choice of fields plus a transformation of the metadata."""

    name: str
    fields: tuple[Field, ...]
    """What the prefix shows; for `marginal`, what those of its swaps show."""
    transform: Literal["gold", "none", "wrong", "swap", "marginal"]
    country: str = ""
    """For `swap`: the country whose place every document is conditioned on, or `all`."""
    prior: Prior = "uniform"
    """For `marginal`: how probable each country is before the text is read."""


def parse_condition(name: str, fields: Sequence[Field]) -> Condition:
    """Reads a condition's name.

    `gold`, `none` and `wrong`; `swap:<country>`, or `swap:all` for each country that is evaluated in turn;
    `marginal:uniform` and `marginal:corpus` for p(text) = sum over countries of p(country) p(text | swap:country); and
    names of fields joined by `+` (`country`, `url_hash`, `country+continent`), which show only these of the true place.

    Args:
        name: what the user wrote.
        fields: the fields that the prefix shows, unless the name says which.

    Raises:
        UserError: where the name is none of these, or the country is not one.

    Example:
        >>> parse_condition("swap:gh", ("domain", "country")).country
        'gh'
        >>> parse_condition("country", ("domain", "country")).fields
        ('country',)
    """
    chosen = tuple(fields)
    if name == "gold":
        return Condition(name, chosen, "gold")
    if name == "none":
        return Condition(name, (), "none")
    if name == "wrong":
        return Condition(name, chosen, "wrong")
    if name in ("marginal", "marginal:uniform"):
        return Condition("marginal:uniform", chosen, "marginal")
    if name == "marginal:corpus":
        return Condition(name, chosen, "marginal", prior="corpus")
    if name.startswith("swap:"):
        code = name.removeprefix("swap:").strip().lower()
        if code == "all":
            return Condition("swap:all", chosen, "swap", "all")
        known = country(code)
        if known is None:
            raise UserError(f"condition '{name}': '{code}' is not an ISO 3166 country code; write e.g. swap:ng")
        return Condition(f"swap:{known.alpha2}", chosen, "swap", known.alpha2)
    parts = [part.strip() for part in name.split("+")]
    if any(part not in FIELDS for part in parts):
        raise UserError(
            f"unknown condition '{name}'; known are gold, none, wrong, swap:<country>, swap:all, marginal:uniform, "
            f"marginal:corpus, and fields joined by '+': {', '.join(FIELDS)}"
        )
    shown = tuple(field for field in LABELS if field in parts)
    if len(shown) < len(parts) or len({LABELS[field] for field in shown}) < len(shown):
        raise UserError(f"condition '{name}': a line of the prefix is named twice; domain, url, url_hash share one")
    return Condition("+".join(shown), shown, "gold")


def expand_conditions(conditions: Sequence[Condition], countries: Sequence[str]) -> list[Condition]:
    """Returns the conditions with `swap:all` replaced by one swap a country, each name once, in the order given.

    Args:
        conditions: as `parse_condition` gives them.
        countries: codes of the countries that are evaluated; empty codes are left out.

    Raises:
        UserError: where `swap:all` is asked for and no document has a country.
    """
    codes = sorted({code for code in countries if code})
    result: dict[str, Condition] = {}
    for condition in conditions:
        several = [condition]
        if condition.country == "all":
            if not codes:
                raise UserError("condition 'swap:all': no document has a known country; leave it out")
            several = swaps(condition.fields, codes)
        result.update({one.name: one for one in several if one.name not in result})
    return list(result.values())


def swaps(fields: Sequence[Field], countries: Sequence[str]) -> list[Condition]:
    """Returns one swap condition for each country code."""
    return [Condition(f"swap:{code}", tuple(fields), "swap", code) for code in countries]


class Conditioner:
    """Gives every document its prefix under one condition, the same for every model and batch size.

    Example:
        >>> lagos = Metadata(domain="punchng.com", country="ng", continent="Africa")
        >>> london = Metadata(domain="bbc.co.uk", country="gb", continent="Europe")
        >>> wrong = Conditioner(parse_condition("wrong", ("country",)), seed=0, pool=[lagos, london])
        >>> wrong.prefix(lagos, "00000000000000a1")
        'COUNTRY: gb\\n'
    """

    def __init__(
        self,
        condition: Condition,
        *,
        seed: int,
        pool: Sequence[Metadata],
        prefix_format: PrefixFormat = PREFIX_FORMAT,
    ) -> None:
        """Prepares the counterfactual places.

        Args:
            condition: one that has a single prefix a document.
            seed: of the draw of counterfactual places.
            pool: the metadata of all documents under evaluation, in any order.
            prefix_format: that the model was trained with.
        """
        if condition.transform == "marginal" or condition.country == "all":
            raise ValueError(f"condition '{condition.name}' stands for several prefixes; expand it first")
        self.condition = condition
        self.seed = seed
        self.prefix_format = prefix_format
        urls: dict[tuple[str, str, str], str] = {}
        for place in pool:
            if place.country:
                key = (place.continent, place.country, place.domain)
                urls[key] = min(urls.get(key, place.url), place.url)
        self._places = [Metadata(urls[k, c, d], d, c, k) for k, c, d in sorted(urls)]
        if condition.transform == "wrong":
            self._other = {
                continent: [place for place in self._places if place.continent != continent]
                for continent in {place.continent for place in pool}
            }
            if not all(self._other.values()):
                raise UserError(
                    "condition 'wrong': all documents are from one continent, so there is no counterfactual place; "
                    "leave it out or use swap:<country>"
                )
        if condition.transform == "swap":
            self._swapped = [place for place in self._places if place.country == condition.country] or [
                Metadata(country=condition.country, continent=continent_of(condition.country))
            ]

    def metadata(self, metadata: Metadata, document_id: str) -> Metadata:
        """Returns the metadata that the prefix shows: the document's own, or a counterfactual place (`wrong`, `swap`).

        The other place is drawn uniformly from the distinct outlets in the pool by a hash of (seed, document). Its URL
        comes with it, because the document's own would reveal the true place; the date stays.
        """
        if self.condition.transform == "wrong":
            candidates = self._other[metadata.continent]
        elif self.condition.transform == "swap":
            candidates = self._swapped
        else:
            return metadata
        drawn = candidates[stable_hash("counterfactual", str(self.seed), document_id) % len(candidates)]
        return drawn._replace(date=metadata.date)

    def shown(self) -> tuple[Field, ...]:
        """Returns the fields that its prefixes show: of a country without an outlet in the pool only the places."""
        if self.condition.transform == "swap" and not self._swapped[0].domain:
            return tuple(field for field in self.condition.fields if field in ("country", "continent", "date"))
        return self.condition.fields

    def prefix(self, metadata: Metadata, document_id: str) -> str:
        """Returns the prefix text of a document; empty under `none`."""
        claimed = self.metadata(metadata, document_id)
        return render(claimed, self.condition.fields, prefix_format=self.prefix_format)
