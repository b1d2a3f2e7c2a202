"""`dateline eval MEASURE MODEL`: every measure of the registry, with its section's fields as options.

A measure needs nothing here: its table is printed as rows by metric and condition. `SHOW` holds the measures that have
more to say.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import tyro
from pydantic import Field

from dateline.cli.options import choose_action, read_options
from dateline.cli.tables import print_rows
from dateline.config import Section
from dateline.errors import UserError
from dateline.evaluate.recipe import MEASURES, Mcq, Perplexity, Scoring

if TYPE_CHECKING:
    from dateline.manifest import Manifest
    from dateline.scores import Score


class Arguments(Section):
    """What every measure needs besides its options."""

    model: Annotated[Path, tyro.conf.Positional]
    """The output of dateline train, or a Hugging Face folder of a causal language model, whatever its tokenizer."""
    out: Path | None = None
    """Folder to make."""
    run: str = ""
    """The model's name in the tables; by default that of its folder."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace what stands there."""

    @property
    def name(self) -> str:
        """Of the model in the tables."""
        return self.run or self.model.resolve().name


class FolderArguments(Arguments):
    """The same, where the folder has to be named."""

    out: Path
    """Folder to make."""


class PerplexityArguments(FolderArguments):
    """What `dateline eval perplexity` takes besides: what its conditions are compared with."""

    versus: Path | None = None
    """Scores of another model on the same documents: every condition is compared with that model's `none`, over all
    documents and in every slice of --by."""
    cluster: Literal["document", "outlet"] = "document"
    """What the differences are resampled by."""
    margin: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Test whether each difference lies within so many nats per token; without it nothing is said to be equivalent."""


class McqArguments(Arguments):
    """What `dateline eval mcq` takes besides: the same questions for another tool."""

    write_tasks: Path | None = None
    """Instead of asking, write the questions as tasks for lm_eval --include_path into this new folder."""


ARGUMENTS: dict[str, type[Arguments]] = {"perplexity": PerplexityArguments, "mcq": McqArguments}


class Result(NamedTuple):
    """A finished evaluation, to be shown."""

    arguments: Arguments
    options: Scoring
    manifest: Manifest
    scores: Sequence[Score]


def run(words: list[str]) -> None:
    """Runs the verb."""
    summaries = {name: measure.summary for name, measure in MEASURES.items()}
    name, words = choose_action("dateline eval", summaries, words, kind="measure", rest="MODEL --out DIR")
    section = MEASURES[name].section
    kind = ARGUMENTS.get(name, FolderArguments)
    arguments, options = read_options(f"dateline eval {name}", section, kind, words, description=section.__doc__)
    if isinstance(arguments, McqArguments):
        assert isinstance(options, Mcq)
        if (arguments.out is None) == (arguments.write_tasks is None):
            raise UserError("give either --out DIR, to ask the questions, or --write-tasks DIR, to write them as tasks")
        if arguments.write_tasks is not None:
            write_tasks(arguments, options, arguments.write_tasks)
            return
        if options.answers == "paper-generative":
            print(f"dateline: warning: {SAMPLED_WARNING}", file=sys.stderr)
    assert arguments.out is not None
    stage = MEASURES[name].stage(arguments.model, options, arguments.name)
    manifest = stage.make(arguments.out, overwrite=arguments.overwrite)
    from dateline.scores import read_scores

    SHOW.get(name, show_table)(Result(arguments, options, manifest, read_scores(arguments.out)))
    print(f"everything is in {arguments.out}")


def show_table(result: Result) -> None:
    """Prints any measure: levels and differences, over all documents and by continent."""
    print_rows(level_rows(result.scores))
    if pairs := [score for score in result.scores if score.versus and score.slice_by == "all"]:
        print()
        print_rows([difference_row(score) for score in pairs])
    print("95% intervals in brackets, p after Holm's correction")


def show_perplexity(result: Result) -> None:
    """Adds paired differences to the table; prints them, perplexity, losses by part, and what to beware of."""
    from dateline.evaluate.parts import LEAK_WARNING, TITLE_IN_URL
    from dateline.scores import summary_rows, write_scores

    assert isinstance(result.arguments, PerplexityArguments)
    scores, facts, kept = result.scores, result.manifest.facts, result.manifest.counts["kept"]
    if pairs := compare(result.arguments, result.options):
        write_scores(result.arguments.out, [*scores, *pairs])
        show_differences(pairs, result.arguments, result.options)
    print_rows(summary_rows(scores))
    sizes = {s.slice: s.n_documents for s in scores if s.metric == "ppl" and s.slice_by in ("all", "continent")}
    print(", ".join(f"{name} {number:,}" for name, number in sizes.items()) + " documents\n")
    if parts := [score for score in scores if score.slice_by == "part"]:
        print("nats per token by part of the document")
        print_rows(summary_rows(parts, metric="nll", slice_by="part"))
        print()
    share = next((s for s in scores if s.metric == TITLE_IN_URL and s.slice_by == "all"), None)
    if share is not None and share.n_documents > 1:
        ends = f"[{100 * share.ci_low:.1f}, {100 * share.ci_high:.1f}]"
        print(f"{100 * share.value:.1f}% {ends} of the words of titles stand in the URL after the host")
    if lossy := facts["lossy_documents"]:
        print(
            f"dateline: warning: no bits per byte: the tokenizer does not give back the text of {lossy:,} of "
            f"{kept:,} documents, so not all of their bytes were scored",
            file=sys.stderr,
        )
    for name in facts["leaks"]:
        print(f"LEAK: {name}: {LEAK_WARNING}")
    for name, strange in facts["unseen_fields"].items():
        print(f"note: {name}: the model was not trained with {', '.join(strange)}")
    for name in facts["swaps_without_outlet"]:
        print(f"note: {name}: no document is from there, so the prefix shows country and continent, and no outlet")
    print(f"perplexity with 95% intervals over {kept:,} documents")


def compare(arguments: PerplexityArguments, options: Scoring) -> list[Score]:
    """Returns paired differences, of conditions from `none` and of all from another model's `none`, in all slices.

    Those over all documents are one family for Holm's correction, and so are the groups of each comparison. Swaps are
    left out: an experiment compares them with one another.
    """
    from dateline.experiment.comparisons import differences
    from dateline.scores import correct, read_losses

    losses = read_losses(arguments.out)
    scored = dict.fromkeys(str(name) for name in losses.column("condition").to_pylist())
    names = [name for name in scored if not name.startswith("swap:")]
    pairs = [(losses, name) for name in names if name != "none" and "none" in names]
    if arguments.versus is not None:
        other = read_losses(arguments.versus)
        if other["run"][0] == losses["run"][0]:
            raise UserError(f"--versus: both models are called '{arguments.name}' in the tables; name one with --run")
        pairs += [(other, name) for name in names]
    assert isinstance(options, Perplexity)
    settings: dict[str, Any] = {
        "condition_versus": "none",
        "by": options.by,
        "margin": arguments.margin,
        "cluster": arguments.cluster,
        "resamples": options.resamples,
        "seed": options.seed,
    }
    return correct([score for table, name in pairs for score in differences(losses, table, condition=name, **settings)])


def show_differences(pairs: Sequence[Score], arguments: PerplexityArguments, options: Scoring) -> None:
    """Prints differences over all documents and, where another model is compared with, by the first of `by`."""
    assert isinstance(options, Perplexity)
    print("paired differences in nats per token, p after Holm's correction, and the minimum detectable effect")
    print_rows([difference_row(score) for score in pairs if score.slice_by == "all"])
    if arguments.margin is not None:
        equal = [
            f"{s.condition} - {s.versus}" for s in pairs if s.slice_by == "all" and s.equivalent_within is not None
        ]
        print(f"equivalent within {arguments.margin:g} nats per token: {', '.join(equal) or 'none is shown to be'}")
    print()
    groups = [score for score in pairs if score.slice_by in options.by[:1]]
    if arguments.versus is not None and groups:
        print(f"the same by {options.by[0]}, p after Holm's correction within each comparison")
        print_rows([{"texts of": score.slice, **difference_row(score, group=True)} for score in groups])
        if others := options.by[1:]:
            print(f"by {' and '.join(others)}: in scores.parquet")
        print()


SAMPLED_WARNING = (
    "paper-generative: options stand in one order, answers are sampled, and items without a letter leave the "
    "denominator of accuracy_paper_generative; accuracy_paper_generative_strict counts them as wrong, and "
    "accuracy_cloze and accuracy_letter neither sample nor depend on the order"
)


def show_mcq(result: Result) -> None:
    """Prints shares of right answers by form and condition, and differences of accuracy."""
    counts, facts = result.manifest.counts, result.manifest.facts
    print_rows(level_rows(result.scores, of="items"))
    pairs = [s for s in result.scores if s.versus and s.slice_by == "all" and s.metric.startswith("accuracy")]
    if pairs:
        print()
        print_rows([difference_row(score) for score in pairs])
    if wrong := counts["counted_wrong"]:
        print(f"{wrong:,} items are longer than the model can read and count as wrong")
    if counts["pairs"] or counts["no_pair"]:
        print(
            f"switch and shift: {counts['pairs']:,} pairs; {counts['no_pair']:,} items name another country and are no "
            "pair (the question is not ambiguous, or has no other answer among its options for another country)"
        )
    print(
        f"{counts['in']:,} items, chance {facts['chance']:.3f} (switch and shift: 0.5), 95% intervals over items; "
        "p after Holm's correction"
    )


def write_tasks(arguments: McqArguments, options: Mcq, out: Path) -> None:
    """Writes the questions as tasks for lm_eval, and prints the command that asks them."""
    from dateline.evaluate.mcq.run import TASK_PREFIX, tasks_stage
    from dateline.model.load import model_folder

    manifest = tasks_stage(arguments.model, options, out).make(out, overwrite=arguments.overwrite)
    otherwise = manifest.facts["prompts_tokenized_otherwise_by_lm_eval"]
    if seams := {name: count for name, count in otherwise.items() if count}:
        shown = ", ".join(f"{name} {count:,} of {manifest.counts[name]:,}" for name, count in seams.items())
        print(f"lm_eval joins prefix and question into other tokens than training did: {shown}")
    folder = model_folder(arguments.model)
    print(f"lm_eval run --model hf --model_args pretrained={folder} --include_path {out} --tasks {TASK_PREFIX}")


def show_efficiency(result: Result) -> None:
    """Prints the loss at every checkpoint, and how much text was needed to reach the other run's loss."""
    from dateline.evaluate.parts import LEAK_WARNING, leaks

    scores = result.scores
    read = {score.slice: score.value for score in scores if score.metric == "body_tokens"}
    for score in scores:
        if score.slice_by == "step" and score.metric == "nll":
            tokens = f"{int(read[score.slice]):,}"
            print(f"{tokens:>15} body tokens: {score.value:.4f} [{_ends(score)}] nats per token")
    share = next(score for score in scores if score.metric == "share_to_reach")
    print(sentence(share, result.manifest.facts))
    if leaks(share.shown):
        print(f"LEAK: {share.condition}: {LEAK_WARNING}")
    print(f"95% intervals over {share.n_documents:,} documents, one run")


