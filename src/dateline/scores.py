"""The long tables of results: runs (which models there are), scores (one row a number), losses (one row a document).

Every measure adds rows to these, and comparisons, findings and reports read nothing else. A study adds a fourth,
findings (one row a claim). All are Parquet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dateline.errors import UserError
from dateline.statistics import holm_by_family

RUNS, SCORES, LOSSES, FINDINGS = "runs.parquet", "scores.parquet", "losses.parquet", "findings.parquet"
UNKNOWN = "unknown"
"""The slice of documents whose country, continent or domain is not known."""


@dataclass(frozen=True, slots=True)
class Run:
    """A trained model: what it is, as columns. Nothing is read off its name."""

    run: str
    """Unique in an experiment: `conditioned`, or `conditioned-seed1` where there are several seeds."""
    family: str
    """What the seeds of one recipe have in common."""
    size: str
    """Name of the shape, `pico` to `1b`; empty for models from elsewhere."""
    trained_on: str
    """Continents or countries of its training documents, joined by `+`; `all` for no filter."""
    left_out: str
    """Continents or countries that were left out, joined by `+`."""
    fields: str
    """Metadata fields of its training, joined by `+`; empty for none."""
    dropout: float
    """Share of training documents without a prefix; 1 for a run without fields."""
    cooldown: float
    """Last share of training without any prefix."""
    mix: str
    """`natural`, or what was weighed: `equal by continent`, `weighted by country`."""
    budget: str
    """What its length has in common with a run on all groups: `same_steps` or `same_region_tokens`."""
    seed: int
    """Of its training: weights, order of documents, dropout of prefixes."""
    step: int
    """Optimizer steps taken."""
    body_tokens: int
    """Body tokens read in training."""
    model: str
    """Fingerprint of weights, configuration and tokenizer."""

    def kind(self) -> Run:
        """Returns what the run is, without name, seed and training: models of one kind differ in nothing else.

        A plain run has no prefix to cool down from.
        """
        kind = replace(self, run="", family="", seed=0, step=0, body_tokens=0, model="")
        return kind if kind.fields else kind.plain()

    def plain(self) -> Run:
        """Returns the run without metadata that differs in nothing else."""
        return replace(self, fields="", dropout=1.0, cooldown=0.0)


def contrasts(run: Run, versus: Run) -> list[str]:
    """Returns what two compared runs differ in besides metadata and seed: `trained_on (Africa, all)`.

    Lengths are alike where the steps are the same, or the body tokens within 1%: whole rows are read.
    """
    names = ["size", "trained_on", "left_out", "mix", "budget"]
    few, many = sorted((run.body_tokens, versus.body_tokens))
    if run.step != versus.step and few < 0.99 * many:
        names.append("body_tokens")
    pairs = {name: (getattr(run, name), getattr(versus, name)) for name in names}
    return [f"{name} ({one or 'none'}, {other or 'none'})" for name, (one, other) in pairs.items() if one != other]


@dataclass(frozen=True, slots=True)
class Score:
    """One number with its interval, and what makes it comparable."""

    run: str
    """Of the table of runs; over several seeds, the family; for a baseline that is no run, its name."""
    measure: str
    """`perplexity`, `locate`, `mcq`, `efficiency`, ..."""
    metric: str
    """`nll`, `ppl`, `bits_per_byte`, `accuracy_cloze`, ...; ends in `_difference` where two things are compared."""
    condition: str
    """Which metadata the prefix showed: `gold`, `none`, `wrong`, `swap:ng`, ...; `swap:all` where every place's prefix
    was needed for one number; empty where there is no prefix."""
    slice_by: str
    """`all`, `continent`, `country`, `domain`; of tokens `part` or `position`; of a run `step`."""
    slice: str
    """Value of `slice_by`: `Africa`, `ng`, `title`, `0-15`, `300`."""
    unit: str
    """Of `value`: `nats/token`, `perplexity`, `bits/byte`, `nats`, `share`, `tokens`."""
    n_documents: int
    """Documents, or questions."""
    n_tokens: int | None
    """Scored tokens; null where no tokens are scored."""
    value: float
    """The number, in `unit`."""
    ci_low: float
    """Lower end of the 95% interval; NaN where there is none."""
    ci_high: float
    """Upper end of it; infinite where the value has no upper bound."""
    protocol: str
    """Fingerprint of the protocol, `strict-1a2b3c4d`; numbers of different protocols are not comparable."""
    data: str
    """Fingerprint of what was scored: an encoded corpus, or a set of questions."""
    model: str
    """Fingerprint of the model; of several seeds joined by `+`."""
    shown: str = ""
    """Fields that the prefix showed, joined by `+`. With `url` among them, titles leak into the prefix."""
    versus_run: str = ""
    """For differences: the run that was subtracted, on the same documents."""
    versus_condition: str = ""
    """The condition under which `versus_run` was scored."""
    p: float | None = None
    """Two-sided and paired; a bootstrap's is never below 1 / (resamples + 1). Null for levels, and where no test was
    possible."""
    p_holm: float | None = None
    """The same after Holm's correction over `family_of_tests`."""
    family_of_tests: str = ""
    """Tests that are read together, and so corrected together."""
    mde: float | None = None
    """Minimum detectable effect: the difference that this comparison finds in 80% of repetitions; too small where there
    are fewer than some ten documents or three seeds."""
    n_outlets: int = 0
    """Distinct domains among the documents; 0 where there are none to count."""
    n_seeds: int = 1
    """Trained models that the value is a mean over."""
    equivalent_within: float | None = None
    """The stated margin, where two one-sided tests at 5% show that the difference lies within it (its 90% interval
    does); null where they do not, or no margin was stated."""

    @property
    def versus(self) -> str:
        """Returns `run/condition` of what was subtracted; empty for levels."""
        return f"{self.versus_run}/{self.versus_condition}" if self.versus_run else ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a study finds for one claim: the effect, and what it is held against."""

    experiment: int
    """1 in and out of region, 2 global recovers local, 3 learning efficiency, 4 leave one region out, 5 fields and
    balance, 6 dropout."""
    claim: str
    """`in_region`, `out_of_region`, `gap_closed`, ...; docs/guide/experiments.md says what each subtracts from what."""
    size: str
    """Of the models."""
    region: str
    """Continents or countries, joined by `+`, that a local model reads, that were left out, or whose test documents
    are scored; `all` for every test document."""
    budget: str
    """Of the local models; of all models for claims without any."""
    fields: str
    """Metadata fields of the conditioned models, joined by `+`; empty where none has any."""
    detail: str
    """What else tells claims of one kind apart: the condition, or the prefix dropout and cooldown."""
    compared: str
    """`run/condition - run/condition`; families for runs where several seeds are compared."""
    effect: float | None
    """In `unit`; null where a run is missing, or where the number is not defined."""
    unit: str
    """`nats/token`, negative where the first is better; or `share`."""
    ci_low: float | None
    """Lower end of the 95% interval; null where there is none."""
    ci_high: float | None
    """Upper end of it."""
    p: float | None
    """Two-sided: of no difference, of a share of 0 (`gap_closed`) or of 1 (`share_to_reach`)."""
    p_holm: float | None
    """The same after Holm's correction over the whole study."""
    mde: float | None
    """Minimum detectable effect: the difference that this comparison finds in 80% of repetitions."""
    n_documents: int
    """Test documents of the region."""
    n_tokens: int
    """Their scored tokens."""
    n_seeds: int
    """Trained models on either side; 0 where none can be compared."""
    ideal: float | None
    """The effect that ideal learners of the same training distributions would have; null where it is not known."""
    truth: str
    """Of claims whose ideal effect a sound study must find: `found` or `not found`; empty for all others."""
    published: float | None
    """The effect of the same claim in arXiv 2601.15236, from its published perplexities; null where there is none."""
    verdict: str
    """`replicates`, `contradicts`, `too small to tell`; without a published effect `found`, `none within the margin`,
    `too small to tell`; `missing` or `not defined` where there is no effect."""
    reason: str
    """Why there is no effect, interval, ideal or published effect, and what else to know; `; ` between reasons."""
    missing: str
    """Runs that the claim needs and that are not there, joined by `+`."""
    rule: str
    """Fingerprint of the rule behind the verdict: the section `study` of the recipe."""


