"""Figure 2: surge ratio (peak of eta*(B) over its large-batch value) against epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.report.figures import palette
from empirical.report.figures.canvas import legend_below, note, panel_grid
from empirical.report.figures.marks import (
    Point,
    answer_point,
    draw_points,
    extent,
    handle,
    hollow_handle,
)
from empirical.report.figures.palette import GREY, Look
from empirical.report.grid import by_epsilon
from empirical.report.numerals import plain
from empirical.report.records import Surge, SurgeSource
from empirical.report.schema import Report

_SOURCES: tuple[tuple[str, Look], ...] = (
    ("measured", palette.MEASURED),
    ("correlated", Look(palette.BLUE, "s", "-", palette.CORRELATED.label)),
    ("independent", Look(palette.VERMILLION, "^", "--", palette.INDEPENDENT.label)),
    ("mean_field", Look(palette.GREEN, "v", "-.", palette.MEAN_FIELD.label)),
)
_TICKS = (0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200, 500, 1000)
# Distance of neighbouring sources at one epsilon, and margins, in parts of the axis.
_NEAR_WIDE, _NEAR_NARROW = 0.03, 0.045
_MARGIN = 0.14


def draw_surge(report: Report, wide: bool) -> Figure:
    """Ratios with 95 % intervals; hollow where the verdict is "cannot tell"."""
    figure, (axes,) = panel_grid(1, wide)
    surges = by_epsilon(report.surge)
    places = _places(surges)
    span = max(places, default=0.0) - min(places, default=0.0) or 1.0
    near = (_NEAR_WIDE if wide else _NEAR_NARROW) * span
    shown: list[float] = [1.0]
    for order, (name, look) in enumerate(_SOURCES):
        shift = (order - (len(_SOURCES) - 1) / 2) * near
        points = [
            _ratio_point(place + shift, getattr(surge, name))
            for place, surge in zip(places, surges, strict=True)
        ]
        draw_points(axes, points, look, size=7)
        seen = [each for each in points if each is not None]
        axes.plot(
            [each.x for each in seen],
            [each.y for each in seen],
            look.line or ":",
            color=look.colour,
            linewidth=1,
            alpha=0.5,
        )
        shown += extent(points)
    _epsilon_axis(axes, surges, places)
    _ratio_axis(axes, shown)
    handles = [handle(look) for _, look in _SOURCES]
    if any(getattr(s, name).outcome == "cannot tell" for s in surges for name, _ in _SOURCES):
        handles.append(hollow_handle('hollow: verdict "cannot tell"'))
    legend_below(figure, handles)
    return figure


def _ratio_point(x: float, source: SurgeSource) -> Point | None:
    return answer_point(x, source.ratio, hollow=source.outcome == "cannot tell")


def _places(surges: Sequence[Surge]) -> list[float]:
    """log10 of the ratio; epsilon = 0 stands one decade left of the smallest positive one."""
    ratios = [surge.epsilon_over_rms_sigma for surge in surges]
    positive = [ratio for ratio in ratios if ratio > 0]
    zero = math.log10(min(positive, default=1.0)) - 1
    return [math.log10(ratio) if ratio > 0 else zero for ratio in ratios]


def _epsilon_axis(axes: Axes, surges: Sequence[Surge], places: Sequence[float]) -> None:
    labels = [plain(surge.epsilon_over_rms_sigma) for surge in surges]
    axes.set_xticks(list(places), labels)
    if places:
        span = max(places) - min(places) or 2.0
        axes.set_xlim(min(places) - _MARGIN * span, max(places) + _MARGIN * span)
    if len(places) > 1 and any(surge.epsilon_over_rms_sigma == 0 for surge in surges):
        # The usual mark for "the axis is interrupted here".
        at = min(places) + 0.5
        axes.text(at, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center")
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("ε in units of rms σ (one sequence)\nlogarithmic, 0 set apart")


def _ratio_axis(axes: Axes, shown: Sequence[float]) -> None:
    axes.set_ylabel("surge ratio (1 = no surge)\nhighest η*(B) over η* at the largest B")
    axes.axhline(1, color=GREY, linewidth=1)
    axes.set_yscale("log")
    low, high = min(shown) / 1.12, max(shown) * 1.12
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{plain(value)} ×"))
    if len(shown) == 1:
        note(axes, "no surge ratio could be computed")
