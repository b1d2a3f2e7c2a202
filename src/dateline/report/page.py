"""The page: asks the sections for figures and sentences, and renders them.

Enters: the folder of an experiment. Leaves: `report.html` beside its manifest, one file that needs nothing else.
Deliberately not done: no script and no outside address in the page; everything that came from data is escaped by the
template. A part that is missing is named where it would have stood.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from dateline.manifest import write_atomically
from dateline.records import SPLITS
from dateline.report import numerals, sentences
from dateline.report.folder import Results, read_results
from dateline.report.scoretable import ORDER, SWAP, Cell, ScoreTable, country_name
from dateline.report.sections import corpus, course, efficiency, leaks, locating, places, questions, swaps, tokens
from dateline.report.sections.comparisons import paragraphs
from dateline.report.svg import clean
from dateline.report.words import MARK, named

REPORT = "report.html"
MOST_CARDS = 5
"""Perplexities among the key numbers."""
MOST_ROWS = 2000
"""Rows of the score table on the page; levels and comparisons of swaps come last."""
MOST_PARAGRAPHS = 6
"""Comparisons that are told in words at once; the rest can be unfolded."""


def write_report(folder: Path) -> Path:
    """Writes `report.html` into the folder of an experiment and returns its path.

    Raises:
        UserError: where there is no score table or it mixes protocols.
    """
    path = folder / REPORT
    write_atomically(path, render(read_results(folder)))
    return path


def templates() -> Environment:
    """Returns the templates of all pages: values from data are escaped, and a missing one is an error."""
    return Environment(
        loader=PackageLoader("dateline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(results: Results) -> str:
    """Returns the whole page as HTML: the same results give the same text."""
    environment = templates()
    environment.filters.update(
        count=numerals.count,
        counted=numerals.counted,
        number=numerals.number,
        interval=numerals.interval,
        p=numerals.p_text,
        country=country_name,
        marked=marked,
    )
    page = environment.get_template("report.html.j2").render(context(results))
    return page.encode("utf-8", "replace").decode("utf-8")


def marked(words: object) -> Markup:
    """Returns escaped words in which the mark of a leak can be seen."""
    return escape(words).replace(MARK, Markup('<span class="leak">{}</span>').format(MARK))


def context(results: Results) -> dict[str, Any]:
    """Returns everything that the template shows, already chosen and put in order."""
    table = results.table
    manifest = results.manifest
    recipe = manifest.recipe if manifest else {}
    told = paragraphs(table)
    others = [score for one in results.locating for score in one.scores]
    others += [score for one in (*results.questions, *results.efficiency) for score in one.scores]
    return {
        "title": clean(recipe.get("name") or results.folder.resolve().name or "Experiment", 1000),
        "created": manifest.created if manifest else "",
        "warning": leaks.warning(table, others),
        "verdict": sentences.verdict(table, results.summary),
        "keys": key_numbers(table, results.summary),
        "heat": places.heat(table),
        "heat_caption": sentences.heat_caption(table),
        "heat_lines": places.heat_lines(table),
        "heat_left_out": max(0, len(places.heat_cells(table)) - places.MOST_COLUMNS),
        "forest": places.forest(table),
        "forest_caption": sentences.forest_caption(table),
        "forest_left_out": len(table.comparisons) - len(places.compared(table)),
        "paragraphs": told[:MOST_PARAGRAPHS],
        "more_paragraphs": told[MOST_PARAGRAPHS:],
        "swaps": swaps.swap_maps(table),
        "swaps_left_out": swaps.swapped(table)[swaps.MOST_MAPS :],
        "positions": tokens.positions(table),
        "parts": tokens.parts(table),
        "leak": leaks.leak(table),
        "located": locating.located(results.locating),
        "answered": questions.answered(results.questions),
        "efficiency": efficiency.efficiency(results.efficiency),
        "curves": course.learning(results),
        "recovered": course.recovered(results),
        "recovered_caption": sentences.recovered_sentence(results.summary),
        "coverage": corpus.coverage(results),
        "coverage_problems": results.coverage_problems,
        "splits": SPLITS,
        "samples": corpus.samples(results.samples),
        "scores": sorted(table.scores, key=lambda score: score.condition.startswith(SWAP))[:MOST_ROWS],
        "scores_left_out": max(0, len(table.scores) - MOST_ROWS),
        "saw_url": leaks.saw_url,
        "protocol": table.protocol,
        "corpora": sorted({score.corpus for score in table.scores}),
        "recipe": yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True, width=100) if recipe else "",
        "stages": results.stages,
        "versions": manifest.versions if manifest else {},
        "seconds": results.summary.get("seconds"),
        "gaps": results.gaps,
    }


def key_numbers(table: ScoreTable, summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns the cards at the top: recovered gain where it is known, then perplexities with their intervals."""
    cards = []
    if summary.get("recovered_gain") is not None:
        ends = sentences.pair(summary.get("recovered_gain_ci"))
        note = (
            f"95% interval {numerals.interval(100 * ends[0], 100 * ends[1], 0)}%" if ends else "interval not available"
        )
        cards.append({"label": "recovered gain", "value": numerals.percent(summary["recovered_gain"]), "note": note})
    main = table.main()
    ours = main.this[0] if main else next((name for name in table.families if name != table.baseline[0]), "")
    usual = [cell for cell in table.cells if cell[1] in ORDER] or table.cells
    cells = [table.baseline, *(cell for cell in usual if cell[0] == ours and cell != table.baseline)][:MOST_CARDS]
    return cards + [_perplexity_card(table, summary, cell) for cell in cells]


def _perplexity_card(table: ScoreTable, summary: Mapping[str, Any], cell: Cell) -> dict[str, str]:
    estimate = table.level(cell, "ppl")
    if estimate is not None:
        value, ends = estimate.value, (estimate.low, estimate.high)
        seeds = f", {len(estimate.seeds)} seeds" if len(estimate.seeds) > 1 else ""
    else:
        value = course.inside(summary, "ppl", *cell)
        ends, seeds = sentences.pair(course.inside(summary, "ppl_ci", *cell)) or (math.nan, math.nan), ""
    label = f"perplexity: {named(table, cell)}"
    return {
        "label": clean(label, 400),
        "value": numerals.number(value if numerals.is_number(value) else None),
        "note": f"95% interval {numerals.interval(*ends)}{seeds}",
    }