def _schema(kind: type[Run | Score | Finding]) -> pa.Schema:
    kinds: dict[str, pa.DataType] = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
    return pa.schema([pa.field(field.name, kinds[str(field.type).partition(" ")[0]]) for field in fields(kind)])


RUNS_SCHEMA = _schema(Run)
SCORES_SCHEMA = _schema(Score)
ADDED = ("equivalent_within",)
"""Columns that tables of earlier versions lack; null there."""
FINDINGS_SCHEMA = _schema(Finding)
_LOSS_TEXTS = ("run", "condition", "shown", "id", "domain", "country", "continent", "slice_by", "slice")
_LOSSES: dict[str, pa.DataType] = {
    **dict.fromkeys(_LOSS_TEXTS, pa.string()),
    "nll": pa.float64(),
    "n_tokens": pa.int64(),
    "n_bytes": pa.int64(),
    **dict.fromkeys(("model", "protocol", "data"), pa.string()),
}
LOSSES_SCHEMA = pa.schema([pa.field(name, kind) for name, kind in _LOSSES.items()])
"""One row a document, condition and part of the document.

`slice_by` is `all` for whole documents, `part` or `position` for parts of them. `nll` is the sum over the scored tokens
in nats, `n_tokens` their number, `n_bytes` the UTF-8 bytes that they stand for (null for parts). What is compared in
pairs is compared on these.
"""


