"""The benchmark's README.md: a dataset card in the form that the Hugging Face hub reads, with the audit's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from dateline.benchmark.audit import Audit
from dateline.benchmark.recipe import BuildOptions
from dateline.corpus.card import SIZES

COLUMNS = {
    "id": "16 hex digits, from question, country and answer",
    "question": "text; without a place it has several right answers",
    "options": "four, in the order in which they are shown",
    "correct_answer": "the right one of them",
    "country": "ISO 3166 alpha-2, lower case: whose question it is",
    "continent": "of the country",
    "topic": "of the article",
    "kind": "what is asked for",
    "pair_id": "shared by questions of the same words and options about several places; empty for a single one",
    "contrast_country": "another country, where another of the options is right",
    "contrast_answer": "the option that is right there",
    "option_countries": "for each option a country where it is right; empty where none is known",
    "evidence": "part of the article's text, verbatim",
    "evidence_start": "its first character in the text, from 0",
    "evidence_end": "the character behind its last one",
    "article_id": "of the article in the corpus's test split",
    "domain": "outlet of the article",
    "date": "of the article, YYYY-MM-DD",
    "expires": "question or answer has a date, a number or a word such as `currently`",
    "solved_by": "guessers that find the answer without the place; by chance each solves a quarter",
    "notes": "marks of validation",
    "generated_by": "facts or llm",
    "prompt_version": "of the generator's frames or prompts",
}
"""Column of `questions.parquet` -> what it holds."""


def benchmark_card(
    title: str,
    options: BuildOptions,
    audit: Audit,
    facts: Mapping[str, Any],
    drops: Mapping[str, int],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """Returns the text of README.md. It claims no licence: only the user knows what may be published.

    Args:
        title: heading.
        options: of the build.
        audit: of the finished set.
        facts: of the manifest.
        drops: rejected drafts by reason.
        rows: of `questions.parquet`.
    """
    header = {
        "language": ["en"],
        "task_categories": ["question-answering", "multiple-choice"],
        "tags": ["news", "localization", "dateline"],
        "size_categories": [next(label for bound, label in SIZES if len(rows) < bound)],
        "configs": [{"config_name": "default", "data_files": [{"split": "test", "path": "questions.parquet"}]}],
    }
    verdict = "passes its own audit" if facts["fit"] else "fails its own audit"
    lines = ["---", yaml.safe_dump(header, sort_keys=False).rstrip(), "---", "", f"# {title}", ""]
    lines += [
        f"{len(rows):,} four-option questions about {len(facts['countries'])} countries, made from "
        f"{facts['test_articles']:,} articles of the test split of a corpus by the generator `{options.generator}`.",
        "",
        f"The set {verdict}. {facts['sentence']}",
        "",
        "A question does not say where it is asked: without a place several options are right, and each option that "
        "has a country in `option_countries` is right there. `closed book` means: question and options, but no place.",
        "",
        "## Checks",
        "",
        "| Check | Value | Limit | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {check['name']} | {check['value']:.3f} | {check['limit']:.3g} | {check['verdict']} |"
        for check in facts["checks"]
    ]
    lines += [
        "",
        "## Audit",
        "",
        "| Check | Verdict | Number | 95% interval | What the number is |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {finding.check} | {finding.verdict} | {finding.value:.1%} | "
        f"{'' if finding.low != finding.low else f'{finding.low:.1%} to {finding.high:.1%}'} | {finding.measure} |"
        for finding in audit.findings
    ]
    positions = Counter(list(row["options"]).index(row["correct_answer"]) for row in rows)
    placed = ", ".join(f"{letter} {positions[at]:,}" for at, letter in enumerate("ABCD"))
    sizes = ", ".join(f"{number:,} in groups of {size}" for size, number in facts["places_in_contrast"].items())
    lines += [
        "",
        f"Positions of the answer: {placed}. Questions by the number of places that are asked the same with the same "
        f"options: {sizes}. Marked as expiring: {facts['expiring']:,}.",
        "",
        "## Countries",
        "",
        "| Country | Questions | Wanted |",
        "|---|---|---|",
    ]
    lines += [f"| {code} | {facts['countries'].get(code, 0)} | {number} |" for code, number in facts["wanted"].items()]
    lines += ["", "## Kinds", "", "| Kind | Questions |", "|---|---|"]
    lines += [f"| {kind} | {number} |" for kind, number in facts["kinds"].items()]
    lines += ["", "## Rejected", "", f"{sum(drops.values()):,} drafts, all of them in `rejected.parquet`.", ""]
    if drops:
        lines += ["| Reason | Drafts |", "|---|---|"]
        lines += [f"| {reason} | {number:,} |" for reason, number in sorted(drops.items(), key=lambda one: -one[1])]
        lines += [""]
    lines += ["## Columns", "", "| Column | Meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items()]
    return "\n".join(lines) + "\n"
