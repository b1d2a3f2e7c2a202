"""Builds a benchmark: drafts of a generator are validated, chosen by quota and shuffled; `finish` does the rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from dateline.benchmark.checks import chance_of
from dateline.benchmark.drafts import Draft, Generator, as_question, problems, repeated
from dateline.benchmark.facts import FactsGenerator
from dateline.benchmark.finish import CLOSED_BOOK, finish, is_even, limit_of
from dateline.benchmark.questions import Question
from dateline.benchmark.recipe import BuildOptions
from dateline.errors import UserError
from dateline.manifest import require_manifest
from dateline.places import country
from dateline.progress import progress
from dateline.records import SPLITS, Article, stable_hash
from dateline.stage import Made, Stage

STAGE = "benchmark"
ROUNDS = 20
"""How often drafts are asked for again in place of those that guessers solve."""


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
    if not chosen.kept:
        raise UserError(
            f"{corpus}: no question could be made of {len(articles):,} test articles "
            f"({_commonest(chosen.rejected)}); build a corpus with more articles"
        )
    drafts = {draft.id: draft for draft in chosen.kept}
    rows = [_row(drafts[item.id], item) for item in arrange(chosen.kept, options.seed)]
    facts = {"generator": generator.facts(), "test_articles": len(articles)}
    rejected = [_rejected_row(one) for one in chosen.rejected]
    return finish(folder, out, rows, rejected, options, wanted, facts)


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
            if credits and not is_even(credits, questions, limit_of(name, options)):
                over = (name, credits)
                break
        if over is None:
            return dropped
        name, credits = over
        limit, total = limit_of(name, options), len(questions)
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


def _row(draft: Draft, item: Question) -> dict[str, Any]:
    homes = dict(zip((draft.answer, *draft.distractors), (draft.country, *draft.homes), strict=True))
    contrast = "" if item.contrast_answer is None else item.options[item.contrast_answer]
    return {
        **_common(draft),
        "options": list(item.options),
        "contrast_country": item.contrast_country,
        "contrast_answer": contrast,
        "option_countries": [homes[option] for option in item.options],
        "solved_by": [],
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


def _rejected_row(one: Rejected) -> dict[str, Any]:
    return {
        "reason": one.reasons[0],
        "reasons": list(one.reasons),
        "options": [one.draft.answer, *one.draft.distractors],
        "option_countries": [one.draft.country, *one.draft.homes],
        **_common(one.draft),
    }


def _commonest(rejected: Sequence[Rejected]) -> str:
    counts = Counter(one.reasons[0] for one in rejected)
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.most_common(3)) or "no draft was made"
