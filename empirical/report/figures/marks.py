"""Marks on a panel: measured points with error bars, predicted curves, their legend entries.

A value that cannot stand on a logarithmic axis (missing, zero, negative) is left out, and a curve
is interrupted there; the page's table shows what the reason was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from scipy.interpolate import PchipInterpolator

from empirical.report.figures.palette import GREY, PAPER, Look
from empirical.report.records import Answer, Estimate

# Half-width of a 95 % interval of a normal estimate, in standard errors.
NORMAL_95 = 1.96
_BAR_SHOWN = 3.0  # an error bar stretches the axis at most by this factor


@dataclass(frozen=True)
class Point:
    """A value at x with the ends of its 95 % interval (the value itself where unknown)."""

    x: float
    y: float
    low: float
    high: float
    hollow: bool = False

    @property
    def extent(self) -> tuple[float, float]:
        """The part of the error bar the axis must hold."""
        return max(self.low, self.y / _BAR_SHOWN), min(self.high, self.y * _BAR_SHOWN)


def point(
    x: float, value: float | None, interval: tuple[float, float] | None, hollow: bool = False
) -> Point | None:
    """The point, or None where there is nothing a logarithmic axis can show."""
    if value is None or value <= 0:
        return None
    low, high = interval or (value, value)
    # A bootstrap interval may leave its estimate outside; an error bar cannot be negative.
    return Point(x, value, min(low, value), max(high, value), hollow)


def answer_point(x: float, answer: Answer, hollow: bool = False) -> Point | None:
    """The point of an estimate with its normal 95 % interval."""
    if not isinstance(answer, Estimate):
        return None
    return point(x, answer.value, interval_of(answer.value, answer.standard_error), hollow)


def interval_of(value: float | None, standard_error: float | None) -> tuple[float, float] | None:
    """value ± 1.96 standard errors, None where either is unknown."""
    if value is None or standard_error is None:
        return None
    return value - NORMAL_95 * standard_error, value + NORMAL_95 * standard_error


def draw_points(axes: Axes, points: Sequence[Point | None], look: Look, size: float = 6) -> None:
    """Markers with error bars; hollow ones where the point says so."""
    for hollow in (False, True):
        drawn = [each for each in points if each is not None and each.hollow == hollow]
        if not drawn:
            continue
        # On a logarithmic axis a bar that reaches zero runs off the lower edge.
        below = [each.y - max(each.low, each.y * 1e-6) for each in drawn]
        axes.errorbar(
            [each.x for each in drawn],
            [each.y for each in drawn],
            yerr=[below, [each.high - each.y for each in drawn]],
            fmt=look.marker,
            markersize=size,
            color=look.colour,
            markerfacecolor=PAPER if hollow else look.colour,
            markeredgewidth=1.3,
            elinewidth=1.3,
            capsize=2.5,
            zorder=4,
        )


def draw_curve(axes: Axes, points: Sequence[Point | None], look: Look) -> None:
    """A smooth line (monotone cubic in ln x, ln y) through small markers, 95 % band shaded."""
    for present, stretch in groupby(points, key=lambda each: each is not None):
        run = [each for each in stretch if each is not None]
        if not present:
            continue
        x = np.array([each.x for each in run])
        y = np.array([each.y for each in run])
        axes.plot(x, y, look.marker or ".", color=look.colour, markersize=5, zorder=3)
        if len(run) < 2:
            continue
        fine = np.geomspace(x[0], x[-1], 120)
        axes.plot(fine, _smooth(x, y, fine), look.line, color=look.colour, linewidth=1.9, zorder=2)
        low = np.array([max(each.low, each.y * 1e-2) for each in run])
        high = np.array([each.high for each in run])
        axes.fill_between(
            fine,
            _smooth(x, low, fine),
            _smooth(x, high, fine),
            color=look.colour,
            alpha=0.13,
            linewidth=0,
            zorder=1,
        )


def extent(points: Sequence[Point | None]) -> list[float]:
    """Numbers that the axis must hold to show these points."""
    return [end for each in points if each is not None for end in each.extent]


def handle(look: Look, label: str | None = None) -> Line2D:
    """Legend entry of a quantity."""
    return Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        linestyle=look.line or "none",
        linewidth=1.9,
        markersize=6,
        label=label or look.label,
    )


def hollow_handle(label: str, marker: str = "o") -> Line2D:
    """Legend entry that explains hollow markers."""
    return Line2D(
        [],
        [],
        color=GREY,
        marker=marker,
        linestyle="none",
        markerfacecolor=PAPER,
        markeredgewidth=1.3,
        label=label,
    )


def _smooth(x: np.ndarray, y: np.ndarray, fine: np.ndarray) -> np.ndarray:
    values: np.ndarray = np.exp(PchipInterpolator(np.log(x), np.log(y))(np.log(fine)))
    return values
