"""Figures: values in, inline SVG out, drawn with matplotlib axes.

One drawing serves every screen and theme: the page scales it, its text stays text, and its colours are CSS variables of
the page.
"""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from dateline.report.words import count, is_number, large, number, percent

if TYPE_CHECKING:
    from pandas import DataFrame

WIDTH = 460.0
"""Units of a figure's width; a phone shows about 0.8 pixels a unit, so that the smallest text keeps 8 pixels."""
INK, MUTED, RULE, PAPER = "#010101", "#010102", "#010103", "#010104"
BETTER, WORSE, UNSURE = "#010105", "#010106", "#010107"
SERIES = ("#010201", "#010202", "#010203", "#010204", "#010205", "#010206")
"""Stand-ins that matplotlib can parse; `_themed` replaces them by the page's variables."""
DASHES: tuple[object, ...] = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))

_NAMES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    PAPER: "paper",
    BETTER: "better",
    WORSE: "worse",
    UNSURE: "unsure",
    **{color: f"series-{index}" for index, color in enumerate(SERIES, start=1)},
}
_COLOR = re.compile(r"#(?:0101|0102|02[0-9a-f]{2}|03[0-9a-f]{2})[0-9a-f]{2}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]+")
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dateline",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.labelsize": 10.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": RULE,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
}


class Interval(NamedTuple):
    """A value with the ends of its 95% interval; what is not finite is not drawn, an infinite end is an arrow."""

    value: float
    low: float = math.nan
    high: float = math.nan


class Row(NamedTuple):
    """One row of an interval plot: an interval for each series, None where it was not measured."""

    label: str
    marks: tuple[Interval | None, ...]
    note: str = ""
    """Stands at the right edge: a p-value, a share."""
    strong: bool = False
    """A total, not one of its parts."""
    ticks: tuple[float, ...] = ()
    """Further values, such as single seeds, or what the row is compared with."""


