"""The surface that figures are drawn on: matplotlib in, inline SVG out, in the colours of the page's theme.

Enters: drawing calls in pixels. Leaves: one `<svg>` element with a title and a description, whose colours are CSS
variables, so that one drawing serves light, dark and print.
Deliberately not done: no pyplot, no raster, no fonts inside the file; the text stays text, and the page's font is used.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

INK, MUTED, RULE, PAPER = "#010101", "#010102", "#010103", "#010104"
BETTER, WORSE, UNSURE = "#010105", "#010106", "#010107"
SERIES = ("#010201", "#010202", "#010203", "#010204", "#010205", "#010206")
"""Stand-ins that matplotlib can parse; `_themed` replaces them by the page's variables."""

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
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dateline",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "axes.unicode_minus": True,
    "path.simplify": True,
}


def ramp(fraction: float) -> str:
    """Returns the stand-in for a point on the diverging scale: -1 is best, 0 the paper, +1 worst."""
    step = round(100 * min(1.0, abs(fraction)))
    return f"#{'02' if fraction < 0 else '03'}{step:02x}00"


def clean(text: object, width: float = 10_000.0, size: float = 11.0) -> str:
    """Returns a label on one line without control characters, cut with an ellipsis to about `width` pixels."""
    line = " ".join(_UNPRINTABLE.sub(" ", str(text)).split())
    room = max(2, int(width / (0.54 * size)))
    return line if len(line) <= room else line[: room - 1].rstrip() + "\u2026"


class Drawing:
    """A figure of fixed size whose coordinates are pixels from the top left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self.figure.patch.set_visible(False)
        self.ax: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.ax.set(xlim=(0, width), ylim=(height, 0))
        self.ax.axis("off")
        self._strokes = 0

    def text(self, x: float, y: float, words: object, *, size: float = 11, color: str = INK, **kind: object) -> None:
        """Writes one line; `ha`, `va`, `weight` and `rotation` as in matplotlib."""
        kind.setdefault("va", "center_baseline")
        self.ax.text(x, y, clean(words), zorder=self._next(), fontsize=size, color=color, **kind)  # type: ignore[arg-type]

    def line(self, xs: list[float], ys: list[float], *, color: str = RULE, width: float = 1.0, **kind: object) -> None:
        """Draws a polyline."""
        style = {"color": color, "linewidth": width, "solid_capstyle": "butt", "zorder": self._next(), **kind}
        self.ax.plot(xs, ys, **style)  # type: ignore[arg-type]

    def box(self, x: float, y: float, width: float, height: float, *, fill: str, edge: str = "none") -> None:
        """Draws a rectangle from its top left corner."""
        look = {"facecolor": fill, "edgecolor": edge, "zorder": self._next()}
        self.ax.add_patch(Rectangle((x, y), width, height, **look))  # type: ignore[arg-type]

    def area(self, xs: list[float], lows: list[float], highs: list[float], *, color: str) -> None:
        """Fills the band between two lines, pale, so that several can be seen through each other."""
        self.ax.fill_between(xs, lows, highs, facecolor=color, alpha=0.16, linewidth=0, zorder=self._next())

    def _next(self) -> int:
        """What is drawn later lies above, as on paper."""
        self._strokes += 1
        return self._strokes

    def svg(self, name: str, title: str, description: str) -> Markup:
        """Returns the finished element.

        Args:
            name: unique on the page; keeps the ids of two figures apart.
            title: what a screen reader says first.
            description: what can be seen, in a sentence.
        """
        out = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        FigureCanvasSVG(self.figure).print_svg(out, metadata=nothing)  # type: ignore[no-untyped-call]
        return Markup(_finish(out.getvalue(), name, title, description))


@contextmanager
def drawing(width: float, height: float) -> Iterator[Drawing]:
    """Gives a surface whose look depends neither on the user's matplotlibrc nor on the day."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore", UserWarning)  # glyphs that DejaVu lacks are drawn by the browser's fonts
        log.setLevel(logging.ERROR)
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        try:
            yield Drawing(width, height)
        finally:
            log.setLevel(before)


def _themed(match: re.Match[str]) -> str:
    color = match.group()
    if color in _NAMES:
        return f"var(--{_NAMES[color]})"
    pole = "cool" if color.startswith("#02") else "warm"
    return f"color-mix(in srgb, var(--{pole}) {int(color[3:5], 16)}%, var(--middle))"


def _finish(text: str, name: str, title: str, description: str) -> str:
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
    heading = ET.Element("title", {"id": f"{name}-title"})
    heading.text = clean(title)
    detail = ET.Element("desc", {"id": f"{name}-desc"})
    detail.text = clean(description)
    root[:0] = [heading, detail]
    return ET.tostring(root, encoding="unicode")
