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
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro
import yaml

from dateline.cli.options import read_words
from dateline.config import Section, fingerprint, load_recipe, read_recipe
from dateline.errors import UserError

if TYPE_CHECKING:
    from dateline.experiment import ExperimentRecipe
    from dateline.train.recipe import TrainRecipe

MANY = 4
"""Passes over the same documents up to which repeating is about as good as new data (Muennighoff et al., 2023)."""
RATE = 3.5e14
"""FLOP/s: 35% of what an H100 does at best in bfloat16 (989e12)."""
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
    rate: float = RATE
    """FLOP/s that a run is assumed to reach, for the hours; the default is 35% of what an H100 does at best in bfloat16
    (989e12). Training prints what it reaches."""
    vocab_size: int = 0
    """Size of the vocabulary, for parameters and FLOPs where the tokenizer is not at hand."""
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
        _training(recipe, args)
    else:
        from dateline.experiment import ExperimentRecipe

        experiment = load_recipe(ExperimentRecipe, args.recipe, overrides)
        _show(experiment, kind, full=args.full)
        _experiment(experiment, args)


def recipe_kind(path: Path, overrides: Sequence[str] = ()) -> Literal["corpus", "train", "experiment"]:
    """Returns the kind of a recipe, by the sections that only one kind has.

    Raises:
        UserError: where the file cannot be read, or has none of these sections.
    """
    data = read_recipe(path, overrides)
    if "runs" in data or "grid" in data:
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


def _training(recipe: TrainRecipe, args: Validate) -> None:
    there = Path(recipe.data).exists()
    source = _Source(Path(recipe.data)) if there else None
    print("\n".join(_table([_Planned("run", recipe, 1)], source, args.vocab_size, args.rate)))
    if not there:
        print(f"data: there is no {recipe.data} yet; dateline encode makes it")


def _experiment(recipe: ExperimentRecipe, args: Validate) -> None:
    out = args.out
    encoded = out / "encoded" if out is not None and (out / "encoded" / "manifest.json").exists() else None
    newswire = recipe.corpus.newswire
    print(f"corpus: {f'{newswire.articles:,} newswire articles' if newswire else ', '.join(recipe.corpus.paths)}")
    planned = [
        _Planned(name, recipe.run(name, family.seeds[0], data=str(encoded or "")), len(family.seeds))
        for name, family in recipe.families().items()
    ]
    trained = encoded is None and recipe.encode.tokenizer is None
    vocab_size = args.vocab_size or (recipe.encode.vocab_size if trained else 0)
    study = _study(recipe)
    if encoded is not None or newswire is None:
        source = _Source(encoded) if encoded else None
        few = _check_documents(recipe, source)
        print("\n".join(_table(planned, source, vocab_size, args.rate)))
    else:
        with _sample(recipe) as source:
            few = _check_documents(recipe, source)
            print("\n".join(_table(planned, source, vocab_size, args.rate)))
    print(f"conditions: {', '.join(recipe.evaluate.conditions)}; runs without fields: none")
    protocol = recipe.evaluate.protocol
    print(f"protocol {protocol.fingerprint()}, {recipe.evaluate.resamples:,} resamples over documents")
    for line in filter(None, (_unequal([run.recipe for run in planned]), study, few)):
        print(line)


def _unequal(recipes: Sequence[TrainRecipe]) -> str:
    """Says that runs of equal steps read different amounts of text, where some have prefixes and others none."""
    if len({bool(recipe.conditions.fields) for recipe in recipes if recipe.train.steps is not None}) < 2:
        return ""
    return (
        "train.steps: of equal steps, those of runs with prefixes hold fewer body tokens than those of runs without; "
        "train.body_tokens gives all runs the same text"
    )