class Line(NamedTuple):
    """One line of a plot against tokens or positions, with a band where the ends of intervals are known."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    color: int = 0
    dash: int = 0
    faint: bool = False
    """Drawn behind and not named."""


def clean(text: object, most: int = 1000) -> str:
    """Returns a label on one line without control characters, cut with an ellipsis to `most` characters."""
    line = " ".join(_UNPRINTABLE.sub(" ", str(text)).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "\u2026"


def intervals(
    rows: Sequence[Row],
    name: str,
    title: str,
    description: str,
    *,
    unit: str,
    series: Sequence[str] = (),
    reference: float | None = 0.0,
    scale: str = "linear",
    show: Callable[[float], str] | None = None,
) -> Markup:
    """Draws values with 95% intervals, a row for each group.

    Without `series` the colour says on which side of the reference an interval lies: blue below, orange above, grey
    where it holds the reference.

    Args:
        rows: from the top.
        name: unique on the page.
        title: above the axes, and for screen readers.
        description: what can be seen, in a sentence.
        unit: label of the axis.
        series: what the marks of a row stand for, named in a legend; empty for one.
        reference: value of the dashed line; None for no line.
        scale: `linear` or `log`.
        show: how ticks are written.
    """
    used = [at for at in range(len(series) or 1) if any(at < len(r.marks) and r.marks[at] for r in rows)] or [0]
    step = 1.0 if len(used) == 1 else 0.62 * len(used) + 0.3
    heights = [step] * len(rows)
    with _drawing(WIDTH, 62 + 17.5 * sum(heights) + 15 * bool(series) * (len(used) // 2 + 1)) as figure:
        ax = figure.add_subplot()
        ax.set_xscale(scale)
        middles = [step * (at + 0.5) for at in range(len(rows))]
        values = [v for r in rows for m in r.marks if m for v in m if is_number(v)]
        values += [v for r in rows for v in r.ticks if is_number(v)]
        values += [reference] if reference is not None else []
        low, high = _span(values, scale)
        for row, y in zip(rows, middles, strict=True):
            for place, at in enumerate(used):
                mark = row.marks[at] if at < len(row.marks) else None
                if mark is None or not is_number(mark.value):
                    continue
                color = SERIES[at % len(SERIES)] if series else _side(mark, reference)
                _interval(ax, mark, y + 0.62 * (place - (len(used) - 1) / 2), color, high, strong=row.strong)
            for tick in row.ticks:
                if is_number(tick):
                    ax.plot([tick], [y], color=INK, marker="|", markersize=8, markeredgewidth=1.0, zorder=2)
        if reference is not None:
            ax.axvline(reference, color=INK, linewidth=1.0, linestyle=(0, (4, 3)) if reference else "solid", zorder=1)
        ax.set(xlim=(low, high), ylim=(step * len(rows), 0), xlabel=clean(unit))
        ax.set_title(clean(title, 62))
        ax.set_yticks(middles, [clean(r.label, 26) for r in rows])
        for label, row in zip(ax.get_yticklabels(), rows, strict=True):
            label.set(color=INK, fontweight="bold" if row.strong else "normal")
        ax.grid(axis="y", visible=False)
        _format(ax.xaxis, show or (lambda v: number(v, _digits(low, high), sign=True)), scale)
        if any(row.note for row in rows):
            right = ax.secondary_yaxis("right")
            right.set_yticks(middles, [clean(row.note, 24) for row in rows])
            right.spines["right"].set_visible(False)
            right.tick_params(labelcolor=INK)
        if series:
            handles = [ax.plot([], [], color=SERIES[at % len(SERIES)], marker="o", linewidth=1.8)[0] for at in used]
            _legend(figure, handles, [series[at] for at in used])
        return _svg(figure, name, title, description)


def matrix(
    values: DataFrame,
    texts: DataFrame,
    name: str,
    title: str,
    description: str,
    *,
    axes: tuple[str, str] = ("", ""),
    scale: float,
    outlined: bool = False,
) -> Markup:
    """Draws a table of shaded cells, each with its text: blue below zero, orange above.

    Args:
        values: indexed by (group, label) on both sides; NaN is drawn empty.
        texts: what stands in the cells, of the same shape.
        name: unique on the page.
        title: for screen readers.
        description: what can be seen, in a sentence.
        axes: what rows and columns are.
        scale: the value of the deepest shade, above zero.
        outlined: whether cells whose row and column have the same label are framed.
    """
    rows, columns = list(values.index), list(values.columns)
    letters = max((len(str(text)) for text in texts.to_numpy().flat), default=1)
    cell = max(21.0, 6.4 * letters + 5)
    named = [clean(label, 22) for _, label in columns]
    slanted = max(map(len, named)) * 5.6 > cell
    left, top = 7.0 * max(len(clean(label, 36)) for _, label in rows) + 26, 110.0 if slanted else 30.0
    with _drawing(max(240.0, left + cell * len(columns) + 14), top + 19.0 * len(rows) + 50) as figure:
        ax = figure.add_subplot()
        figure.suptitle(clean(title, int(figure.get_figwidth() * 72 / 6.6)), x=0.01, ha="left", fontsize=11.5)
        shades = ListedColormap([_ramp(step / 100) for step in range(-100, 101)])
        numbers = np.ma.masked_invalid(values.to_numpy(dtype=float))
        ax.pcolormesh(numbers, cmap=shades, vmin=-scale, vmax=scale, edgecolors=PAPER, linewidth=1.0)
        for y, row in enumerate(rows):
            for x, column in enumerate(columns):
                if text := clean(texts.iat[y, x]):
                    ax.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", fontsize=9)
                if outlined and row[1] == column[1]:
                    ax.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=INK, linewidth=1.0))
        for at in range(1, len(rows)):
            if rows[at][0] != rows[at - 1][0]:
                ax.axhline(at, color=INK, linewidth=0.8)
        for at in range(1, len(columns)):
            if columns[at][0] != columns[at - 1][0]:
                ax.axvline(at, color=INK, linewidth=0.8)
        ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0), xlabel=axes[1], ylabel=axes[0])
        ax.xaxis.set_label_position("top")
        ax.xaxis.tick_top()
        ax.set_xticks([at + 0.5 for at in range(len(columns))], named, color=INK, fontsize=9.5)
        if slanted:
            ax.tick_params(axis="x", labelrotation=60)
            for label in ax.get_xticklabels():
                label.set(ha="left", va="bottom", rotation_mode="anchor")
        ax.set_yticks([at + 0.5 for at in range(len(rows))], [clean(label, 36) for _, label in rows], color=INK)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        return _svg(figure, name, title, description)


def lines(
    drawn: Sequence[Line],
    name: str,
    title: str,
    description: str,
    *,
    x: str,
    y: str,
    categories: Sequence[str] = (),
    top: float | None = None,
) -> Markup:
    """Draws lines with their bands and a legend.

    Args:
        drawn: the lines; those of one label are seeds of one model and are named once.
        name: unique on the page.
        title: for screen readers.
        description: what can be seen, in a sentence.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        categories: names of the positions 0, 1, 2, ... where x is not a number.
        top: end of the vertical axis, where lines may leave it.
    """
    labels = list(dict.fromkeys(line.label for line in drawn if not line.faint))
    with _drawing(WIDTH, 300 + 17 * len(labels)) as figure:
        ax = figure.add_subplot()
        handles: dict[str, Line2D] = {}
        for line in drawn:
            color = SERIES[line.color % len(SERIES)]
            look: dict[str, Any] = {
                "linestyle": DASHES[line.dash % len(DASHES)],
                "linewidth": 1.8,
                "alpha": 1.0,
                "zorder": 2.5,
            }
            look |= {"linestyle": "solid", "linewidth": 0.8, "alpha": 0.35, "zorder": 1.5} if line.faint else {}
            marker: dict[str, Any] = {"marker": "o", "markersize": 4} if categories or len(line.x) == 1 else {}
            handle = ax.plot(line.x, line.y, color=color, **look, **marker)[0]
            if len(line.low):
                ax.fill_between(line.x, line.low, line.high, facecolor=color, alpha=0.16, linewidth=0)
            if not line.faint:
                handles.setdefault(line.label, handle)
        if top is not None:
            ys = [v for line in drawn for v in line.y if is_number(v) and v <= top]
            bottom = min(ys, default=0.0)
            ax.set_ylim(bottom - 0.06 * (top - bottom), top)
        elif categories:
            ax.axhline(0, color=INK, linewidth=1.0)
        if categories:
            ax.set_xticks(range(len(categories)), [clean(category, 12) for category in categories])
        else:
            ax.xaxis.set_major_locator(MaxNLocator(6))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: large(value)))
        ax.set(xlabel=x, ylabel=y)
        _legend(figure, list(handles.values()), list(handles), columns=1)
        return _svg(figure, name, title, description)


def reliability(bins: DataFrame, name: str, title: str, description: str) -> Markup:
    """Draws accuracy against confidence with 95% intervals, and below it how many documents each bin holds.

    Args:
        bins: columns confidence, accuracy, ci_low, ci_high (all between 0 and 1) and count.
        name: unique on the page.
        title: above the axes, and for screen readers.
        description: what can be seen, in a sentence.
    """
    with _drawing(300, 330) as figure:
        square, bars = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
        square.plot([0, 100], [0, 100], color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
        for found in bins.itertuples():
            mark = Interval(100 * found.accuracy, 100 * found.ci_low, 100 * found.ci_high)
            if is_number(found.confidence) and is_number(mark.value):
                if is_number(mark.low) and is_number(mark.high):
                    square.plot([100 * found.confidence] * 2, mark[1:], color=BETTER, linewidth=1.8)
                square.plot([100 * found.confidence], [mark.value], color=BETTER, marker="o", markersize=5)
        bars.bar(100 * bins["confidence"], bins["count"], width=4, color=BETTER)
        square.set(xlim=(0, 100), ylim=(0, 100), ylabel="Accuracy (%)")
        square.set_title(clean(title, 42))
        bars.set(xlabel="Confidence (%)", ylabel="Texts")
        bars.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        bars.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        return _svg(figure, name, title, description)


def recovered(
    floors: tuple[float, float], losses: tuple[float, float], labels: tuple[str, str], share: str, description: str
) -> Markup:
    """Draws how far the loss falls beside how far it could fall.

    Args:
        floors: entropies without and with the place, nats per token.
        losses: without and with it.
        labels: names of the two losses.
        share: recovered, as text.
        description: for screen readers.
    """
    with _drawing(WIDTH, 190) as figure:
        ax = figure.add_subplot()
        for y, (upper, lower), color in ((0, floors, UNSURE), (1, losses, BETTER)):
            ax.plot([lower, upper], [y, y], color=color, linewidth=8, marker="o", markersize=11)
            ax.annotate(
                f"{number(lower - upper, 3, sign=True)} nats",
                ((lower + upper) / 2, y),
                (0, 11),
                ha="center",
                textcoords="offset points",
                fontweight="bold",
            )
            for value in (upper, lower):
                ax.annotate(f"{value:.3f}", (value, y), (0, -19), ha="center", textcoords="offset points")
        for floor in floors:
            ax.axvline(floor, color=MUTED, linewidth=1.0, linestyle=(0, (3, 3)))
        ax.margins(x=0.12)
        ax.set_ylim(1.6, -0.6)
        ax.set_yticks([0, 1], ["Exact entropy", f"Measured loss\n({share})"], color=INK)
        ax.set_xlabel(clean(f"nats per token; right: {labels[0]}, left: {labels[1]}", 78), fontsize=9.5)
        ax.grid(axis="y", visible=False)
        return _svg(figure, "recovered", "Recovered gain", description)


def ridges(
    rows: Sequence[tuple[str, Sequence[int], float | None]], edges: Sequence[float], name: str, title: str, words: str
) -> Markup:
    """Draws the distribution of lengths of each row on one logarithmic axis, with the median marked.

    Args:
        rows: label, documents in each bin, median; every distribution is scaled to the height of its row.
        edges: of the bins, above zero, one more than bins.
        name: unique on the page.
        title: for screen readers.
        words: what can be seen, in a sentence.
    """
    middles = [math.sqrt(low * high) for low, high in pairwise(edges)]
    seen = [m for _, bins, _ in rows for m, n in zip(middles, bins, strict=True) if n] or middles
    with _drawing(WIDTH, 60 + 24.0 * len(rows)) as figure:
        ax = figure.add_subplot()
        ax.set_xscale("log")
        for base, (_, bins, median) in enumerate(rows, start=1):
            most = max(bins, default=0) or 1
            hill = [base - 0.88 * n / most for n in bins]
            ax.fill_between(middles, base, hill, facecolor=_ramp(-0.6), edgecolor=BETTER, linewidth=1.0, zorder=2)
            if median:
                ax.plot([median] * 2, [base - 0.88, base], color=INK, linewidth=1.4, zorder=3)
        ax.set(xlim=(min(seen) / 1.6, max(seen) * 1.6), ylim=(len(rows) + 0.1, 0), xlabel="characters (log scale)")
        ax.set_yticks([at - 0.3 for at in range(1, len(rows) + 1)], [clean(r[0], 24) for r in rows], color=INK)
        right = ax.secondary_yaxis("right")
        shown = ["" if median is None else count(median) for _, _, median in rows]
        right.set_yticks([at - 0.3 for at in range(1, len(rows) + 1)], shown, color=INK)
        right.spines["right"].set_visible(False)
        ax.grid(axis="y", visible=False)
        _format(ax.xaxis, large, "log")
        return _svg(figure, name, title, words)


def percents(value: float) -> str:
    """Writes the tick of an axis of shares."""
    return percent(value, 0 if abs(100 * value - round(100 * value)) < 1e-6 else 1)


def _interval(ax: Axes, mark: Interval, y: float, color: str, edge: float, *, strong: bool) -> None:
    low, high = mark.low, mark.high
    if is_number(low) and (is_number(high) or high == math.inf):
        ax.plot([low, min(high, edge)], [y, y], color=color, linewidth=2.4 if strong else 1.6, solid_capstyle="butt")
        if high == math.inf:
            ax.plot([edge], [y], color=color, marker=">", markersize=6, clip_on=False)
    shape, size = ("D", 5.5) if strong else ("o", 4.5)
    ax.plot([mark.value], [y], color=color, marker=shape, markersize=size, markeredgewidth=0, zorder=3)


def _side(mark: Interval, reference: float | None) -> str:
    if reference is None or not (is_number(mark.low) and is_number(mark.high)) or mark.low <= reference <= mark.high:
        return UNSURE
    return BETTER if mark.high < reference else WORSE


def _span(values: Sequence[float], scale: str) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if scale == "log":
        low, high = min(low, 0.8), max(high, 1.25)
        return low / (high / low) ** 0.06, high * (high / low) ** 0.06
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _digits(low: float, high: float) -> int:
    """Returns the decimals that tell five ticks apart."""
    return max(0, min(6, math.ceil(-math.log10((high - low) / 5 or 1.0))))


def _format(axis: matplotlib.axis.Axis, show: Callable[[float], str], scale: str) -> None:
    if scale == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else show(value)))


def _legend(figure: Figure, handles: Sequence[Line2D], labels: Sequence[str], columns: int = 2) -> None:
    long = any(len(label) > 30 for label in labels)
    columns = 1 if long or len(labels) < 2 else columns
    figure.legend(
        list(handles), [clean(label, 62) for label in labels], loc="outside lower left", ncols=columns, labelcolor=INK
    )


def _ramp(fraction: float) -> str:
    """Returns the stand-in for a point on the diverging scale: -1 is blue, 0 neutral, 1 orange."""
    step = round(100 * min(1.0, abs(fraction)))
    return f"#{'02' if fraction < 0 else '03'}{step:02x}00"


@contextmanager
def _drawing(width: float, height: float) -> Iterator[Figure]:
    """Gives a figure whose look depends neither on the user's matplotlibrc nor on the day."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore", UserWarning)  # glyphs that DejaVu lacks are drawn by the browser's fonts
        log.setLevel(logging.ERROR)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        try:
            yield Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained", facecolor="none")
        finally:
            log.setLevel(before)


