"""The course of training, and how much of the possible gain it brought.

Enters: learning curves, the score table, the summary. Leaves: two figures with their captions.
Deliberately not done: no swaps among the curves; a single loss while training has no interval, and the caption says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dateline.evaluate.comparisons import family
from dateline.report import numerals, sentences
from dateline.report.figures import Figure, curves
from dateline.report.figures.recovered import recovered as draw_recovered
from dateline.report.folder import Results
from dateline.report.scoretable import SWAP
from dateline.report.words import named

MOST_LINES = 12
"""Lines of one learning-curve figure that can still be told apart."""
SERIES_OF = {"gold": 0, "none": 1, "wrong": 2}
"""Colours of the learning curves; further conditions take the next ones."""


def learning(results: Results) -> dict[str, Any] | None:
    """Returns the learning curves and their caption, or None where no run left any."""
    if not results.curves:
        return None
    plain = results.table.baseline[0]
    others = dict.fromkeys(family(curve.run) for curve in results.curves if family(curve.run) != plain)
    dashes = {name: at and at + 1 for at, name in enumerate(others)}
    if any(family(curve.run) == plain for curve in results.curves):
        dashes[plain] = 1
    extra = [c for curve in results.curves for c in curve.validation if c not in SERIES_OF and not c.startswith(SWAP)]
    colors = SERIES_OF | {condition: 3 + at for at, condition in enumerate(dict.fromkeys(extra))}
    lines: list[curves.Line] = []
    for curve in results.curves:
        shown = {condition: points for condition, points in curve.validation.items() if not condition.startswith(SWAP)}
        dash = dashes[family(curve.run)]
        for condition, points in sorted(shown.items(), key=lambda item: colors[item[0]]):
            label = named(results.table, (family(curve.run), condition))
            lines.append(curves.Line(label, curves.thin(points), colors[condition], dash))
        usual = 0 if "gold" in shown and "none" not in shown else 1
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


def recovered(results: Results) -> Figure | None:
    """Returns the figure of the recovered gain, or None where the entropy or the losses are not known."""
    summary, table = results.summary, results.table
    main = table.main()
    levels = [table.level(cell, "nll") for cell in (main.versus, main.this)] if main else []
    gain = summary.get("recovered_gain")
    floors = sentences.pair([inside(summary, "entropy", key) for key in ("without_place", "with_place")])
    losses = sentences.pair([level.value for level in levels if level])
    if main is None or floors is None or losses is None or not numerals.is_number(gain):
        return None
    ends = sentences.pair(summary.get("recovered_gain_ci"))
    shown = f"{numerals.interval(100 * ends[0], 100 * ends[1], 0)}%" if ends else ""
    labels = (named(table, main.versus), named(table, main.this))
    words = (
        f"{sentences.recovered_sentence(summary)} Entropy {floors[0]:.3f} without and {floors[1]:.3f} with the place."
    )
    return draw_recovered(floors, losses, labels, float(gain or 0), shown, "Recovered gain", words)


def inside(data: Any, *keys: str) -> Any:
    """Returns what lies under nested keys, or None where one of them is missing."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