def sentence(share: Score, facts: dict[str, Any]) -> str:
    """Says how much text was needed, with its interval."""
    total = int(facts["versus_body_tokens"])
    what = f"{share.run} ({share.condition}) against the last loss of {share.versus} after {total:,} body tokens"
    if math.isinf(share.value):
        return f"{what}: reached at none of {facts['points']} points."
    if math.isnan(share.ci_low):
        return f"{what}: reached with {100 * share.value:.1f}% [one document: no interval] of these."
    ends = ["not reached" if math.isinf(end) else f"{100 * end:.1f}%" for end in (share.ci_low, share.ci_high)]
    early = float(facts["reached_before_first_point"])
    bound = f" {100 * early:.0f}% of the resamples were there at the first point: an upper bound." if early > 0 else ""
    return f"{what}: reached with {100 * share.value:.1f}% [{ends[0]}, {ends[1]}] of these.{bound}"


def show_locate(result: Result) -> None:
    """Prints accuracy and calibration of the model beside the baseline, and how they compare."""
    manifest = result.manifest
    rows: dict[str, dict[str, str]] = {}
    for score in result.scores:
        if score.slice_by == "all" and not score.versus:
            row = rows.setdefault(score.metric, {"metric": score.metric})
            row[score.run] = _value(score)
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    print_rows([{name: row.get(name, "") for name in columns} for row in rows.values()])
    print()
    for score in result.scores:
        if score.versus and score.slice_by == "all":
            p = "not tested"
            if score.p is not None and score.p_holm is not None:
                p = f"p = {score.p:.2g} (McNemar), {score.p_holm:.2g} after Holm's correction"
            ends = "no interval" if math.isnan(score.ci_low) else f"{score.ci_low:+.3f}, {score.ci_high:+.3f}"
            what = f"{score.run}/{score.condition} less {score.versus}"
            print(f"{score.metric} of {what}: {score.value:+.3f} [{ends}], {p}")
    if missing := manifest.facts["without_documents"]:
        print(f"no test documents, hence no numbers: {', '.join(missing)}")
    if left := ", ".join(f"{number:,} {reason}" for reason, number in manifest.drops.items()):
        print(f"left out of {manifest.counts['in']:,} documents: {left}")
    print(f"{manifest.counts['kept']:,} documents, 95% intervals")


