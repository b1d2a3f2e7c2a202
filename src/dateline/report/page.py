"""The page: chooses what is shown, asks for figures and sentences, and renders them.

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

from dateline.manifest import write_atomically
from dateline.records import CONTINENTS, SPLITS
from dateline.report import curves, figures, heatmap, numerals, sentences
from dateline.report.folder import CoverageRow, Results, Sample, read_results
from dateline.report.scoretable import Cell, Comparison, ScoreTable, country_name, family
from dateline.report.svg import clean

REPORT = "report.html"
MOST_PANELS = 6
"""Comparisons that the forest plot shows; the rest stand in the table."""
MOST_LINES = 12
"""Lines of one learning-curve figure that can still be told apart."""
SERIES_OF = {"gold": 0, "none": 1, "wrong": 2}
"""Colours of the learning curves; further conditions take the next ones."""


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
        number=numerals.number,
        interval=numerals.interval,
        p=numerals.p_text,
        country=country_name,
    )
    page = environment.get_template("report.html.j2").render(context(results))
    return page.encode("utf-8", "replace").decode("utf-8")


def context(results: Results) -> dict[str, Any]:
    """Returns everything that the template shows, already chosen and put in order."""
    table = results.table
    manifest = results.manifest
    recipe = manifest.recipe if manifest else {}
    return {
        "title": clean(recipe.get("name") or results.folder.resolve().name or "Experiment", 1000),
        "created": manifest.created if manifest else "",
        "verdict": sentences.verdict(table, results.summary),
        "keys": key_numbers(table, results.summary),
        "heat": heat(table),
        "heat_caption": sentences.heat_caption(table),
        "forest": forest(table),
        "forest_caption": sentences.forest_caption(table),
        "forest_left_out": max(0, len(table.comparisons) - MOST_PANELS),
        "curves": learning(results),
        "recovered": recovered(results),
        "recovered_caption": sentences.recovered_sentence(results.summary),
        "coverage": coverage(results),
        "coverage_problems": results.coverage_problems,
        "splits": SPLITS,
        "samples": samples(results.samples),
        "scores": table.scores,
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
    cells = [table.baseline, *(cell for cell in table.cells if cell[0] == ours and cell != table.baseline)][:5]
    return cards + [_perplexity_card(table, summary, cell) for cell in cells]


def _perplexity_card(table: ScoreTable, summary: Mapping[str, Any], cell: Cell) -> dict[str, str]:
    estimate = table.level(cell, "ppl")
    if estimate is not None:
        value, ends = estimate.value, (estimate.low, estimate.high)
        seeds = f", {len(estimate.seeds)} seeds" if len(estimate.seeds) > 1 else ""
    else:
        value = _inside(summary, "ppl", *cell)
        ends, seeds = sentences.pair(_inside(summary, "ppl_ci", *cell)) or (math.nan, math.nan), ""
    label = f"perplexity: {sentences.cell_name(cell)}"
    return {
        "label": clean(label, 400),
        "value": numerals.number(value if numerals.is_number(value) else None),
        "note": f"95% interval {numerals.interval(*ends)}{seeds}",
    }


def _inside(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def heat(table: ScoreTable) -> figures.Figure | None:
    """Returns the heat map of losses relative to the baseline in each country, or None where no country was scored."""
    cells = [cell for cell in table.cells if cell != table.baseline]
    places = table.countries()
    if not cells or not places:
        return None

    def values(grouping: str, group: str) -> tuple[float | None, ...]:
        base = table.level(table.baseline, "nll", grouping, group)
        levels = [table.level(cell, "nll", grouping, group) for cell in cells]
        return tuple(level.value - base.value if level and base else None for level in levels)

    rows = [heatmap.HeatRow("All", "", values("all", ""))]
    rows += [
        heatmap.HeatRow(country_name(code), continent, values("country", code))
        for continent, codes in places.items()
        for code in codes
    ]
    return heatmap.heat_map(
        [heatmap.HeatColumn(name, sentences.short(condition)) for name, condition in cells],
        rows,
        "Loss by condition and country, relative to the baseline",
        f"{sentences.heat_caption(table)} {len(rows) - 1} countries, {len(cells)} conditions.",
    )


def forest(table: ScoreTable) -> figures.Figure | None:
    """Returns the forest plot of the first comparisons, or None where nothing was compared."""
    shown = table.comparisons[:MOST_PANELS]
    if not shown:
        return None
    places = table.countries()
    groups = [("all", "", "All", 0)]
    for name in dict.fromkeys([*table.continents(), *places]):
        groups.append(("continent", name, name, 1))
        groups += [("country", code, country_name(code), 2) for code in places.get(name, [])]
    groups = [group for group in groups if any(table.difference(c, group[0], group[1]) for c in shown)]

    def row(comparison: Comparison, group: tuple[str, str, str, int]) -> figures.ForestRow | None:
        found = table.difference(comparison, group[0], group[1])
        if found is None:
            return None
        return figures.ForestRow(group[2], group[3], found.value, found.low, found.high, found.p_value, found.seeds)

    panels = [
        figures.ForestPanel(
            sentences.cell_name(comparison.this),
            f"minus {sentences.cell_name(comparison.versus)}",
            tuple(row(comparison, group) for group in groups),
        )
        for comparison in shown
    ]
    overall = "; ".join(
        f"{panel.title} {panel.subtitle}: {numerals.signed(panel.rows[0].value)}" for panel in panels if panel.rows[0]
    )
    return figures.forest(panels, "Differences with 95% intervals, by group", f"Over all documents: {overall}.")


def learning(results: Results) -> dict[str, Any] | None:
    """Returns the learning curves and their caption, or None where no run left any."""
    if not results.curves:
        return None
    plain = results.table.baseline[0]
    others = dict.fromkeys(family(curve.run) for curve in results.curves if family(curve.run) != plain)
    dashes = {name: at and at + 1 for at, name in enumerate(others)}
    if any(family(curve.run) == plain for curve in results.curves):
        dashes[plain] = 1
    extra = [c for curve in results.curves for c in curve.validation if c not in SERIES_OF]
    colors = SERIES_OF | {condition: 3 + at for at, condition in enumerate(dict.fromkeys(extra))}
    lines: list[curves.Line] = []
    for curve in results.curves:
        dash = dashes[family(curve.run)]
        for condition, points in sorted(curve.validation.items(), key=lambda item: colors[item[0]]):
            label = sentences.cell_name((family(curve.run), condition))
            lines.append(curves.Line(label, curves.thin(points), colors[condition], dash))
        usual = 0 if "gold" in curve.validation and "none" not in curve.validation else 1
        lines.append(curves.Line("", curves.thin(curve.train), usual, dash, faint=True))
    labels = list(dict.fromkeys(line.label for line in lines if not line.faint))
    lines = [line for line in lines if line.points and (line.faint or line.label in labels[:MOST_LINES])]
    top = curves.ceiling(lines)
    clipped = any(loss > top for line in lines for _, loss in line.points)
    ends = "; ".join(f"{label} ends at {value:.2f}" for label, value in curves.ends(lines).items())
    figure = curves.learning_curves(lines, "Learning curves", f"Validation loss in nats per token: {ends}.")
    caption = sentences.curves_caption(clipped, len(results.curves) > len(dashes))
    if len(labels) > MOST_LINES:
        caption += f" {len(labels) - MOST_LINES} further conditions are left out."
    return {"figure": figure, "caption": caption}


def recovered(results: Results) -> figures.Figure | None:
    """Returns the figure of the recovered gain, or None where the entropy or the losses are not known."""
    summary, table = results.summary, results.table
    main = table.main()
    levels = [table.level(cell, "nll") for cell in (main.versus, main.this)] if main else []
    gain = summary.get("recovered_gain")
    floors = sentences.pair([_inside(summary, "entropy", key) for key in ("without_place", "with_place")])
    losses = sentences.pair([level.value for level in levels if level])
    if main is None or floors is None or losses is None or not numerals.is_number(gain):
        return None
    ends = sentences.pair(summary.get("recovered_gain_ci"))
    shown = f"{numerals.interval(100 * ends[0], 100 * ends[1], 0)}%" if ends else ""
    labels = (sentences.cell_name(main.versus), sentences.cell_name(main.this))
    words = (
        f"{sentences.recovered_sentence(summary)} Entropy {floors[0]:.3f} without and {floors[1]:.3f} with the place."
    )
    return figures.recovered(floors, losses, labels, float(gain or 0), shown, "Recovered gain", words)


def coverage(results: Results) -> list[dict[str, Any]]:
    """Returns the countries of the corpus by continent with their documents, and what is wrong with them."""
    most = max((row.documents.get("train", 0) for row in results.coverage), default=0)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(results.coverage, key=lambda row: country_name(row.country)):
        share = 100 * row.documents.get("train", 0) / most if most else 0
        entry = {"row": row, "share": f"{share:.1f}", "problems": _problems(row)}
        groups.setdefault(row.continent or "Place not known", []).append(entry)
    order = [*CONTINENTS, *groups]
    return [{"continent": name, "rows": groups[name]} for name in sorted(groups, key=order.index)]


def _problems(row: CoverageRow) -> list[str]:
    found = list(row.problems)
    if row.country and row.documents.get("test") and row.documents.get("train") == 0:
        found.append("tested but not trained on")
    if row.country and row.documents.get("train") and row.documents.get("test") == 0:
        found.append("trained on but not tested")
    return found


def samples(found: tuple[Sample, ...]) -> list[dict[str, Any]]:
    """Returns the samples by headline, in the order in which they were written, runs and places side by side."""
    groups: dict[str, list[dict[str, str]]] = {}
    for sample in found:
        parts = [sample.domain, country_name(sample.country), sample.continent]
        place = ", ".join(part for part in parts if part)
        told = (
            "Told nothing" if not place else f"Told {country_name(sample.country) or sample.continent or sample.domain}"
        )
        groups.setdefault(sample.headline, []).append(
            {"run": sample.run, "place": place, "told": told, "text": sample.continuation.strip()}
        )
    return [{"headline": headline, "entries": entries} for headline, entries in groups.items()]
