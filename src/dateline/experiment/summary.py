"""What an experiment says in the end: a summary, the recovered gain, and continuations to look at.

Recovered gain is the share of the possible gain from metadata that a model has learned to use:

    gain = (plain loss - conditioned loss) / (entropy without the place - entropy with it)

all summed over the same test articles of the newswire, whose entropy is known. 1 means that conditioning works all the
way through; 0, that the prefix is ignored. It is not defined for real news, whose entropy nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dateline.conditions import DEFAULT_FIELDS, Field, Metadata
from dateline.corpus import CorpusRecipe, read_articles
from dateline.corpus.recipe import NewswireSource
from dateline.evaluate.parts import TITLE_IN_URL, leaks
from dateline.experiment.comparisons import REGION, conditions_of, plain_run
from dateline.experiment.grid import PlannedRun
from dateline.experiment.ideal import IdealLearner
from dateline.experiment.recipe import ExperimentRecipe
from dateline.generate.decode import continuations
from dateline.manifest import write_atomically
from dateline.places import PAPER_COUNTRIES
from dateline.records import Article
from dateline.scores import Score, read_losses, where
from dateline.statistics import Estimate, ratio_difference
from dateline.tokens.mix import Mix

Floats = npt.NDArray[np.float64]


def summarize(recipe: ExperimentRecipe, runs: list[PlannedRun], out: Path, scores: list[Score]) -> dict[str, Any]:
    """Returns perplexities by run and condition, the paired differences that matter, and the recovered gain."""
    levels = [s for s in scores if s.slice_by == "all" and s.metric == "ppl" and not s.versus_run]
    pairs = [s for s in scores if s.slice_by == "all" and s.metric == "nll_difference"]
    regions: dict[tuple[str, str, str], dict[str, Any]] = {}
    for s in scores:
        if s.slice_by == REGION and s.metric == "nll_difference":
            regions.setdefault((s.run, s.condition, s.versus), {})[s.slice] = _difference(s)
    leak = next((s for s in scores if s.slice_by == "all" and s.metric == TITLE_IN_URL), None)
    summary: dict[str, Any] = {
        "ppl": _nested({(s.run, s.condition): s.value for s in levels}),
        "ppl_ci": _nested({(s.run, s.condition): [s.ci_low, s.ci_high] for s in levels}),
        "nll_difference": {
            f"{s.run}/{s.condition} - {s.versus}": _difference(s)
            | ({REGION: by} if (by := regions.get((s.run, s.condition, s.versus))) else {})
            for s in pairs
        },
        "ppl_by_region": _nested(_by_region(scores)),
        "title_in_url": leak and {"value": leak.value, "ci": [leak.ci_low, leak.ci_high]},
        "leaks": sorted({f"{s.run}/{s.condition}" for s in levels if leaks(s.shown)}),
        "num_documents": max((s.n_documents for s in levels), default=0),
        "protocol": scores[0].protocol,
    }
    gains = _gains(recipe, runs, out)
    if gains:
        first, (estimate, entropy) = next(iter(gains.items()))
        summary |= {
            "recovered_gain_run": first,
            "recovered_gain": estimate.value,
            "recovered_gain_ci": [estimate.low, estimate.high],
            "recovered_gain_by_run": {
                name: {"value": found.value, "ci": [found.low, found.high]} for name, (found, _) in gains.items()
            },
            "entropy": entropy,
        }
    return summary


def _gains(recipe: ExperimentRecipe, runs: list[PlannedRun], out: Path) -> dict[str, tuple[Estimate, dict[str, float]]]:
    """Returns the recovered gain of each conditioned run that has a baseline."""
    gains: dict[str, tuple[Estimate, dict[str, float]]] = {}
    corpus, protocol = recipe.corpus, recipe.evaluate.protocol
    if corpus.newswire is None or protocol.name != "strict":
        return gains
    if corpus.countries or corpus.held_out or corpus.held_out_outlets:
        return gains  # other places in training than the grammar averages over
    for run in runs:
        plain = plain_run(run, runs)
        if run.is_plain or plain is None or "gold" not in conditions_of(run, recipe):
            continue
        entropies = newswire_entropies(
            out / "corpus", run.recipe.mix, run.recipe.conditions.fields, split=protocol.split
        )
        if entropies is not None:
            gains[run.name] = recovered_gain(
                read_losses(out / "perplexity" / plain.name),
                read_losses(out / "perplexity" / run.name),
                entropies,
                resamples=recipe.evaluate.resamples,
            )
    return gains


def write_samples(path: Path, recipe: ExperimentRecipe, runs: list[PlannedRun], out: Path) -> None:
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


def _difference(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "ci": [score.ci_low, score.ci_high],
        "p": score.p,
        "p_holm": score.p_holm,
        "mde": score.mde,
        "seeds": score.n_seeds,
        "documents": score.n_documents,
        "equivalent_within": score.equivalent_within,
    }


def _by_region(scores: Sequence[Score]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for s in scores:
        if s.slice_by == REGION and s.metric == "ppl":
            found.setdefault((s.run, s.condition), {})[s.slice] = s.value
    return found


def _nested(values: Mapping[tuple[str, str], Any]) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for (run, condition), value in values.items():
        result.setdefault(run, {})[condition] = value
    return result


class Entropies(NamedTuple):
    """Exact -log p of the scored articles in nats, arrays of shape [num_documents] in the order of `ids`."""

    ids: list[str]
    without_place: Floats
    with_place: Floats
    """Knowing what the run's prefix shows: the outlet, or only the country or the continent."""


