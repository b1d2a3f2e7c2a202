"""Builds a benchmark: drafts of a generator are validated, chosen by quota, shuffled, audited and written.

On disk it is a folder with `questions.parquet` and `questions.jsonl` (the same rows), `rejected.parquet` (every draft
that was thrown away, with its reasons), `README.md` (a dataset card), `audit/`, `tasks/` for lm-evaluation-harness, and
a manifest. A benchmark that fails its own audit is written all the same; its manifest says `fit: false` and why.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any

from dateline.benchmark.audit import Audit, as_plain, audit_questions, audit_stage
from dateline.benchmark.card import COLUMNS, benchmark_card
from dateline.benchmark.checks import chance_of, credit, credit_share
from dateline.benchmark.drafts import NUM_OPTIONS, Draft, Generator, as_question, problems, repeated
from dateline.benchmark.facts import FactsGenerator
from dateline.benchmark.guesser import asked_wording, form, guess, wording
from dateline.benchmark.questions import Question
from dateline.benchmark.recipe import BuildOptions
from dateline.benchmark.tasks import FORMS, task_documents, write_task
from dateline.conditions import Metadata, render
from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.places import country
from dateline.progress import progress
from dateline.records import SPLITS, Article, stable_hash
from dateline.stage import Made, Stage
from dateline.statistics import chi_square_uniform, holm

STAGE = "benchmark"
QUESTIONS = "questions.jsonl"
TABLE = "questions.parquet"
REJECTED = "rejected.parquet"
CARD = "README.md"
TASKS = "tasks"
AUDIT = "audit"
TASK_PREFIX = "dateline_benchmark"
LONGEST = "longest option"
ROUNDS = 20
"""How often drafts are asked for again in place of those that guessers solve."""

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


@dataclass(frozen=True, slots=True)
class Rejected:
    """A draft that was thrown away, and why."""

    draft: Draft
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Chosen:
    """What was taken, and what was not."""

    kept: list[Draft] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, draft: Draft, *reasons: str) -> None:
        """Keeps a draft among those that were thrown away."""
        self.rejected.append(Rejected(draft, reasons))


def benchmark_stage(corpus: Path, options: BuildOptions, out: Path) -> Stage:
    """Returns the stage that builds a benchmark from the test split of a corpus.

    Args:
        corpus: what `dateline corpus` or `dateline newswire` made.
        options: generator, quotas, seed, thresholds.
        out: where the folder is going to stand; the tasks name their documents by its full path.

    Raises:
        UserError: where the corpus is missing, its test split is empty or shares an article with another split, a
            country of the quota has no test article, or an endpoint is not named.

    Example:
        >>> out = Path("runs/benchmark")
        >>> benchmark_stage(Path("runs/newswire"), BuildOptions(quota={"ng": 20, "gb": 50}), out).make(out)
    """
    parent = require_manifest(corpus, "corpus", f"dateline newswire --out {corpus}")
    recipe = options.identity() | {"folder": str(out.resolve())}
    if options.generator == "llm":
        from dateline.benchmark.llm import named_models

        recipe |= named_models(options.llm)
    return Stage(STAGE, recipe, {"corpus": parent.fingerprint}, lambda folder: _build(corpus, options, out, folder))


def held_out_articles(corpus: Path) -> list[Article]:
    """Returns the articles of the test split that have a country.

    Raises:
        UserError: where there are none, or one of them is in another split as well.
    """
    from dateline.corpus.shards import read_articles

    articles = [article for article in read_articles(corpus, split="test") if article.country]
    if not articles:
        raise UserError(f"{corpus}: the test split has no article with a country; questions are never made from others")
    names = {article.id for article in articles}
    for split in SPLITS:
        for article in read_articles(corpus, ["id", "split"], split=split):
            if article.split != split or (split != "test" and article.id in names):
                raise UserError(
                    f"{corpus}: article {article.id} of the test split is in '{split}' as well; questions are never "
                    "made from training documents: build the corpus again"
                )
    return articles


def _build(corpus: Path, options: BuildOptions, out: Path, folder: Path) -> Made:
    articles = held_out_articles(corpus)
    present = sorted({article.country for article in articles})
    wanted = options.wanted(present)
    if missing := sorted(set(wanted) - set(present)):
        raise UserError(
            f"--quota: the test split of {corpus} has no article from {', '.join(missing)}; leave them out of the "
            f"quota, or build a corpus that has them (it has {', '.join(present)})"
        )
    generator: Generator
    facts: dict[str, Any] = {}
    if options.generator == "facts":
        generator = FactsGenerator(articles, seed=options.seed, max_length_ratio=options.max_length_ratio)
    else:
        from dateline.benchmark.llm import LlmGenerator

        cache = options.llm.cache or out.with_name(f"{out.name}.cache")
        generator = LlmGenerator(
            articles, options.llm, seed=options.seed, max_length_ratio=options.max_length_ratio, cache=cache
        )
    with progress("benchmark", sum(wanted.values()), "questions") as advance:
        chosen = choose(generator, wanted, options, advance=advance)
    facts["generator"] = generator.facts()
    questions = arrange(chosen.kept, options.seed)
    solved = {name: guesser(questions) for name, guesser in CLOSED_BOOK.items()} if questions else {}
    drafts = {draft.id: draft for draft in chosen.kept}
    rows = [
        _row(drafts[item.id], item, [name for name, credits in solved.items() if credits[at] == 1])
        for at, item in enumerate(questions)
    ]
    _write_rows(folder, rows, chosen.rejected)
    if not questions:
        raise UserError(
            f"{corpus}: no question could be made of {len(articles):,} test articles "
            f"({_commonest(chosen.rejected)}); build a corpus with more articles"
        )
    audit = _audit(folder, wanted)
    checks = [*_thresholds(questions, solved, options), *_quotas(questions, wanted)]
    fit = audit.fit and all(check.fit for check in checks)
    failed = [check.sentence for check in checks if not check.fit]
    sentence = " ".join([audit.sentence, *(f"{words}." for words in failed)])
    _write_tasks(folder / TASKS, out / TASKS, questions)
    facts |= {
        "fit": fit,
        "sentence": sentence,
        "countries": dict(sorted(Counter(item.country for item in questions).items())),
        "wanted": dict(sorted(wanted.items())),
        "kinds": dict(Counter(draft.kind for draft in chosen.kept).most_common()),
        "places_in_contrast": _contrast_sizes(chosen.kept),
        "checks": [
            {"name": one.name, "value": round(one.value, 4), "limit": one.limit, "fit": one.fit} for one in checks
        ],
        "audit": {one["check"]: one["value"] for one in as_plain(audit)["checks"]},
        "expiring": sum(draft.expires for draft in chosen.kept),
        "test_articles": len(articles),
    }
    drops = Counter(one.reasons[0] for one in chosen.rejected)
    (folder / CARD).write_text(benchmark_card(out.name, options, audit, facts, drops, rows), encoding="utf-8")
    return Made(
        counts={"in": len(chosen.kept) + len(chosen.rejected), "kept": len(chosen.kept)},
        drops=dict(drops.most_common()),
        facts=facts,
    )


def choose(
    generator: Generator,
    wanted: Mapping[str, int],
    options: BuildOptions,
    *,
    advance: Callable[[int], None] = lambda amount: None,
) -> Chosen:
    """Takes valid drafts until every country has what it is to have, or no more can be made.

    Items that guessers solve are thrown away as long as a guesser is right more often than the recipe allows, and
    others are taken in their place.

    Args:
        generator: makes groups of drafts; a group is taken as a whole or not at all.
        wanted: questions by country.
        options: with the thresholds.
        advance: progress callback, given the number of drafts that were accepted.
    """
    chosen = Chosen()
    for turn in range(ROUNDS):
        counts = Counter(draft.country for draft in chosen.kept)
        left = {code: number - counts[code] for code, number in wanted.items()}
        before = len(chosen.kept)
        for group in generator.drafts(left):
            if _accept(group, chosen, left, options):
                advance(len(group))
        if turn and len(chosen.kept) == before:
            break
        if not _drop_solved(chosen, options):
            break
    _drop_solved(chosen, options)
    return chosen


def _accept(group: Sequence[Draft], chosen: Chosen, left: dict[str, int], options: BuildOptions) -> bool:
    """Takes a group, or throws it away with its reasons, and says which."""
    wrong = {at: problems(draft, max_length_ratio=options.max_length_ratio) for at, draft in enumerate(group)}
    codes = {draft.country for draft in group}
    known = [draft for draft in chosen.kept if draft.country in codes]
    for at, reason in repeated([*known, *group]).items():
        if at >= len(known):
            wrong[at - len(known)].append(reason)
    if any(wrong.values()):
        for at, draft in enumerate(group):
            chosen.reject(draft, *(wrong[at] or ["another question of its group was rejected"]))
        return False
    needs = Counter(draft.country for draft in group)
    if any(left.get(code, 0) < number for code, number in needs.items()):
        for draft in group:
            chosen.reject(draft, "its country has all questions that it is to have")
        return False
    for draft in group:
        left[draft.country] -= 1
        chosen.kept.append(draft)
    return True


def _drop_solved(chosen: Chosen, options: BuildOptions) -> bool:
    """Throws away solved items until no guesser is right too often, and says whether any was thrown away."""
    dropped = False
    for _ in range(ROUNDS):
        questions = arrange(chosen.kept, options.seed)
        over = None
        for name, guesser in CLOSED_BOOK.items():
            credits = guesser(questions) if questions else []
            if credits and not _is_even(credits, questions, _limit(name, options)):
                over = (name, credits)
                break
        if over is None:
            return dropped
        name, credits = over
        limit, total = _limit(name, options), len(questions)
        number = max(1, ceil((sum(credits) - limit * total) / (1 - limit))) if limit < 1 else 0
        solved = [item.id for item, value in zip(questions, credits, strict=True) if value > chance_of([item])]
        solved = sorted(solved, key=lambda one: stable_hash("solved", str(options.seed), one))[:number]
        pairs = {draft.pair for draft in chosen.kept if draft.id in solved and draft.pair}
        reason = f"solved without its place, from: {name}"
        kept = []
        for draft in chosen.kept:
            if draft.id in solved:
                chosen.reject(draft, reason)
            elif draft.pair in pairs:
                chosen.reject(draft, "another question of its group was rejected")
            else:
                kept.append(draft)
        chosen.kept[:] = kept
        dropped = True
    return dropped


def _limit(name: str, options: BuildOptions) -> float:
    return options.max_longest if name == LONGEST else options.max_choices_only


def _is_even(credits: Sequence[float], questions: Sequence[Question], limit: float) -> bool:
    """Says whether a guesser keeps its limit; one that may be at chance by its 95% interval does as well."""
    found = credit_share(credits)
    return found.value <= limit or found.low <= chance_of(questions)


def arrange(drafts: Sequence[Draft], seed: int) -> list[Question]:
    """Returns drafts as questions, with options shuffled by a hash and the answers spread evenly over the positions.

    Over all questions, and within each country, the numbers of answers at two positions differ by one at most.

    Args:
        drafts: accepted ones.
        seed: of the shuffle.

    Returns:
        By country, then in an order that depends on the seed.
    """
    ordered = sorted(
        drafts, key=lambda draft: (draft.country, stable_hash("position", str(seed), draft.id), draft.question)
    )
    together: defaultdict[str, list[str]] = defaultdict(list)
    for draft in ordered:
        if draft.pair:
            together[draft.pair].append(draft.country)
    questions = []
    for number, draft in enumerate(ordered):
        count = 1 + len(draft.distractors)
        order = sorted(range(1, count), key=lambda at: stable_hash("option", str(seed), draft.id, str(at)))
        order.insert(number % count, 0)
        questions.append(as_question(draft, order, _contrast(draft, together)))
    return questions


def _contrast(draft: Draft, together: Mapping[str, Sequence[str]]) -> str:
    """Returns the place that a question is contrasted with: the next of its group, else where an option is right."""
    members = sorted(set(together.get(draft.pair, ())))
    if len(members) > 1:
        return members[(members.index(draft.country) + 1) % len(members)]
    return next((home for home in draft.homes if home), "")


def _contrast_sizes(drafts: Sequence[Draft]) -> dict[str, int]:
    """Returns how many questions stand in groups of so many places."""
    sizes = Counter(draft.pair for draft in drafts)
    return dict(sorted(Counter(str(sizes[draft.pair] if draft.pair else 1) for draft in drafts).items()))


def _thresholds(
    questions: Sequence[Question], solved: Mapping[str, Sequence[float]], options: BuildOptions
) -> Iterator[Check]:
    """Yields the checks that the recipe sets limits for."""
    for name, credits in solved.items():
        found, limit = credit_share(credits), _limit(name, options)
        fit = _is_even(credits, questions, limit)
        words = f"Guessing from {name} without a place is right in {found.value:.1%}, more than {limit:.0%}"
        yield Check(f"closed book, {name}", found.value, limit, fit, words)
    by_country: defaultdict[str, list[int]] = defaultdict(list)
    for item in questions:
        by_country[item.country].append(item.answer)
    raw = [
        chi_square_uniform([answers.count(place) for place in range(NUM_OPTIONS)]) for answers in by_country.values()
    ]
    lowest = min(holm(raw))
    words = f"The gold position of a country is not even (p = {lowest:.2g})"
    yield Check("gold position by country", lowest, options.min_position_p, lowest >= options.min_position_p, words)


def _quotas(questions: Sequence[Question], wanted: Mapping[str, int]) -> Iterator[Check]:
    counts = Counter(item.country for item in questions)
    short = {code: number for code, number in sorted(wanted.items()) if counts[code] < number}
    total = sum(wanted.values())
    words = (
        f"Quotas are not met: {', '.join(f'{code} {counts[code]} of {number}' for code, number in short.items())}; "
        "build a corpus with more test articles, or ask for fewer"
    )
    yield Check("quotas", len(questions) / total, 1.0, not short, words)


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
    folder.mkdir()
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


def _row(draft: Draft, item: Question, solved_by: Sequence[str]) -> dict[str, Any]:
    homes = dict(zip((draft.answer, *draft.distractors), (draft.country, *draft.homes), strict=True))
    contrast = "" if item.contrast_answer is None else item.options[item.contrast_answer]
    return {
        **_common(draft),
        "options": list(item.options),
        "contrast_country": item.contrast_country,
        "contrast_answer": contrast,
        "option_countries": [homes[option] for option in item.options],
        "solved_by": list(solved_by),
    }


def _common(draft: Draft) -> dict[str, Any]:
    known = country(draft.country)
    return {
        "id": draft.id,
        "question": draft.question,
        "correct_answer": draft.answer,
        "country": draft.country,
        "continent": known.continent if known else "",
        "topic": draft.topic,
        "kind": draft.kind,
        "pair_id": draft.pair,
        "evidence": draft.evidence,
        "evidence_start": draft.start,
        "evidence_end": draft.start + len(draft.evidence) if draft.start >= 0 else -1,
        "article_id": draft.article.id,
        "domain": draft.article.domain,
        "date": draft.article.date,
        "expires": draft.expires,
        "notes": list(draft.notes),
        "generated_by": draft.generator,
        "prompt_version": draft.prompt_version,
    }


def _write_rows(folder: Path, rows: Sequence[Mapping[str, Any]], rejected: Sequence[Rejected]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = {"options", "option_countries", "solved_by", "notes", "reasons"}
    kinds: dict[str, pa.DataType] = dict.fromkeys(lists, pa.list_(pa.string()))
    kinds |= {"evidence_start": pa.int64(), "evidence_end": pa.int64(), "expires": pa.bool_()}

    def schema(names: Sequence[str]) -> pa.Schema:
        return pa.schema([(name, kinds.get(name, pa.string())) for name in names])

    ordered = [{name: row[name] for name in COLUMNS} for row in rows]
    pq.write_table(pa.Table.from_pylist(ordered, schema=schema(list(COLUMNS))), folder / TABLE, compression="zstd")
    with (folder / QUESTIONS).open("w", encoding="utf-8") as lines:
        for row in ordered:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    thrown = [
        {
            "reason": one.reasons[0],
            "reasons": list(one.reasons),
            "options": [one.draft.answer, *one.draft.distractors],
            "option_countries": [one.draft.country, *one.draft.homes],
            **_common(one.draft),
        }
        for one in rejected
    ]
    names = ["reason", "reasons", *(name for name in COLUMNS if name not in ("contrast_country", "contrast_answer"))]
    names.remove("solved_by")
    pq.write_table(pa.Table.from_pylist(thrown, schema=schema(names)), folder / REJECTED, compression="zstd")


def _commonest(rejected: Sequence[Rejected]) -> str:
    counts = Counter(one.reasons[0] for one in rejected)
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.most_common(3)) or "no draft was made"
