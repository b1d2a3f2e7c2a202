"""`dateline validate`: what a recipe would run, without running it.

Enters: a corpus, training or experiment recipe. Leaves: the resolved recipe and its plan in tokens,
parameters and steps.
Deliberately not done: nothing is written; where a count needs an encoded corpus that is not there, it is estimated for
the newswire and marked `~`, and left open for files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
import yaml

from dateline.config import Section, fingerprint, load_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from dateline.conditions import Metadata
    from dateline.experiment import ExperimentRecipe
    from dateline.tokens.mix import Mix
    from dateline.train.recipe import TrainRecipe

SAMPLE = 600
"""Newswire articles written for an estimate."""


@dataclass(frozen=True)
class Validate:
    """Loads, checks and prints a recipe and its plan; runs nothing.

    Any value of the recipe can be given as --section.key VALUE.
    """

    recipe: Annotated[Path, tyro.conf.Positional]
    """Recipe (.yaml) of a corpus, a training run or an experiment."""
    out: Path | None = None
    """Folder of the experiment: what is finished there gives exact counts."""
    full: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print every value, defaults included."""


def run(words: list[str]) -> None:
    """Runs the verb."""
    args, overrides = tyro.cli(Validate, prog="dateline validate", args=words, return_unknown_args=True)
    from dateline.corpus import CorpusRecipe

    kind = _kind(args.recipe)
    if kind == "corpus":
        _show(load_recipe(CorpusRecipe, args.recipe, overrides), kind, full=True)
        return
    from dateline.experiment import ExperimentRecipe
    from dateline.train.recipe import TrainRecipe

    if kind == "train":
        recipe = load_recipe(TrainRecipe, args.recipe, overrides)
        _show(recipe, kind, full=args.full)
        data = Path(recipe.data) if Path(recipe.data).exists() else None
        print(_table([("run", recipe)], data, None))
        if data is None:
            print(f"data: there is no {recipe.data} yet; dateline encode makes it")
        return
    experiment = load_recipe(ExperimentRecipe, args.recipe, overrides)
    _show(experiment, kind, full=args.full)
    _experiment(experiment, args.out)