SHOW: dict[str, Callable[[Result], None]] = {
    "perplexity": show_perplexity,
    "mcq": show_mcq,
    "efficiency": show_efficiency,
    "locate": show_locate,
}
"""Measure -> what prints its result, where `show_table` does not do."""


def level_rows(scores: Iterable[Score], *, of: str = "documents") -> list[dict[str, str]]:
    """Returns a row for each metric and condition: all documents, then the continents.

    Args:
        scores: of one measure; differences are left out.
        of: what is counted.

    Returns:
        Rows with the same keys in the same order: `run` where there are several, `condition`, `metric`, the number of
        documents, `all`, the continents.
    """
    chosen = [score for score in scores if not score.versus and score.slice_by in ("all", "continent")]
    columns = ["all", *sorted({score.slice for score in chosen if score.slice_by == "continent"})]
    several = len({score.run for score in chosen}) > 1
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for score in chosen:
        head = {"run": score.run} if several else {}
        head |= {"condition": score.condition, "metric": score.metric, of: ""}
        row = rows.setdefault((score.run, score.metric, score.condition), head | dict.fromkeys(columns, ""))
        row[score.slice] = _value(score)
        if score.slice_by == "all":
            row[of] = f"{score.n_documents:,}"
    return list(rows.values())


def difference_row(score: Score, *, group: bool = False) -> dict[str, str]:
    """Returns a comparison as a row for people, with its p-value and the minimum detectable effect.

    Args:
        score: of the comparison.
        group: the row is about a group of documents: their number stands in place of the metric.
    """
    unknown = math.isnan(score.ci_low)
    ends = "no interval" if unknown else f"{score.ci_low:+.4f}, {score.ci_high:+.4f}"
    return {
        "condition": score.condition,
        "versus": score.versus,
        **({"documents": f"{score.n_documents:,}"} if group else {"metric": score.metric}),
        "difference": f"{score.value:+.4f} [{ends}]",
        "p": "" if unknown or score.p_holm is None else f"{score.p_holm:.2g}",
        "detectable": "" if unknown or score.mde is None else f"{score.mde:.4f}",
    }


def _value(score: Score) -> str:
    if math.isnan(score.value):
        return "none"
    return f"{_number(score.value, score.unit)} [{_ends(score)}]"


def _ends(score: Score) -> str:
    if math.isnan(score.ci_low):
        return "one document" if score.n_documents == 1 else "no interval"
    return f"{_number(score.ci_low, score.unit)}, {_number(score.ci_high, score.unit)}"


def _number(value: float, unit: str) -> str:
    digits = {"share": 3, "perplexity": 2, "tokens": 0}.get(unit, 4)
    return f"{value:,.{digits}f}"
