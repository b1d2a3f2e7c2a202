"""`dateline validate`: the resolved recipe and what it would run, in parameters, steps and tokens, without running it.

Counts are exact where the encoded corpus is there. For the newswire they are estimated from a sample of its articles,
which goes through the same stages in a temporary folder, and are marked with `~`; for files they stay open.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
import yaml

from dateline.cli.options import read_words
from dateline.config import Section, fingerprint, load_recipe, read_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.experiment import ExperimentRecipe
    from dateline.train.recipe import TrainRecipe

SAMPLE = 600
"""Newswire articles written for an estimate."""


class Validate(Section):
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
    args, overrides = read_words("dateline validate", Validate, words)
    kind = recipe_kind(args.recipe, overrides)
    if kind == "corpus":
        from dateline.corpus import CorpusRecipe

        _show(load_recipe(CorpusRecipe, args.recipe, overrides), kind, full=True)
    elif kind == "train":
        from dateline.train.recipe import TrainRecipe

        recipe = load_recipe(TrainRecipe, args.recipe, overrides)
        _show(recipe, kind, full=args.full)
        _training(recipe)
    else:
        from dateline.experiment import ExperimentRecipe

        experiment = load_recipe(ExperimentRecipe, args.recipe, overrides)
        _show(experiment, kind, full=args.full)
        _experiment(experiment, args.out)


def recipe_kind(path: Path, overrides: Sequence[str] = ()) -> Literal["corpus", "train", "experiment"]:
    """Returns the kind of a recipe, by the sections that only one kind has.

    Raises:
        UserError: where the file cannot be read, or has none of these sections.
    """
    data = read_recipe(path, overrides)
    if "runs" in data:
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


def _training(recipe: TrainRecipe) -> None:
    there = Path(recipe.data).exists()
    source = _Source(Path(recipe.data)) if there else None
    print("\n".join(_table([("run", recipe)], source, 0)))
    if not there:
        print(f"data: there is no {recipe.data} yet; dateline encode makes it")


def _experiment(recipe: ExperimentRecipe, out: Path | None) -> None:
    from dateline.experiment.comparisons import conditions_of
    from dateline.experiment.grid import expand

    encoded = out / "encoded" if out is not None and (out / "encoded" / "manifest.json").exists() else None
    runs = expand(recipe, str(encoded or ""))
    newswire = recipe.corpus.newswire
    print(f"corpus: {f'{newswire.articles:,} newswire articles' if newswire else ', '.join(recipe.corpus.paths)}")
    named = [(run.name, run.recipe) for run in runs]
    vocab_size = 0 if encoded is not None or recipe.encode.tokenizer is not None else recipe.encode.vocab_size
    if encoded is not None or newswire is None:
        print("\n".join(_table(named, _Source(encoded) if encoded else None, vocab_size)))
    else:
        with _sample(recipe) as source:
            print("\n".join(_table(named, source, vocab_size)))
    for run in runs:
        print(f"evaluate {run.name}: {', '.join(conditions_of(run, recipe))}")
    protocol = recipe.evaluate.protocol
    print(f"protocol {protocol.fingerprint()}, {recipe.evaluate.resamples:,} resamples over documents")


@dataclass(frozen=True)
class _Source:
    """An encoded corpus that counts are taken from."""

    folder: Path
    articles: int | None = None
    """Articles written, where they are a sample that stands for a whole corpus."""
    scale: float = 1.0
    """Training documents of the whole corpus for each of the sample."""


def _table(runs: list[tuple[str, TrainRecipe]], source: _Source | None, vocab_size: int) -> list[str]:
    """Returns a line for each run: parameters, steps, rows, tokens; `~` before estimates, `?` for what is not known.

    Args:
        runs: names and recipes.
        source: the encoded corpus, or a sample of it; None where there is none yet.
        vocab_size: of the tokenizer that will be trained; 0 takes that of `source`.
    """
    from dateline.model.sizes import num_parameters

    lines = [f"{'run':<22}{'parameters':>15}{'steps':>9}{'rows':>13}{'tokens':>17}{'body tokens':>17}"]
    if source is not None:
        from dateline.tokens.store import EncodedCorpus
        from dateline.tokens.tokenizer import load_tokenizer
        from dateline.train.recipe import build_loader

        corpus = EncodedCorpus.open(source.folder)
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
        vocab_size = vocab_size or len(tokenizer)
    for name, recipe in runs:
        given, row_mark, body_mark = recipe.train.steps, "", ""
        rows = None if given is None else given * recipe.train.batch_rows
        body: int | None = None
        if source is not None:
            plan = build_loader(recipe, corpus, tokenizer).plan
            if rows is None:
                row_mark = body_mark = "" if source.articles is None else "~"
                rows = math.ceil(plan.num_rows() * source.scale)
                body = round((plan.body_tokens or 0) * source.scale)
            else:  # prefixes take a share of the tokens: about that of the first window
                first = plan.window(0)
                body_mark = "~"
                body = round(rows * int(corpus.lengths[first.documents].sum()) / first.rows.num_rows)
        steps = None if rows is None else -(-rows // recipe.train.batch_rows)
        tokens = None if rows is None else rows * recipe.packing.sequence_length
        parameters = _number("", num_parameters(recipe.model, vocab_size) if vocab_size else None)
        shown = [_number(row_mark, value) for value in (steps, rows, tokens)] + [_number(body_mark, body)]
        lines.append(f"{name:<22}{parameters:>15}{shown[0]:>9}{shown[1]:>13}{shown[2]:>17}{shown[3]:>17}")
    if source is None:
        lines.append("? is known once the corpus is encoded (see --out)")
    elif source.articles is not None:
        lines.append(f"~ is estimated from {source.articles:,} of its articles and the tokens they have (see --out)")
    elif any("~" in line for line in lines):
        lines.append("~ is estimated from the first window of rows")
    return lines


def _number(mark: str, value: int | None) -> str:
    return "?" if value is None else f"{mark}{value:,}"


@contextmanager
def _sample(experiment: ExperimentRecipe) -> Iterator[_Source]:
    """Builds and encodes a part of an experiment's newswire in a temporary folder, removed afterwards: two seconds.

    The vocabulary is trained on the sample; being trained on fewer articles, it comes out within a few percent.
    """
    from dateline.corpus import corpus_stage
    from dateline.tokens.encode import encode_stage

    corpus = experiment.corpus
    assert corpus.newswire is not None
    articles, scale = min(corpus.newswire.articles, SAMPLE), 1.0
    if articles < corpus.newswire.articles and corpus.splits.train:
        # all of the sample is trained on: every split has a document of each country, which is much of a small sample
        scale = corpus.newswire.articles / articles * corpus.splits.train
        newswire = corpus.newswire.model_copy(update={"articles": articles})
        splits = corpus.splits.model_copy(update={"train": 1.0, "validation": 0.0, "test": 0.0})
        corpus = corpus.model_copy(update={"newswire": newswire, "splits": splits})
    with TemporaryDirectory(prefix="dateline-validate-") as name:
        folder = Path(name)
        try:
            with redirect_stderr(io.StringIO()):  # progress of something that nobody asked to run
                corpus_stage(corpus).make(folder / "corpus")
                encode_stage(experiment.encode, folder / "corpus").make(folder / "newswire")
            yield _Source(folder / "newswire", articles, scale)
        except UserError as error:
            raise UserError(str(error).replace(f"{folder / 'newswire'}", "the newswire")) from None