def _kind(path: Path) -> str:
    """Tells the kinds of recipe apart by the sections that only one of them has."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return "experiment"  # loading it says what is wrong
    if not isinstance(data, dict) or "runs" in data:
        return "experiment"
    if "paths" in data or "newswire" in data:
        return "corpus"
    if "train" in data or "data" in data:
        return "train"
    raise UserError(f"{path}: not a recipe: it has none of the sections runs, train, data, paths, newswire")


def _show(recipe: Section, kind: str, *, full: bool) -> None:
    data: dict[str, Any] = recipe.model_dump(mode="json", exclude_unset=not full)
    print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip())
    print(f"\n{kind} recipe, fingerprint {fingerprint(recipe)}")


def _experiment(recipe: ExperimentRecipe, out: Path | None) -> None:
    from dateline.experiment.grid import conditions_of, expand

    encoded = out / "encoded" if out is not None and (out / "encoded" / "manifest.json").exists() else None
    runs = expand(recipe, str(encoded or ""))
    source = recipe.corpus.newswire
    print(f"corpus: {f'{source.articles:,} newswire articles' if source else ', '.join(recipe.corpus.paths)}")
    print(_table([(run.name, run.recipe) for run in runs], encoded, recipe))
    for run in runs:
        print(f"evaluate {run.name}: {', '.join(conditions_of(run, recipe))}")
    protocol = recipe.evaluate.protocol
    print(f"protocol {protocol.fingerprint()}, {recipe.evaluate.resamples:,} resamples over documents")


def _table(runs: list[tuple[str, TrainRecipe]], encoded: Path | None, experiment: ExperimentRecipe | None) -> str:
    """Returns a line for each run: parameters, steps, tokens; `~` before estimates, `?` for what nobody knows yet."""
    from dateline.model.sizes import num_parameters

    corpus = tokenizer = sample = None
    if encoded is not None:
        from dateline.tokens.store import EncodedCorpus
        from dateline.tokens.tokenizer import load_tokenizer

        corpus = EncodedCorpus.open(encoded)
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
    elif experiment is not None and experiment.corpus.newswire is not None:
        sample = _draw_sample(experiment)
    vocab = len(tokenizer) if tokenizer is not None else (experiment.encode.vocab_size if experiment else 0)
    lines = [f"{'run':<22}{'parameters':>15}{'steps':>9}{'rows':>13}{'tokens':>17}{'body tokens':>17}"]
    for name, recipe in runs:
        parameters = f"{num_parameters(recipe.model, vocab):,}" if vocab else "?"
        rows = None if recipe.train.steps is None else recipe.train.steps * recipe.train.batch_rows
        body: int | None = None
        row_mark = body_mark = ""
        if corpus is not None and tokenizer is not None:
            from dateline.train.loop import build_loader

            plan = build_loader(recipe, corpus, tokenizer).plan
            rows = plan.num_rows()
            if recipe.train.epochs is not None:
                body = round(recipe.train.epochs * plan.stream.epoch_tokens)
        elif sample is not None:
            row_mark, body_mark = "" if rows is not None else "~", "~"
            rows, body = sample.length(recipe)
        steps = None if rows is None else -(-rows // recipe.train.batch_rows)
        tokens = None if rows is None else rows * recipe.packing.sequence_length
        shown = [_number(row_mark, value) for value in (steps, rows, tokens)] + [_number(body_mark, body)]
        lines.append(f"{name:<22}{parameters:>15}{shown[0]:>9}{shown[1]:>13}{shown[2]:>17}{shown[3]:>17}")
    if sample is not None:
        lines.append(f"~ is estimated from {sample.drawn:,} of its articles and the tokens they have (see --out)")
    elif any("?" in line for line in lines):
        lines.append(
            "? is known once the corpus is encoded (see --out)"
            if corpus is None
            else "? is known after training: of a run measured in steps, prefixes take a share of the tokens"
        )
    return "\n".join(lines)


def _number(mark: str, value: int | None) -> str:
    return "?" if value is None else f"{mark}{value:,}"


@dataclass(frozen=True)
class _Sample:
    """Articles of the newswire, tokenized in memory, that stand for the whole corpus."""

    drawn: int
    """Articles written."""
    scale: float
    """Articles of the corpus for each one drawn."""
    lengths: list[int]
    """Body tokens of the training articles that are counted."""
    places: list[Metadata]
    """Of the same articles."""
    tokenizer: PreTrainedTokenizerFast

    def length(self, recipe: TrainRecipe) -> tuple[int, int]:
        """Returns about how many rows and body tokens a run has, from packing the sample."""
        import numpy as np

        from dateline.conditions import render
        from dateline.tokens.pack import best_fit_decreasing, split_into_chunks

        names, mix, length = recipe.conditions.fields, recipe.mix, recipe.packing.sequence_length
        prefixes = [
            len(self.tokenizer(render(place, names), add_special_tokens=False)["input_ids"]) if names else 0
            for place in self.places
        ]
        chosen = np.array([_passes(place, mix) for place in self.places], dtype=bool)
        if not chosen.any():
            raise UserError("mix: no newswire article is left by include and exclude")
        told = np.random.default_rng(0).random(len(chosen)) >= recipe.conditions.dropout + recipe.conditions.cooldown
        capped = np.minimum(np.array(prefixes, dtype=np.int64) * told, length // 2)
        body = np.array(self.lengths, dtype=np.int64)[chosen]
        sizes = split_into_chunks(body, capped[chosen], length).size
        packed = int(best_fit_decreasing(sizes, length).max()) + 1
        if recipe.train.steps is not None:
            rows = recipe.train.steps * recipe.train.batch_rows
            return rows, round(rows * int(body.sum()) / packed)
        times = (recipe.train.epochs or 0) * self.scale
        return math.ceil(times * packed), round(times * int(body.sum()))


def _passes(place: Metadata, mix: Mix) -> bool:
    here = {place.continent, place.country}
    return (not mix.include or bool(here & set(mix.include))) and not here & set(mix.exclude)


def _draw_sample(experiment: ExperimentRecipe) -> _Sample:
    """Writes a few hundred articles, sends them through the corpus's gates and counts their tokens: about a second.

    The vocabulary is trained on the articles that are counted, as the real one is; being trained on fewer, it comes
    out within a few percent.
    """
    import numpy as np

    from dateline.conditions import DEFAULT_FIELDS, Metadata, render
    from dateline.corpus.newswire import Newswire
    from dateline.corpus.readers import Record
    from dateline.corpus.split import assign_splits, draw_of, outlet_hash
    from dateline.corpus.steps.judge import judge
    from dateline.corpus.text.words import text_key
    from dateline.corpus.work import ENTRY
    from dateline.records import SPLITS, body_text
    from dateline.tokens.tokenizer import load_tokenizer, train_tokenizer

    source, encode, shares = experiment.corpus.newswire, experiment.encode, experiment.corpus.splits
    assert source is not None
    drawn = min(source.articles, SAMPLE)
    records = (
        Record(article.url, article.title, article.text, article.date, article.country, article.source)
        for article in Newswire().articles(drawn, source.seed)
    )
    passed = [found for found in judge(records, experiment.corpus) if found[1].dropped is None]
    index = np.zeros(len(passed), ENTRY)
    index["draw"] = [draw_of(text_key(document.text)) for document, _ in passed]
    index["outlet"] = [outlet_hash(candidate.place.domain) for _, candidate in passed]
    index["day"] = [date.fromisoformat(candidate.date).toordinal() for _, candidate in passed]
    index["country"] = [candidate.place.country.encode() for _, candidate in passed]
    trained = assign_splits(experiment.corpus, index, np.arange(len(passed))) == SPLITS.index("train")
    if drawn < source.articles:  # a part has fewer documents a country, and splits see to it that each has some
        trained = index["draw"] < shares.train * 2.0**64
    kept = [
        (body_text(candidate.title, document.text), candidate)
        for (document, candidate), here in zip(passed, trained.tolist(), strict=True)
        if here
    ]
    if not kept:
        raise UserError("corpus: no newswire article would be left for training; loosen its gates")
    texts = [text for text, _ in kept]
    places = [Metadata(c.url, c.place.domain, c.place.country, c.place.continent, c.date) for _, c in kept]
    if encode.tokenizer is not None:
        tokenizer = load_tokenizer(encode.tokenizer)
    else:
        prefixes = [render(place, DEFAULT_FIELDS) for place in places]
        tokenizer = train_tokenizer([*texts, *prefixes], encode.vocab_size)
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    return _Sample(drawn, source.articles / drawn, lengths, places, tokenizer)
