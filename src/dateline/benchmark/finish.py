"""Finishes a benchmark: measures guessers, audits the set, and writes everything that the folder holds.

The folder has `questions.parquet` and `questions.jsonl` (the same rows), `rejected.parquet` (every draft that was
thrown away, with its reasons), `README.md` (a dataset card), `audit/`, and `tasks/` for lm-evaluation-harness. A set
that fails its own audit is written all the same; its facts say `fit: false` and why.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dateline.benchmark.audit import Audit, as_plain, audit_questions, audit_stage
from dateline.benchmark.card import COLUMNS, benchmark_card
from dateline.benchmark.checks import chance_of, credit, credit_share
from dateline.benchmark.drafts import NUM_OPTIONS
from dateline.benchmark.guesser import asked_wording, form, guess, wording
from dateline.benchmark.questions import Question, read_questions
from dateline.benchmark.recipe import BuildOptions
from dateline.benchmark.tasks import FORMS, task_documents, write_task
from dateline.conditions import Metadata, render
from dateline.stage import Made
from dateline.statistics import chi_square_uniform, holm

Row = dict[str, Any]


STAGE = "benchmark"
QUESTIONS = "questions.jsonl"
TABLE = "questions.parquet"
REJECTED = "rejected.parquet"
CARD = "README.md"
TASKS = "tasks"
AUDIT = "audit"
TASK_PREFIX = "dateline_benchmark"
LONGEST = "longest option"
CLOSED = "closed book, "

Guesser = Callable[[Sequence[Question]], list[float]]
"""Returns for each item the probability that it is guessed right, without its place."""

CLOSED_BOOK: dict[str, Guesser] = {
    "options": lambda questions: guess(questions, wording),
    "question and options": lambda questions: guess(questions, asked_wording),
    "form of the options": lambda questions: guess(questions, form),
    LONGEST: lambda questions: [credit([len(one) for one in item.options], item.answer) for item in questions],
}
"""Guessers who see the question and its options and neither place nor article. The first three learn from the other
folds which words, words with words of the question, and forms are right: the commonest answer is one of them."""


@dataclass(frozen=True, slots=True)
class Check:
    """A threshold of the recipe, and whether the finished set keeps it."""

    name: str
    value: float
    limit: float
    fit: bool
    sentence: str
    """What is wrong, where something is."""

    @property
    def verdict(self) -> str:
        """`kept` or `not kept`; a guesser may be above its limit where its interval holds chance."""
        above = self.name.startswith(CLOSED) and self.value > self.limit
        return ("kept (its interval holds chance)" if above else "kept") if self.fit else "not kept"


def finish(
    folder: Path,
    out: Path,
    rows: Sequence[Row],
    rejected: Sequence[Row],
    options: BuildOptions,
    wanted: Mapping[str, int],
    facts: Mapping[str, Any],
) -> Made:
    """Writes a benchmark's files and says what was found out about it.

    Args:
        folder: where to write.
        out: where the folder is going to stand.
        rows: of `questions.parquet`, at least one; `solved_by` is filled in here.
        rejected: of `rejected.parquet`.
        options: with the limits.
        wanted: questions by country.
        facts: what the manifest is to say besides, `generator` and `test_articles` among it.
    """
    _write_questions(folder, rows)
    _write_rejected(folder, rejected)
    questions = read_questions(folder / QUESTIONS)
    solved = {name: guesser(questions) for name, guesser in CLOSED_BOOK.items()}
    marked = [
        {**row, "solved_by": [name for name, credits in solved.items() if credits[at] == 1]}
        for at, row in enumerate(rows)
    ]
    _write_questions(folder, marked)
    audit = _audit(folder, wanted)
    checks = [*_thresholds(questions, solved, options), _quotas(questions, wanted)]
    failed = [f"{check.sentence}." for check in checks if not check.fit]
    (folder / TASKS).mkdir()
    _write_tasks(folder / TASKS, out / TASKS, questions)
    found: dict[str, Any] = {
        **facts,
        "fit": audit.fit and not failed,
        "sentence": " ".join((audit.sentence, *failed)),
        "countries": dict(sorted(Counter(item.country for item in questions).items())),
        "wanted": dict(sorted(wanted.items())),
        "kinds": dict(Counter(row["kind"] for row in rows).most_common()),
        "places_in_contrast": _contrast_sizes(rows),
        "checks": [
            {
                "name": one.name,
                "value": round(one.value, 4),
                "limit": one.limit,
                "fit": one.fit,
                "verdict": one.verdict,
            }
            for one in checks
        ],
        "audit": {one["check"]: one["value"] for one in as_plain(audit)["checks"]},
        "expiring": sum(row["expires"] for row in rows),
    }
    drops = dict(Counter(row["reason"] for row in rejected).most_common())
    (folder / CARD).write_text(benchmark_card(out.name, options, audit, found, drops, marked), encoding="utf-8")
    return Made(counts={"in": len(rows) + len(rejected), "kept": len(rows)}, drops=drops, facts=found)


def limit_of(name: str, options: BuildOptions) -> float:
    """Returns how often a guesser may be right."""
    return options.max_longest if name == LONGEST else options.max_choices_only


def is_even(credits: Sequence[float], questions: Sequence[Question], limit: float) -> bool:
    """Says whether a guesser keeps its limit; one that may be at chance by its 95% interval does as well."""
    found = credit_share(credits)
    return found.value <= limit or found.low <= chance_of(questions)


def _contrast_sizes(rows: Sequence[Row]) -> dict[str, int]:
    """Returns how many questions stand in groups of so many places."""
    sizes = Counter(row["pair_id"] for row in rows)
    return dict(sorted(Counter(str(sizes[row["pair_id"]] if row["pair_id"] else 1) for row in rows).items()))


def _thresholds(
    questions: Sequence[Question], solved: Mapping[str, Sequence[float]], options: BuildOptions
) -> Iterator[Check]:
    """Yields the checks that the recipe sets limits for."""
    for name, credits in solved.items():
        found, limit = credit_share(credits), limit_of(name, options)
        fit = is_even(credits, questions, limit)
        words = f"Guessing from {name} without a place is right in {found.value:.1%}, more than {limit:.0%}"
        yield Check(f"{CLOSED}{name}", found.value, limit, fit, words)
    by_country: defaultdict[str, list[int]] = defaultdict(list)
    for item in questions:
        by_country[item.country].append(item.answer)
    raw = [
        chi_square_uniform([answers.count(place) for place in range(NUM_OPTIONS)]) for answers in by_country.values()
    ]
    lowest = min(holm(raw))
    words = f"The gold position of a country is not even (p = {lowest:.2g})"
    yield Check("gold position by country", lowest, options.min_position_p, lowest >= options.min_position_p, words)


def _quotas(questions: Sequence[Question], wanted: Mapping[str, int]) -> Check:
    counts = Counter(item.country for item in questions)
    short = {code: number for code, number in sorted(wanted.items()) if counts[code] < number}
    total = sum(wanted.values())
    words = (
        f"Quotas are not met: {', '.join(f'{code} {counts[code]} of {number}' for code, number in short.items())}; "
        "build a corpus with more test articles, or ask for fewer"
    )
    return Check("quotas", len(questions) / total, 1.0, not short, words)


def _audit(folder: Path, wanted: Mapping[str, int]) -> Audit:
    """Audits the finished questions with the checks of `dateline audit mcq`, and keeps the result in the folder."""
    audit = audit_questions(folder / QUESTIONS, quota=wanted)
    inside = f"{folder}/"  # the folder still has a hidden name
    suspects = [
        replace(one, where=one.where.replace(inside, ""), why=one.why.replace(inside, "")) for one in audit.suspects
    ]
    audit = replace(audit, path=Path(QUESTIONS), suspects=suspects, sentence=audit.sentence.replace(inside, ""))
    audit_stage(audit).make(folder / AUDIT)
    return audit


def _write_tasks(folder: Path, out: Path, questions: Sequence[Question]) -> None:
    """Writes the tasks for lm_eval: both forms, without a place and with country and continent in front."""
    for condition in ("none", "gold"):
        known = condition == "gold"
        prefixes = [
            render(Metadata(country=item.country, continent=item.continent), ("country", "continent")) if known else ""
            for item in questions
        ]
        for form_name in FORMS:
            name = f"{form_name}_{condition}"
            documents = task_documents(questions, prefixes, form_name, "question")
            write_task(
                folder,
                out,
                task=f"{TASK_PREFIX}_{name}",
                name=name,
                tag=TASK_PREFIX,
                form=form_name,
                documents=documents,
            )


LISTS = ("options", "option_countries", "solved_by", "notes", "reasons")
REJECTED_COLUMNS = (
    "reason",
    "reasons",
    *(name for name in COLUMNS if name not in ("contrast_country", "contrast_answer", "solved_by")),
)


def _write_questions(folder: Path, rows: Sequence[Row]) -> None:
    ordered = [{name: row[name] for name in COLUMNS} for row in rows]
    _write_table(folder / TABLE, ordered, list(COLUMNS))
    with (folder / QUESTIONS).open("w", encoding="utf-8") as lines:
        for row in ordered:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _write_rejected(folder: Path, rows: Sequence[Row]) -> None:
    _write_table(folder / REJECTED, [{name: row[name] for name in REJECTED_COLUMNS} for row in rows], REJECTED_COLUMNS)


def _write_table(path: Path, rows: Sequence[Row], names: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds: dict[str, pa.DataType] = dict.fromkeys(LISTS, pa.list_(pa.string()))
    kinds |= {"evidence_start": pa.int64(), "evidence_end": pa.int64(), "expires": pa.bool_()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