def _study(recipe: ExperimentRecipe) -> str:
    """Says how many findings the study of an experiment will hold; empty where it has none.

    Raises:
        UserError: where the study cannot be computed.
    """
    from dateline.experiment.claims import plan_study

    if recipe.study is None:
        return ""
    plan = plan_study(recipe)
    holes = dict.fromkeys(question.claim for question in plan.questions if not plan.seeds(question))
    number = sum(not plan.seeds(question) for question in plan.questions)
    said = f"study: {len(plan.questions)} findings, {number} of them holes by design"
    said += f" (no seed in common: {', '.join(holes)})" if holes else ""
    return said + (f"; not asked: {', '.join(plan.not_asked)}" if plan.not_asked else "")


def _check_documents(recipe: ExperimentRecipe, source: _Source | None) -> str:
    """Refuses runs that find nothing to read, and says which regions have too few documents, where they are known."""
    from dateline.experiment.checks import check_mixes, few_documents
    from dateline.tokens.store import EncodedCorpus

    if source is None:
        return ""
    corpus = EncodedCorpus.open(source.folder)
    check_mixes(recipe, corpus)
    return few_documents(recipe, corpus) if source.scale == 1.0 else ""


@dataclass(frozen=True)
class _Source:
    """An encoded corpus that counts are taken from."""

    folder: Path
    articles: int | None = None
    """Articles written, where they are a sample that stands for a whole corpus."""
    scale: float = 1.0
    """Training documents of the whole corpus for each of the sample."""


def _table(runs: list[_Planned], source: _Source | None, vocab_size: int, rate: float) -> list[str]:
    """Returns a line for each run with what it costs, and what they cost together.

    `~` stands before estimates, `?` for what is not known.

    Args:
        runs: names, recipes and numbers of seeds.
        source: the encoded corpus, or a sample of it; None where there is none yet.
        vocab_size: of the tokenizer; 0 takes that of `source`.
        rate: FLOP/s that a run is assumed to reach.
    """
    counts = _counts(runs, source, vocab_size)
    width = max(3, *(len(run.name) for run in runs))
    lines = [
        f"{'run':<{width}}{'seeds':>6}{'parameters':>12}{'steps':>10}{'body tokens':>12}{'repeats':>9}{'FLOPs':>9}"
        f"{'hours':>8}"
    ]
    for run, found in zip(runs, counts, strict=True):
        repeats = sorted(found.repeats.values())
        cells = (
            (str(run.seeds), 6),
            (_number("", found.parameters), 12),
            (_number(found.mark, found.steps), 10),
            (_number(found.body_mark, found.body_tokens), 12),
            (_decimal(repeats[-1] if repeats else None), 9),
            (_flops(found.flops), 9),
            (_hours(found.flops, rate), 8),
        )
        lines.append(f"{run.name:<{width}}" + "".join(f" {text:>{places - 1}}" for text, places in cells))
    known = [count.flops * run.seeds for run, count in zip(runs, counts, strict=True) if count.flops is not None]
    total = sum(known) if len(known) == len(runs) else None
    number, models = len(runs), sum(run.seeds for run in runs)
    trained = "" if models == number else f", {models} models with their seeds"
    lines.append(
        f"{number} run{'s' if number > 1 else ''}{trained}: {_flops(total)} FLOPs, {_hours(total, rate)} hours at "
        f"{_flops(rate)} FLOP/s ({'35% of an H100; ' if rate == RATE else ''}--rate gives another, dateline "
        "train prints what it reaches)"
    )
    lines += _repeats(runs, counts)
    if source is None:
        lines.append(
            "? is known once the corpus is encoded (see --out) and the tokenizer is at hand (see --vocab-size)"
        )
    elif source.articles is not None:
        lines.append(f"~ is estimated from {source.articles:,} of its articles and the tokens they have (see --out)")
    elif any("~" in line for line in lines):
        lines.append("~ is estimated from the first window of rows")
    return lines


class _Planned(NamedTuple):
    """What the table has a line for."""

    name: str
    recipe: TrainRecipe
    seeds: int


@dataclass(frozen=True)
class _Count:
    """What a run reads and costs; None for what is not known."""

    parameters: int | None
    steps: int | None
    body_tokens: int | None
    repeats: dict[str, float]
    """How often the run reads the documents of each group."""
    flops: float | None
    mark: str = ""
    body_mark: str = ""