def write_runs(folder: Path, runs: Iterable[Run]) -> None:
    """Writes `runs.parquet` into a folder."""
    table = pa.Table.from_pylist([asdict(run) for run in runs], schema=RUNS_SCHEMA)
    pq.write_table(table, folder / RUNS, compression="zstd")


def write_scores(folder: Path, scores: Iterable[Score]) -> None:
    """Writes `scores.parquet` into a folder."""
    table = pa.Table.from_pylist([asdict(score) for score in scores], schema=SCORES_SCHEMA)
    pq.write_table(table, folder / SCORES, compression="zstd")


def write_losses(folder: Path, losses: pa.Table) -> None:
    """Writes `losses.parquet` into a folder."""
    pq.write_table(losses.cast(LOSSES_SCHEMA), folder / LOSSES, compression="zstd")


def write_findings(folder: Path, findings: Iterable[Finding]) -> None:
    """Writes `findings.parquet` into a folder, so that a reader sees the old table or the new."""
    table = pa.Table.from_pylist([asdict(finding) for finding in findings], schema=FINDINGS_SCHEMA)
    partial = folder / f".{FINDINGS}.partial"
    try:
        pq.write_table(table, partial, compression="zstd")
        partial.replace(folder / FINDINGS)
    finally:
        partial.unlink(missing_ok=True)


def read_findings(folder: Path) -> list[Finding]:
    """Reads the findings of a study.

    Raises:
        UserError: where there is no such table, or it is of another version.
    """
    return [Finding(**row) for row in read_table(folder / FINDINGS, FINDINGS_SCHEMA).to_pylist()]


def read_runs(folder: Path) -> list[Run]:
    """Reads the runs of an experiment.

    Raises:
        UserError: where there is no such table, or it is of another version.

    Example:
        >>> [run.run for run in read_runs(Path("runs/quickstart"))]
        ['plain', 'conditioned']
    """
    return [Run(**row) for row in read_table(folder / RUNS, RUNS_SCHEMA).to_pylist()]


def read_scores(folder: Path) -> list[Score]:
    """Reads the scores of a measure's folder or an experiment's.

    Raises:
        UserError: where there is no such table, or it is of another version.

    Example:
        >>> scores = read_scores(Path("runs/quickstart"))
        >>> [(s.run, s.condition, round(s.value, 2)) for s in scores if s.metric == "ppl" and s.slice_by == "all"][:2]
        [('plain', 'none', 1.73), ('conditioned', 'gold', 1.64)]
    """
    return [Score(**row) for row in read_table(folder / SCORES, SCORES_SCHEMA).to_pylist()]


def read_losses(folder: Path) -> pa.Table:
    """Reads the losses that an evaluation wrote, whole documents and parts.

    Raises:
        UserError: where there is no such table, or it is of another version.

    Example:
        >>> losses = read_losses(Path("runs/scores"))
        >>> where(losses, condition="gold", slice_by="all").num_rows  # documents
        149
    """
    return read_table(folder / LOSSES, LOSSES_SCHEMA)


def where(table: pa.Table, **wanted: str) -> pa.Table:
    """Returns the rows whose columns have these values."""
    for name, value in wanted.items():
        table = table.filter(pc.equal(table.column(name), pa.scalar(value)))
    return table


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Reads one of the long tables from a file.

    Raises:
        UserError: where there is no such table, or it is of another version.
    """
    try:
        table: pa.Table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such table; make it with: {_MAKE[path.name]}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    for column in schema:
        if column.name not in table.column_names and column.name in ADDED:
            table = table.append_column(column, pa.nulls(len(table), column.type))
        if column.name not in table.column_names:
            problem = f"has no column '{column.name}'"
        elif _is_text(found := table.schema.field(column.name).type) != _is_text(column.type):
            problem = f"column '{column.name}' holds {found} instead of {column.type}"
        else:
            continue
        raise UserError(f"{path}: {problem}; it was written by another version of Dateline: evaluate again")
    return table.select(schema.names).cast(schema)


def _is_text(kind: pa.DataType) -> bool:
    """Says whether a column holds text; pandas writes texts as large strings, and a column without values as null."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


