"""What an experiment says in the end: a summary, and continuations to look at.

Enters: finished runs and the score table. Leaves: plain data for `summary.json`, samples.
Deliberately not done: no sentence and no figure; the report makes those from the same table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from dateline.conditions import Metadata
from dateline.corpus import read_articles
from dateline.evaluate.perplexity.leak import METRIC, leaks
from dateline.evaluate.samples import continuations
from dateline.evaluate.table import read_documents
from dateline.experiment.gain import newswire_entropies, recovered_gain
from dateline.experiment.grid import Run, comparisons
from dateline.experiment.recipe import ExperimentRecipe
from dateline.manifest import write_atomically
from dateline.places import PAPER_COUNTRIES
from dateline.records import Article, Score
from dateline.statistics import Estimate


def summarize(recipe: ExperimentRecipe, runs: list[Run], out: Path, scores: list[Score]) -> dict[str, Any]:
    """Returns perplexities by run and condition, the paired differences that matter, and the recovered gain."""
    levels = [s for s in scores if s.grouping == "all" and s.metric == "ppl" and not s.versus]
    pairs = [s for s in scores if s.grouping == "all" and s.versus]
    leak = next((s for s in scores if s.grouping == "all" and s.metric == METRIC), None)
    summary: dict[str, Any] = {
        "ppl": _nested({(s.run, s.condition): s.value for s in levels}),
        "ppl_ci": _nested({(s.run, s.condition): [s.ci_low, s.ci_high] for s in levels}),
        "nll_difference": {
            f"{s.run}/{s.condition} - {s.versus}": {
                "value": s.value,
                "ci": [s.ci_low, s.ci_high],
                "p": s.p_value,
                "p_holm": s.p_holm,
                "mde": s.mde,
                "seeds": s.num_seeds,
            }
            for s in pairs
        },
        "title_in_url": leak and {"value": leak.value, "ci": [leak.ci_low, leak.ci_high]},
        "leaks": sorted({f"{s.run}/{s.condition}" for s in levels if leaks(s.fields)}),
        "num_documents": max((s.num_documents for s in levels), default=0),
        "protocol": scores[0].protocol,
    }
    gains = _gains(recipe, runs, out)
    if gains:
        estimate, entropy = next(iter(gains.values()))
        summary |= {
            "recovered_gain": estimate.value,
            "recovered_gain_ci": [estimate.low, estimate.high],
            "recovered_gain_by_run": {
                name: {"value": found.value, "ci": [found.low, found.high]} for name, (found, _) in gains.items()
            },
            "entropy": entropy,
        }
    return summary


def _gains(recipe: ExperimentRecipe, runs: list[Run], out: Path) -> dict[str, tuple[Estimate, dict[str, float]]]:
    """Returns the recovered gain of each conditioned run that has a plain run of the same seed, mix and model."""
    gains: dict[str, tuple[Estimate, dict[str, float]]] = {}
    corpus, protocol = recipe.corpus, recipe.evaluate.protocol
    if corpus.newswire is None or protocol.name != "strict":
        return gains
    if corpus.countries or corpus.held_out or corpus.held_out_outlets:
        return gains  # other places in training than the grammar averages over
    for pair in comparisons(recipe, runs):
        run = next(run for run in runs if run.name == pair.run)
        plain = next(run for run in runs if run.name == pair.versus_run)
        alike = run.recipe.mix == plain.recipe.mix and run.recipe.model == plain.recipe.model
        if pair.condition != "gold" or not plain.is_plain or not alike:
            continue
        entropies = newswire_entropies(
            out / "corpus", run.recipe.mix, run.recipe.conditions.fields, split=protocol.split
        )
        if entropies is not None:
            gains[run.name] = recovered_gain(
                read_documents(out / "evaluation" / plain.name),
                read_documents(out / "evaluation" / run.name),
                entropies,
                resamples=recipe.evaluate.resamples,
            )
    return gains


def write_samples(path: Path, recipe: ExperimentRecipe, runs: list[Run], out: Path) -> None:
    """Continues some test headlines under several places with the first conditioned run; writes `[]` without one."""
    run = next((run for run in runs if not run.is_plain), None)
    samples: list[dict[str, Any]] = []
    if run is not None and recipe.samples.headlines:
        articles = list(islice(read_articles(out / "corpus", split="test"), 5_000))
        headlines = [article.title for article in articles[:: max(1, len(articles) // recipe.samples.headlines)]]
        places = _places(articles, recipe.samples.places)
        samples = continuations(
            out / "runs" / run.name,
            headlines[: recipe.samples.headlines],
            [*places, None],
            run=run.name,
            num_tokens=recipe.samples.num_tokens,
        )
    write_atomically(path, json.dumps(samples, indent=1, ensure_ascii=False) + "\n")


def _places(articles: list[Article], number: int) -> list[Metadata]:
    """Returns one outlet from each of some countries, taking continents in turn and known countries first."""
    by_continent: dict[str, dict[str, Metadata]] = {}
    for article in articles:
        if article.country:
            place = Metadata("", article.domain, article.country, article.continent)
            by_continent.setdefault(article.continent, {}).setdefault(article.country, place)
    rank = {code: index for index, code in enumerate(PAPER_COUNTRIES)}
    queues = [
        sorted(found.values(), key=lambda place: rank.get(place.country, len(rank)))
        for _, found in sorted(by_continent.items())
    ]
    turns = [queue[turn] for turn in range(number) for queue in queues if turn < len(queue)]
    return turns[:number]


def _nested(values: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for (run, condition), value in values.items():
        result.setdefault(run, {})[condition] = value
    return result
