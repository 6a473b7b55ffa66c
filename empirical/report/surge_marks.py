"""What the figures of `surge` share: ticks, labels, legend, and when a curve counts as a surge."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from empirical.report.figures.canvas import (
    round_ticks,
)
from scaling_theory.surge_curve import SurgeCurve
from scaling_theory.surge_map import SurgeMap

RATIO_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100)
LOWEST = 0.1
"""Ratios below this are drawn at the lower edge: the rise from one sequence is not the subject."""


def legend_under(figure: Figure, handles: list[Line2D], wide: bool) -> None:
    """A legend below the panel, in two columns where there is room and need."""
    columns = 2 if wide and len(handles) > 3 else 1
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=2.6)


def surges(curve: SurgeCurve) -> bool:
    """Whether the verdict is a surge and its peak lies inside the curve."""
    judged = curve.verdict is not None and curve.verdict.outcome.value == "yes"
    return judged and curve.peak_batch is not None


def batch_ticks(axes: Axes, surge: SurgeMap, which: str) -> None:
    """Round ticks over the batch sizes on the axis "x" or "y"."""
    batches = surge.curves[0].batch_sizes
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        axes.set_xlim(batches[0], batches[-1])
    round_ticks(axis, batches[0], batches[-1])


def broken(text: str) -> str:
    """A reference in short lines, for the side of a panel."""
    return text.replace(", ", ",\n").replace("its value at", "its value\nat")