def newswire_entropies(
    corpus: Path, mix: Mix, fields: Sequence[Field] = DEFAULT_FIELDS, *, split: str = "test"
) -> Entropies | None:
    """Returns the exact log-probabilities of a split's articles under the grammar, negated.

    The place that is not known is averaged over as the training mix has it: natural, or equal continents.

    Args:
        corpus: a corpus folder made from the newswire.
        mix: of the runs that are compared.
        fields: of the conditioned run's prefix.
        split: that the protocol scores.

    Returns:
        None where the mix has another distribution of places than the grammar can average over, or where the prefix
        shows no place.
    """
    if mix.include or mix.exclude or not (mix.weights == "natural" or (mix.weights, mix.by) == ("equal", "continent")):
        return None
    place: tuple[Field, ...] = tuple(field for field in fields if field != "date")
    if not place:
        return None
    known: tuple[Field, ...] = tuple("domain" if field == "url" else field for field in place)
    articles = list(read_articles(corpus, split=split))
    ideal = IdealLearner(articles, CorpusRecipe(newswire=NewswireSource(articles=len(articles))))
    return Entropies([article.id for article in articles], ideal.losses(mix, ()), ideal.losses(mix, known))


def recovered_gain(
    plain: pa.Table, conditioned: pa.Table, entropies: Entropies, *, resamples: int, seed: int = 0
) -> tuple[Estimate, dict[str, float]]:
    """Returns the gain with its interval over documents, and the entropies in nats per token.

    Args:
        plain: losses of the plain run.
        conditioned: losses of the conditioned run.
        entropies: of (at least) the documents in these.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    none, gold = _column(plain, "none"), _column(conditioned, "gold")
    place = {identifier: index for index, identifier in enumerate(entropies.ids)}
    ids = [identifier for identifier in none if identifier in gold and identifier in place]
    rows = np.array([place[identifier] for identifier in ids])
    gained = np.array([none[i]["nll"] - gold[i]["nll"] for i in ids])
    possible = entropies.without_place[rows] - entropies.with_place[rows]
    tokens = sum(none[i]["n_tokens"] for i in ids)
    estimate = ratio_difference(gained, possible, resamples=resamples, seed=seed)
    return estimate, {
        "without_place": float(entropies.without_place[rows].sum() / tokens),
        "with_place": float(entropies.with_place[rows].sum() / tokens),
    }


def _column(losses: pa.Table, condition: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in where(losses, condition=condition, slice_by="all").to_pylist()}
