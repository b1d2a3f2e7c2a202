"""The learning curves: validation loss against tokens seen, one line for each run and condition.

Enters: curves as plain points. Leaves: a `Figure` whose lines are named where they end, not in a legend.
Deliberately not done: no smoothing; the first points, where every model only learns which tokens exist, may lie above
the frame, and the caption says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dateline.report import svg
from dateline.report.figures.frame import NARROW, WIDE, Figure
from dateline.report.numerals import large
from dateline.report.svg import clean, drawing

DASHES: tuple[object, ...] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
"""One for each family of runs; conditions differ in colour."""


MOST_POINTS = 400
"""Points of one line: more than the figure has room to show."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: points of (tokens, nats per token). Lines of one label are seeds of one thing and are named once."""

    label: str
    points: tuple[tuple[float, float], ...]
    color: int
    """Index into `svg.SERIES`."""
    dash: int
    """Index into `DASHES`."""
    faint: bool = False
    """For training loss: drawn behind, not named."""


def ceiling(lines: Sequence[Line]) -> float:
    """Returns the top of the frame in nats: the early fall is cut off, so that the late differences can be seen."""
    losses = sorted(loss for line in lines if not line.faint for _, loss in line.points)
    losses = losses or sorted(loss for line in lines for _, loss in line.points)
    ends = [line.points[-1][1] for line in lines if line.points and not line.faint] or losses[:1]
    return max(losses[int(0.7 * (len(losses) - 1))], max(ends)) + (0.02 * (losses[-1] - losses[0]) or 0.1)


def thin(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Returns every n-th point, the last one included, so that a long run does not make a heavy page."""
    step = -(-len(points) // MOST_POINTS) or 1
    return tuple(points[::-1][::step][::-1])


def ends(lines: Sequence[Line]) -> dict[str, float]:
    """Returns the last loss of every label that is to be named: the mean where several seeds share it."""
    found: dict[str, list[float]] = {}
    for line in lines:
        if line.points and not line.faint:
            found.setdefault(line.label, []).append(line.points[-1][1])
    return {label: sum(losses) / len(losses) for label, losses in found.items()}


def learning_curves(lines: Sequence[Line], title: str, description: str) -> Figure:
    """Draws loss against tokens; lower is better."""
    return Figure(
        _draw(lines, "curves-wide", title, description, WIDE, 430.0),
        _draw(lines, "curves-narrow", title, description, NARROW, 380.0),
    )


def _draw(lines: Sequence[Line], name: str, title: str, description: str, width: float, height: float) -> Markup:
    narrow = width < 500
    size = 10.5 if narrow else 12.0
    named = [line for line in lines if line.points and not line.faint]
    final = ends(lines)
    key = 20.0 * len(final) + 8 if narrow else 0.0
    height += key
    left, right, top, bottom = (30.0, 14.0, 28.0, 46.0 + key) if narrow else (40.0, 272.0, 30.0, 50.0)
    high = ceiling(lines)
    low = min(loss for line in (named or lines) for _, loss in line.points)
    low -= 0.06 * (high - low)
    with drawing(width, height) as ink:
        box = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
        ax = ink.figure.add_axes(box)
        ax.patch.set_visible(False)
        for line in lines:
            xs, ys = zip(*line.points, strict=True) if line.points else ((), ())
            ax.plot(
                xs,
                ys,
                color=svg.SERIES[line.color % len(svg.SERIES)],
                linestyle="solid" if line.faint else DASHES[line.dash % len(DASHES)],
                linewidth=0.9 if line.faint else 2.0 if len(named) == len(final) else 1.3,
                alpha=0.32 if line.faint else 1.0,
                zorder=1 if line.faint else 2,
            )
        last = max((line.points[-1][0] for line in lines if line.points), default=1.0)
        ax.set(xlim=(0, last), ylim=(low, max(high, low + 1e-6)))
        for side in ("top", "right", "left"):
            ax.spines[side].set_visible(False)
        ax.spines["bottom"].set_color(svg.MUTED)
        ax.grid(axis="y", color=svg.RULE, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.tick_params(length=0, labelsize=size - 0.5, labelcolor=svg.MUTED, pad=6)
        ax.xaxis.set_major_formatter(lambda value, _: large(value))
        ax.locator_params(axis="x", nbins=4 if narrow else 7)
        ax.locator_params(axis="y", nbins=6)
        ink.text(0, 10, "loss, nats per token", size=size, color=svg.MUTED)
        ink.text(
            left + (width - left - right) / 2,
            height - key - 8,
            "tokens seen",
            size=size,
            color=svg.MUTED,
            ha="center",
        )

        def to_y(loss: float) -> float:
            return top + (height - top - bottom) * (high - loss) / (high - low)

        first = {line.label: line for line in reversed(named)}
        wanted = sorted(((to_y(final[label]), line) for label, line in first.items()), key=lambda item: item[0])
        spread = _spread([y for y, _ in wanted], 17.0, top, height - bottom)
        for index, ((y, line), at) in enumerate(zip(wanted, spread, strict=True)):
            color = svg.SERIES[line.color % len(svg.SERIES)]
            words = f"{final[line.label]:.2f}  {line.label}"
            if narrow:
                at = height - key + 14 + 20.0 * index
                dash = DASHES[line.dash % len(DASHES)]
                ink.line([0, 30], [at, at], color=color, width=2.0, linestyle=dash)
                ink.text(38, at, clean(words, width - 38, size), size=size)
                continue
            edge = width - right
            end = left + (edge - left) * (line.points[-1][0] / last if last else 1.0)
            ink.line([end + 3, edge + 9, edge + 14], [y, at, at], color=color, width=0.9)
            ink.text(edge + 18, at, clean(words, right - 18, size), size=size)
        return ink.svg(name, title, description)


def _spread(wanted: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Moves labels apart, at least `gap` pixels, as little as needed and inside the frame while there is room."""
    result = list(wanted)
    for index in range(1, len(result)):
        result[index] = max(result[index], result[index - 1] + gap)
    overflow = (result[-1] - bottom) if result else 0.0
    if overflow > 0:
        result = [y - overflow for y in result]
        for index in range(len(result) - 2, -1, -1):
            result[index] = min(
                max(result[index], min(wanted[index], result[index + 1] - gap)), result[index + 1] - gap
            )
    return result