def _counts(runs: list[_Planned], source: _Source | None, vocab_size: int) -> list[_Count]:
    """Counts what each run reads, from the plan of its rows where there is a corpus."""
    from dateline.model.sizes import flops_per_token, num_parameters

    if source is not None:
        from dateline.tokens.store import EncodedCorpus
        from dateline.tokens.tokenizer import load_tokenizer
        from dateline.train.recipe import build_loader

        corpus = EncodedCorpus.open(source.folder)
        tokenizer = load_tokenizer(corpus.tokenizer_folder)
        vocab_size = vocab_size or len(tokenizer)
    result = []
    for _, recipe, _ in runs:
        training, length = recipe.train, recipe.packing.sequence_length
        whole = training.budget == "same_steps"
        rows = training.steps * training.batch_rows if training.steps is not None and whole else None
        body, mark, body_mark, repeats = training.body_tokens if whole else None, "", "", dict[str, float]()
        attended = length / 2
        if source is not None:
            plan = build_loader(recipe, corpus, tokenizer).plan
            scale = source.scale if training.epochs is not None else 1.0
            estimated = "" if source.articles is None else "~"
            if plan.body_tokens is not None:
                mark = body_mark = estimated
                rows, body = math.ceil(plan.num_rows() * scale), round(plan.body_tokens * scale)
            else:  # prefixes take a share of the tokens: about that of the first window
                mark, body_mark = estimated if not whole else "", "~"
                rows, first = plan.num_rows(), plan.window(0)
                body = round(rows * int(corpus.lengths[first.documents].sum()) / first.rows.num_rows)
            repeats = {name: found / source.scale for name, found in plan.stream.repeats(body).items()}
            sizes = corpus.lengths.clip(max=length).astype(float)
            attended = float((sizes**2).sum() / sizes.sum() / 2)
        tokens = rows * length if rows is not None else body
        flops = flops_per_token(recipe.model, vocab_size, attended) * tokens if vocab_size and tokens else None
        steps = None if rows is None else -(-rows // training.batch_rows)
        parameters = num_parameters(recipe.model, vocab_size) if vocab_size else None
        result.append(_Count(parameters, steps, body, repeats, flops, mark, body_mark))
    return result


def _repeats(runs: list[_Planned], counts: list[_Count]) -> list[str]:
    """Says how often each group is read where a mix weighs groups, and which runs read too much or too little."""
    from dateline.model.sizes import is_undertrained, undertrained

    lines = []
    groups: dict[str, list[str]] = {}
    for run, found in zip(runs, counts, strict=True):
        if len(found.repeats) > 1:
            read = ", ".join(f"{name} {_decimal(times)}" for name, times in found.repeats.items())
            groups.setdefault(read, []).append(run.name)
    lines += [f"repeats of each group: {read} ({', '.join(names)})" for read, names in groups.items()]
    many = [run.name for run, found in zip(runs, counts, strict=True) if max(found.repeats.values(), default=0) > MANY]
    if many:
        lines.append(f"read some of their documents more than {MANY} times, which teaches ever less: {', '.join(many)}")
    few = [
        run.name
        for run, found in zip(runs, counts, strict=True)
        if run.recipe.init_from is None and is_undertrained(found.body_tokens, found.parameters)
    ]
    return lines + ([undertrained(few)] if few else [])


def _number(mark: str, value: int | None) -> str:
    """Writes a count: whole below ten million, else with three digits."""
    if value is None:
        return "?"
    if value < 10_000_000:
        return f"{mark}{value:,}"
    unit, letter = next((unit, letter) for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if value >= unit)
    return f"{mark}{value / unit:.3g} {letter}"


def _decimal(value: float | None) -> str:
    if value is None:
        return "?"
    return _flops(value) if value >= 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _hours(flops: float | None, rate: float) -> str:
    return _decimal(None if flops is None else flops / rate / 3600)


def _flops(value: float | None) -> str:
    return "?" if value is None else f"{value:.1e}".replace("e+0", "e").replace("e+", "e")


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
