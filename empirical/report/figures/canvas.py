"""Paper for the figures: sizes, panel grids, logarithmic axes, legends, rendering to bytes.

Only matplotlib's object interface is used; the style is applied around one drawing and undone,
and the reader's own matplotlib settings do not reach the figures.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.report.figures.palette import GREY, PAPER
from empirical.report.numerals import NBSP, plain, scientific

# Inches. The wide form fits the page's column, the narrow one a phone held upright.
WIDE, NARROW = 10.4, 4.3
PANEL_HEIGHT = 3.3
# Room for the legend: three lines of it in two columns, six in one.
_LEGEND_IN_TWO, _LEGEND_IN_ONE = 1.2, 1.8
DOTS_PER_INCH = 150
_MOST_TICKS = 7

_STYLE = {
    "figure.facecolor": PAPER,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.hashsalt": "scaling-theory",
}


@dataclass(frozen=True)
class Images:
    """One figure as files: SVG and PNG for a wide column, SVG for a phone."""

    svg: bytes
    png: bytes
    narrow_svg: bytes


def render(draw: Callable[[bool], Figure]) -> Images:
    """Run `draw` for the wide form (True) and the narrow one (False); same input, same bytes."""
    with style.context(["default", _STYLE]):
        wide, narrow = draw(True), draw(False)
        return Images(_encode(wide, "svg"), _encode(wide, "png"), _encode(narrow, "svg"))


def panel_grid(count: int, wide: bool) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels, two columns wide or one column narrow."""
    columns = 2 if wide and count > 1 else 1
    lines = math.ceil(count / columns)
    width = NARROW if not wide else WIDE if columns == 2 else 0.72 * WIDE
    height = PANEL_HEIGHT * lines + (_LEGEND_IN_TWO if columns == 2 else _LEGEND_IN_ONE)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False)
    cells: list[Axes] = list(grid.flat)
    for unused in cells[count:]:
        unused.set_axis_off()
    return figure, cells[:count]


def label_edges(cells: Sequence[Axes], x: str, y: str) -> None:
    """Axis names on the lowest panel of each column and the leftmost of each row."""
    columns = {round(axes.get_position().x0, 6) for axes in cells}
    for place, axes in enumerate(cells):
        if place + len(columns) >= len(cells):
            axes.set_xlabel(x)
        if place % len(columns) == 0:
            axes.set_ylabel(y)


def batch_axis(axes: Axes, batch_sizes: Sequence[int]) -> None:
    """Logarithmic x axis ticked at the batch sizes of the grid; only some where they are many."""
    every = math.ceil(len(batch_sizes) / _MOST_TICKS)
    axes.set_xscale("log")
    axes.set_xlim(min(batch_sizes) / 1.6, max(batch_sizes) * 1.6)
    axes.xaxis.set_major_locator(FixedLocator(list(batch_sizes)[::every]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def log_axis(axes: Axes, extent: Sequence[float]) -> None:
    """Logarithmic y axis that holds the positive numbers of `extent`, ticked at round ones."""
    axes.set_yscale("log")
    positive = [value for value in extent if value > 0]
    if not positive:
        axes.set_yticks([])
        note(axes, "nothing positive to show here")
        return
    low, high = min(positive) / 1.35, max(positive) * 1.35
    axes.set_ylim(low, high)
    round_ticks(axes.yaxis, low, high)


def round_ticks(axis: Axis, low: float, high: float, *, few: bool = False) -> None:
    """Ticks at 1, 2 and 5 (only 1 over many decades) times powers of ten, in one notation.

    few: at 1 and 3 where there would be three, for long numbers side by side.
    """
    decades = math.log10(high / low)
    leads = (1, 2, 5) if decades < 2.2 and not few else (1, 3) if decades < 3.5 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [lead * 10.0**power for power in powers for lead in leads]
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_minor_locator(NullLocator())
    ordinary = low >= 0.01 and high < 1e5

    def label(value: float, _: int | None) -> str:
        return plain(value, 1) if ordinary else scientific(value, 1).removeprefix(f"1{NBSP}×{NBSP}")

    axis.set_major_formatter(FuncFormatter(label))


def note(axes: Axes, text: str) -> None:
    """A grey remark in the middle of a panel."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=GREY)


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """One legend under all panels, in two columns where the figure is wide enough for them."""
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=2 if figure.get_figwidth() >= WIDE else 1,
        handlelength=2.6,
        columnspacing=2.5,
    )


def _encode(figure: Figure, form: str) -> bytes:
    buffer = io.BytesIO()
    # Without a date two runs on the same numbers give the same file.
    metadata = {"Date": None} if form == "svg" else {}
    figure.savefig(buffer, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return buffer.getvalue()