_MAKE = {
    RUNS: "dateline experiment RECIPE --out DIR",
    FINDINGS: "dateline study DIR",
    **dict.fromkeys((SCORES, LOSSES), "dateline eval perplexity MODEL --corpus ENCODED --out DIR"),
}


def merge_scores(folders: Sequence[Path]) -> list[Score]:
    """Puts the scores of several evaluations into one table; a row that several of them have (a baseline) is kept once.

    Args:
        folders: with score tables.

    Raises:
        UserError: where perplexities were taken under several protocols or on different data, so that runs cannot be
            compared, or where two folders score the same run under one condition.
    """
    merged: dict[tuple[object, ...], Score] = {}
    origin: dict[tuple[object, ...], Path] = {}
    first: dict[str, Score] = {}
    for folder in folders:
        for score in read_scores(folder):
            key = (*(getattr(score, name) for name in _KEY),)
            if key in merged and repr(merged[key]) != repr(score):  # by text, because NaN is not NaN
                raise UserError(
                    f"run '{score.run}' under '{score.condition}' is in {origin[key]} and in {folder}; "
                    "give each evaluation its own --run name"
                )
            merged[key], origin[key] = score, folder
            if score.measure != COMPARED:
                continue
            other = first.setdefault(COMPARED, score)
            for kind in ("protocol", "data"):
                if getattr(other, kind) != getattr(score, kind):
                    raise UserError(
                        f"run '{other.run}' was scored with {kind} {getattr(other, kind)}, run '{score.run}' with "
                        f"{getattr(score, kind)}; scores of different {kind} are not comparable: evaluate again under "
                        "one"
                    )
    return list(merged.values())


COMPARED = "perplexity"
"""The measure whose numbers are compared between runs. Others may have a protocol for each run: the prefixes under
which a country is inferred depend on the fields of the model."""
_KEY = ("run", "measure", "condition", "slice_by", "slice", "metric", "versus_run", "versus_condition", "protocol")


def correct(scores: Sequence[Score]) -> list[Score]:
    """Returns the scores with `p_holm` filled in: Holm's correction over each `family_of_tests`.

    A family is what is read together and from which one picks what stands out. A test that could not be made (`p` is
    null or NaN) is in no family.
    """
    corrected = holm_by_family([score.p for score in scores], [score.family_of_tests for score in scores])
    return [replace(score, p_holm=p) for score, p in zip(scores, corrected, strict=True)]


def slices(columns: Mapping[str, npt.NDArray[Any]], by: Sequence[str]) -> list[tuple[str, str, npt.NDArray[np.int64]]]:
    """Returns (slice_by, slice, rows) for all documents and for every value of each column, in sorted order."""
    result = [("all", "all", np.arange(len(columns["id"]), dtype=np.int64))]
    for name in by:
        values = np.array([value or UNKNOWN for value in columns[name]], dtype=np.str_)
        for value in np.unique(values):
            result.append((name, str(value), np.flatnonzero(values == value).astype(np.int64)))
    return result


def summary_rows(
    scores: Iterable[Score], *, metric: str = "ppl", slice_by: str = "continent", interval: bool = True
) -> list[dict[str, str]]:
    """Returns a table for people: a row for each run and condition, a column for `all` and for each slice.

    Args:
        scores: levels or differences.
        metric: which number is shown.
        slice_by: whose slices are the columns beside `all`.
        interval: show the interval behind the value.

    Returns:
        Rows with the same keys in the same order: `run`, `condition` (and `versus` for differences), `all`, slices.
    """
    chosen = [score for score in scores if score.metric == metric and score.slice_by in ("all", slice_by)]
    columns = ["all", *sorted({score.slice for score in chosen if score.slice_by == slice_by})]
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for score in chosen:
        key = (score.run, score.condition, score.versus)
        if key not in rows:
            leak = " [leak]" if "url" in score.shown.split("+") else ""
            head = {"run": score.run, "condition": f"{score.condition}{leak}"}
            head |= {"versus": score.versus} if score.versus else {}
            rows[key] = head | dict.fromkeys(columns, "")
        rows[key][score.slice] = _shown(score, interval)
    return list(rows.values())


def _shown(score: Score, interval: bool) -> str:
    digits = 2 if score.metric == "ppl" else 4
    text = f"{score.value:.{digits}f}"
    if interval and math.isnan(score.ci_low):
        return f"{text} [{'one document' if score.n_documents == 1 else 'no interval'}]"
    return f"{text} [{score.ci_low:.{digits}f}, {score.ci_high:.{digits}f}]" if interval else text
