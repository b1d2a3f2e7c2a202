"""The position curve: a number by its place in the document, with the band of its interval.

Enters: values with intervals for ranges of tokens, each range twice as long as the one before. Leaves: a `Figure`.
Deliberately not done: no smoothing, and no line across a range that was not measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures import frame
from dateline.report.figures.frame import KEY_STEP, NARROW, WIDE, Figure
from dateline.report.numerals import is_number
from dateline.report.svg import clean, drawing

Point = tuple[float, float, float]
"""Value, lower and upper end; not finite where not known."""


@dataclass(frozen=True, slots=True)
class Band:
    """One line with its band, a point for each range of tokens; None where the range was not measured."""

    label: str
    points: tuple[Point | None, ...]


def position_curve(
    ranges: Sequence[str], bands: Sequence[Band], unit: str, title: str, description: str, *, zero: bool
) -> Figure:
    """Draws one line with its band for each of `bands`, in the colours of the series.

    Args:
        ranges: names of the ranges in order, `0-15`.
        bands: at most as many as there are colours.
        unit: what the vertical axis measures.
        title: for the screen reader.
        description: for the screen reader.
        zero: whether zero belongs to the scale and signs are shown, as for differences.
    """
    words = (title, description)
    return Figure(
        _draw(ranges, bands, unit, ("positions-wide", *words), WIDE, zero),
        _draw(ranges, bands, unit, ("positions-narrow", *words), NARROW, zero),
    )


def _draw(
    ranges: Sequence[str], bands: Sequence[Band], unit: str, names: tuple[str, str, str], width: float, zero: bool
) -> Markup:
    narrow = width < 500
    size, left, right, plot = (10.0, 44.0, 10.0, 230.0) if narrow else (12.0, 58.0, 16.0, 280.0)
    top = 16.0 + KEY_STEP * len(bands) + 26.0
    bottom, height = top + plot, top + plot + (62.0 if narrow else 54.0)
    low, high = _span(bands, zero)

    def to_x(at: int) -> float:
        return left + (width - left - right) * (at + 0.5) / max(1, len(ranges))

    def to_y(value: float) -> float:
        return bottom - plot * (value - low) / (high - low)

    with drawing(width, height) as ink:
        colors = [svg.SERIES[at % len(svg.SERIES)] for at in range(len(bands))]
        frame.key(ink, list(zip(colors, [band.label for band in bands], strict=True)), 0, 8, width, size)
        ink.text(0, top - 14, clean(unit, width, size), size=size, color=svg.MUTED)
        for mark, words in frame.ticks(low, high, 5, sign=zero):
            strong = zero and words == "0"
            color = svg.INK if strong else svg.RULE
            ink.line([left, width - right], [to_y(mark)] * 2, color=color, width=1.2 if strong else 0.8)
            ink.text(left - 8, to_y(mark), words, size=size - 0.5, color=svg.MUTED, ha="right")
        for at, name in enumerate(ranges):
            turned = {"rotation": 50, "rotation_mode": "anchor", "ha": "right", "va": "center"} if narrow else {}
            ink.text(to_x(at), bottom + 14, name, size=size - 0.5, color=svg.MUTED, **({"ha": "center"} | turned))
        ink.text((left + width - right) / 2, height - 8, "tokens of the body", size=size, color=svg.MUTED, ha="center")
        for band, color in zip(bands, colors, strict=True):
            for run in _stretches(band.points):
                xs = [to_x(at) for at, _ in run]
                known = [(x, p) for x, (_, p) in zip(xs, run, strict=True) if is_number(p[1]) and is_number(p[2])]
                if len(known) == len(run) > 1:
                    ink.area(xs, [to_y(p[1]) for _, p in known], [to_y(p[2]) for _, p in known], color=color)
                else:
                    for x, point in known:
                        ink.line([x, x], [to_y(point[1]), to_y(point[2])], color=color, width=1.6)
                ink.line(xs, [to_y(p[0]) for _, p in run], color=color, width=2.0, marker="o", markersize=4.5)
        return ink.svg(*names)


def _span(bands: Sequence[Band], zero: bool) -> tuple[float, float]:
    ends = [value for band in bands for point in band.points if point for value in point if is_number(value)]
    low, high = min([0.0, *ends] if zero else ends), max([0.0, *ends] if zero else ends)
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def _stretches(points: Sequence[Point | None]) -> list[list[tuple[int, Point]]]:
    """Returns the points that follow each other without a gap, with their index."""
    result: list[list[tuple[int, Point]]] = [[]]
    for at, point in enumerate(points):
        if point is None or not is_number(point[0]):
            result.append([])
        else:
            result[-1].append((at, point))
    return [run for run in result if run]
