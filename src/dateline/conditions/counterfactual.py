"""What the model is told in evaluation: the truth, nothing, or a lie.

Enters: a condition's name and the places of the documents under evaluation. Leaves: a prefix text for each document.
Deliberately not done: conditions never touch the body, and never look at model or tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dateline.conditions.fields import Field, Metadata
from dateline.conditions.template import render
from dateline.errors import UserError
from dateline.places import continent_of, country
from dateline.records import stable_hash


@dataclass(frozen=True, slots=True)
class Condition:
    """A named choice of fields plus a transformation of the metadata."""

    name: str
    fields: tuple[Field, ...]
    transform: Literal["gold", "none", "wrong", "swap"]
    country: str = ""
    """For `swap`: the country that every document is said to come from."""


def parse_condition(name: str, fields: Sequence[Field]) -> Condition:
    """Reads a condition's name: `gold`, `none`, `wrong` or `swap:<country>`.

    Args:
        name: what the user wrote.
        fields: the fields that the prefix shows.

    Raises:
        UserError: where the name is none of these, or the country is not one.
    """
    chosen = tuple(fields)
    if name == "gold":
        return Condition(name, chosen, "gold")
    if name == "none":
        return Condition(name, (), "none")
    if name == "wrong":
        return Condition(name, chosen, "wrong")
    if name.startswith("swap:"):
        code = name.removeprefix("swap:").strip().lower()
        known = country(code)
        if known is None:
            raise UserError(f"condition '{name}': '{code}' is not an ISO 3166 country code; write e.g. swap:ng")
        return Condition(f"swap:{known.alpha2}", chosen, "swap", known.alpha2)
    raise UserError(f"unknown condition '{name}'; known are gold, none, wrong and swap:<country>")


class Conditioner:
    """Gives every document its prefix under one condition, the same for every model and batch size."""

    def __init__(self, condition: Condition, *, seed: int, pool: Sequence[Metadata]) -> None:
        """Args: condition; seed of the lies; pool: the metadata of all documents under evaluation, in any order."""
        self.condition = condition
        self.seed = seed
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
                    "condition 'wrong': all documents are from one continent, so there is no other place to claim; "
                    "leave it out or use swap:<country>"
                )
        if condition.transform == "swap":
            self._swapped = [place for place in self._places if place.country == condition.country] or [
                Metadata(country=condition.country, continent=continent_of(condition.country))
            ]

    def metadata(self, metadata: Metadata, document_id: str) -> Metadata:
        """Returns what is claimed of a document: its own metadata or, under `wrong` and `swap`, another place's.

        The other place is drawn uniformly from the distinct outlets in the pool by a hash of (seed, document). Its URL
        comes with it, because the document's own would give the truth away; the date is no place and stays.
        """
        if self.condition.transform == "wrong":
            candidates = self._other[metadata.continent]
        elif self.condition.transform == "swap":
            candidates = self._swapped
        else:
            return metadata
        drawn = candidates[stable_hash("counterfactual", str(self.seed), document_id) % len(candidates)]
        return drawn._replace(date=metadata.date)

    def prefix(self, metadata: Metadata, document_id: str) -> str:
        """Returns the prefix text of a document; empty under `none`."""
        return render(self.metadata(metadata, document_id), self.condition.fields)
