"""Audit: what a corpus covers, and what a reader of its scores must know.

Enters: every kept article with the standing of its evidence. Leaves: `audit.json`, a list of problems in words, and
an error where a country is tested but not trained on.
Deliberately not done: no repair, no sampling: every document counts.

That error is the one that the paper's corpus made: seven of its countries had test documents and no training
documents, and nobody saw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from dateline.corpus.recipe import CorpusRecipe
from dateline.errors import UserError
from dateline.records import SPLITS, Article, body_text

LARGEST_OUTLETS = 50
SMALL_TEST = 100
"""Fewer test documents than this in a country are named as a problem: their interval will be wide."""


class Audit:
    """Counts documents and bytes while a corpus is built; a few hundred bytes an outlet are kept in memory."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._continents: dict[str, str] = {}
        self._outlets: dict[str, Counter[str]] = defaultdict(Counter)
        self._outlet_country: dict[str, str] = {}
        self._verified: Counter[str] = Counter()
        self._continent_only: Counter[str] = Counter()
        self._undated = 0

    def add(self, article: Article, verified: str) -> None:
        """Counts one kept article; `verified` is its place's standing."""
        cell = self._cells[article.country, article.split]
        cell[0] += 1
        cell[1] += len(body_text(article.title, article.text).encode())
        if article.country:
            self._continents[article.country] = article.continent
        elif article.continent:
            self._continent_only[article.continent] += 1
        if article.domain:
            self._outlets[article.domain][article.split] += 1
            self._outlet_country.setdefault(article.domain, article.country)
        self._verified[verified] += 1
        self._undated += not article.date

    def documents(self, split: str) -> int:
        """Returns how many documents a split holds."""
        return sum(cell[0] for (_, where), cell in self._cells.items() if where == split)

    @property
    def undated(self) -> int:
        """How many documents have no date."""
        return self._undated

    def check_coverage(self, recipe: CorpusRecipe) -> None:
        """Refuses a corpus that tests on a country it does not train on, unless the recipe holds it out.

        Raises:
            UserError: one line, naming the countries and the ways out.
        """
        missing = [
            country
            for country in self._countries()
            if self._documents(country, "test")
            and not self._documents(country, "train")
            and country not in recipe.held_out
        ]
        if missing:
            named = ", ".join(f"{country} ({self._documents(country, 'test'):,})" for country in missing)
            have = "country has" if len(missing) == 1 else "countries have"
            raise UserError(
                f"{len(missing)} {have} test documents but no training documents: {named}; if that is meant, write "
                f"`held_out: [{', '.join(missing)}]`, else add documents or leave them out with `countries`"
            )

    def summary(self, recipe: CorpusRecipe) -> dict[str, Any]:
        """Returns the audit as plain data, ready for JSON: coverage, outlets, standing of the evidence, problems."""
        total = sum(self._verified.values())
        number_of_outlets = Counter(self._outlet_country.values())
        largest = sorted(self._outlets, key=lambda name: (-self._outlets[name].total(), name))[:LARGEST_OUTLETS]
        return {
            "documents": total,
            "splits": {split: self._row(split) for split in SPLITS},
            "countries": {
                country: {
                    "continent": self._continents[country],
                    "outlets": number_of_outlets[country],
                    **{split: self._cell(country, split) for split in SPLITS},
                }
                for country in self._countries()
            },
            "no_country": {split: self._cell("", split) for split in SPLITS},
            "continent_only": dict(sorted(self._continent_only.items())),
            "outlets": {
                "number": len(self._outlets),
                "largest": [
                    {"domain": name, "country": self._outlet_country[name], **self._outlets[name]} for name in largest
                ],
            },
            "verified": {
                kind: {"documents": self._verified[kind], "share": round(self._verified[kind] / max(total, 1), 6)}
                for kind in ("agree", "single", "conflict", "none")
            },
            "undated": self._undated,
            "problems": self.problems(recipe),
        }

    def problems(self, recipe: CorpusRecipe) -> list[str]:
        """Returns in words what is not an error but weakens what can be said of a model trained on this corpus."""
        problems = [f"country {name} is expected and absent" for name in self._absent(recipe.countries)]
        problems += [f"country {name} is held out and absent" for name in self._absent(recipe.held_out)]
        problems += [
            f"outlet {name} is held out and absent" for name in recipe.held_out_outlets if name not in self._outlets
        ]
        problems += [f"no document is in {split}" for split in SPLITS if not self.documents(split)]
        untested = [
            name for name in self._countries() if self._documents(name, "train") and not self._documents(name, "test")
        ]
        if untested:
            problems.append(f"trained on but not tested: {', '.join(untested)}")
        small = [
            f"{name} ({count})"
            for name in self._countries()
            if 0 < (count := self._documents(name, "test")) < SMALL_TEST
        ]
        if small:
            problems.append(f"fewer than {SMALL_TEST} test documents: {', '.join(small)}")
        if unplaced := sum(self._documents("", split) for split in SPLITS):
            problems.append(f"{unplaced:,} documents have no country")
        if self._verified["conflict"]:
            problems.append(f"{self._verified['conflict']:,} documents have conflicting evidence of their country")
        if recipe.test_from is not None and self._undated:
            problems.append(
                f"{self._undated:,} documents without a date were split by their hash in spite of test_from"
            )
        return problems

    def _countries(self) -> list[str]:
        return sorted(self._continents)

    def _absent(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if name not in self._continents]

    def _documents(self, country: str, split: str) -> int:
        return self._cells.get((country, split), [0, 0])[0]

    def _cell(self, country: str, split: str) -> dict[str, int]:
        documents, size = self._cells.get((country, split), (0, 0))
        return {"documents": documents, "bytes": size}

    def _row(self, split: str) -> dict[str, int]:
        cells = [cell for (_, where), cell in self._cells.items() if where == split]
        return {"documents": sum(cell[0] for cell in cells), "bytes": sum(cell[1] for cell in cells)}
