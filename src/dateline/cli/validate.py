"""`dateline validate`: what a recipe would run, without running it.

Enters: a corpus, training or experiment recipe. Leaves: the resolved recipe and its plan in tokens,
parameters and steps.
Deliberately not done: nothing is written; where a count needs an encoded corpus that is not there, that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
import yaml

from dateline.config import Section, fingerprint, load_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.experiment import ExperimentRecipe
    from dateline.train.recipe import TrainRecipe


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
    """Returns a line for each run: parameters, steps, tokens; `?` and a note where the corpus is not encoded yet."""
    from dateline.model.sizes import num_parameters

    corpus = tokenizer = None
    if encoded is not None:
        from dateline.tokens.store import EncodedCorpus
        from dateline.tokens.tokenizer import load_tokenizer

        corpus = EncodedCorpus.open(encoded)
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
    vocab = len(tokenizer) if tokenizer is not None else (experiment.encode.vocab_size if experiment else 0)
    lines = [f"{'run':<22}{'parameters':>15}{'steps':>9}{'rows':>13}{'tokens':>17}{'body tokens':>17}"]
    unknown = False
    for name, recipe in runs:
        parameters = f"{num_parameters(recipe.model, vocab):,}" if vocab else "?"
        rows = None if recipe.train.steps is None else recipe.train.steps * recipe.train.batch_rows
        body = "?"
        if corpus is not None and tokenizer is not None:
            from dateline.train.loop import build_loader

            plan = build_loader(recipe, corpus, tokenizer).plan
            rows = plan.num_rows()
            if recipe.train.epochs is not None:
                body = f"{round(recipe.train.epochs * plan.stream.epoch_tokens):,}"
        unknown |= rows is None
        steps = "?" if rows is None else f"{-(-rows // recipe.train.batch_rows):,}"
        tokens = "?" if rows is None else f"{rows * recipe.packing.sequence_length:,}"
        shown = "?" if rows is None else f"{rows:,}"
        lines.append(f"{name:<22}{parameters:>15}{steps:>9}{shown:>13}{tokens:>17}{body:>17}")
    if unknown:
        lines.append("? is known once the corpus is encoded: a length in epochs depends on its tokens (see --out)")
    return "\n".join(lines)