def _svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    FigureCanvasSVG(figure).print_svg(out, metadata=nothing)  # type: ignore[no-untyped-call]
    return Markup(_finish(out.getvalue(), name, title, description, figure.get_figwidth() * 72))


def _themed(match: re.Match[str]) -> str:
    color = match.group()
    if color in _NAMES:
        return f"var(--{_NAMES[color]})"
    pole = "cool" if color.startswith("#02") else "warm"
    return f"color-mix(in srgb, var(--{pole}) {int(color[3:5], 16)}%, var(--middle))"


def _finish(text: str, name: str, title: str, description: str, width: float) -> str:
    """Turns matplotlib's file into an element of the page: unique ids, colours of the theme, a text alternative."""
    root = ET.fromstring(text)  # our own output, never a file from outside
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    used: set[str] = set()
    for element in root.iter():
        href = element.attrib.pop(_HREF, "")
        if href:
            used.add(href.removeprefix("#"))
            element.set("href", f"#{name}-{href.removeprefix('#')}")
        for key, value in element.attrib.items():
            used.update(_REFERENCE.findall(value))
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))
    for element in root.iter():
        if "style" in element.attrib:
            element.set("style", _COLOR.sub(_themed, element.attrib["style"]))
        identity = element.attrib.pop("id", "")
        if identity in used:
            element.set("id", f"{name}-{identity}")
        element.tag = str(element.tag).removeprefix(_SVG)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-desc"})
    root.set("style", f"min-width: {0.78 * width:.0f}px; max-width: {1.4 * width:.0f}px")
    for tag, words in (("desc", description), ("title", title)):
        element = ET.Element(tag, {"id": f"{name}-{tag}"})
        element.text = clean(words)
        root.insert(0, element)
    return ET.tostring(root, encoding="unicode")
