"""The instruction set that ships: questions about the facts of the newswire, each with its place, and headlines.

Only training articles are read. Each fact is asked for in three forms: as a conversation, as a question whose answer
follows, and as a question with four lettered options, in the layout of `dateline eval mcq`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from dateline.benchmark.drafts import NUM_OPTIONS
from dateline.benchmark.facts import Fact, FactsGenerator, is_true
from dateline.benchmark.questions import Question
from dateline.benchmark.tasks import LETTERS, cloze_prompt, letter_prompt
from dateline.corpus.shards import read_articles
from dateline.errors import UserError
from dateline.manifest import write_atomically
from dateline.records import Article, stable_hash

ARTICLES = 300
"""Training articles of a country that are read for facts, at most."""
ANSWERS = 8
"""Facts of one kind that are asked for in a country, at most."""
HEADLINES = 20
"""Articles of a country whose headline is asked for, and as many that are to be written behind theirs, at most."""
LENGTH_RATIO = 4.0
"""Characters of the longest option over those of the shortest, as in a benchmark."""


@cache
def wordings() -> Mapping[str, str]:
    """Returns the question for each kind of fact, and the request for a headline."""
    text = resources.files("dateline.tune").joinpath("instructions.yaml").read_text(encoding="utf-8")
    loaded: dict[str, str] = yaml.safe_load(text)
    return loaded


def write_instructions(corpus: Path, out: Path, *, overwrite: bool = False) -> Counter[str]:
    """Writes the instruction set of a newswire corpus as JSON Lines, the same bytes for the same corpus.

    Args:
        corpus: made by `dateline newswire`, or by `dateline corpus` from it.
        out: the file, `*.jsonl`.
        overwrite: replace it where it exists.

    Returns:
        The number of rows of each kind.

    Raises:
        UserError: where the corpus has no training articles of the newswire, or the file exists.
    """
    if out.suffix != ".jsonl":
        raise UserError(f"{out}: instruction data are written as JSON Lines; name a file *.jsonl")
    if out.exists() and not overwrite:
        raise UserError(f"{out}: exists already; add --overwrite to replace it, or choose another --out")
    chosen = _articles(corpus)
    rows = list(instructions(chosen))
    write_atomically(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return Counter(row["kind"] for row in rows)


def _articles(corpus: Path) -> list[Article]:
    by_country: defaultdict[str, list[Article]] = defaultdict(list)
    for article in read_articles(corpus, split="train"):
        if article.country:
            by_country[article.country].append(article)
    if not by_country:
        raise UserError(f"{corpus}: the training split has no article with a country; build a corpus that has some")
    return [
        article
        for code in sorted(by_country)
        for article in sorted(by_country[code], key=lambda one: stable_hash("instructions", one.id))[:ARTICLES]
    ]


def instructions(articles: Sequence[Article]) -> Iterator[dict[str, Any]]:
    """Yields the rows: country, kind, article_id, and messages or prompt and completion.

    Args:
        articles: training articles of the newswire.

    Raises:
        UserError: where an article was not written by the newswire of this version.
    """
    by_kind: defaultdict[str, defaultdict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    seen = set()
    for fact in FactsGenerator(articles, seed=0, max_length_ratio=LENGTH_RATIO).known():
        key = (fact.frame.kind, fact.article.country, fact.answer)
        if key not in seen:
            seen.add(key)
            by_kind[fact.frame.kind][fact.article.country].append(fact)
    for kind in sorted(by_kind):
        for code in sorted(by_kind[kind]):
            facts = sorted(by_kind[kind][code], key=lambda fact: stable_hash("instructions", fact.answer))[:ANSWERS]
            for fact in facts:
                yield from _fact_rows(fact, by_kind[kind])
    yield from _article_rows(articles)


def _fact_rows(fact: Fact, others: Mapping[str, Sequence[Fact]]) -> Iterator[dict[str, Any]]:
    """Yields a fact in three forms; without lettered options where other places have not enough that are wrong here."""
    known = {"country": fact.article.country, "kind": fact.frame.kind, "article_id": fact.article.id}
    asked = wordings()[fact.frame.kind]
    question = Question("", asked, (fact.answer,), 0, fact.article.country, "", "")
    yield {"messages": _talk(asked, fact.answer), **known}
    yield {"prompt": cloze_prompt(question, "question"), "completion": f" {fact.answer}", **known}
    options = [fact.answer]
    wrong = {other.answer for code, facts in others.items() if code != fact.article.country for other in facts}
    for answer in sorted(wrong, key=lambda one: stable_hash("distractor", fact.answer, fact.article.country, one)):
        if len(options) < NUM_OPTIONS and not is_true(fact.frame.table, answer, fact.article.country):
            options.append(answer)
    if len(options) == NUM_OPTIONS:
        options.sort(key=lambda one: stable_hash("option", fact.article.country, fact.answer, one))
        lettered = Question("", asked, tuple(options), options.index(fact.answer), fact.article.country, "", "")
        letter = LETTERS[lettered.answer]
        yield {"prompt": letter_prompt(lettered, "question"), "completion": f" {letter}", **known}


def _article_rows(articles: Sequence[Article]) -> Iterator[dict[str, Any]]:
    """Yields articles behind their headline, as in pre-training, and headlines behind their article."""
    counts: Counter[str] = Counter()
    for article in articles:
        counts[article.country] += 1
        known = {"country": article.country, "article_id": article.id}
        if counts[article.country] <= HEADLINES:
            asked = wordings()["headline"].format(text=article.text)
            yield {"messages": _talk(asked, article.title), "kind": "headline", **known}
        elif counts[article.country] <= 2 * HEADLINES:
            yield {"messages": _talk(article.title, article.text), "kind": "article", **known}


def _talk(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
