"""Best learning rates of whole runs, measured against predicted, a panel per rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from empirical.judge.horizon_cells import HorizonCell
from empirical.report.figures.canvas import (
    label_edges,
    legend_below,
    log_axis,
    panel_grid,
    round_ticks,
)
from empirical.report.figures.horizon import LOOKS as LINES
from empirical.report.figures.marks import draw_points, extent, handle, point
from empirical.report.figures.palette import BLACK, GREY, Look

EQUAL = Look(BLACK, "", "-", "measured = predicted")
FACTOR = 1.5
WITHIN = Look(GREY, "", ":", f"{FACTOR:g} times more or less")
LOOKS = tuple(replace(look, line="") for look in LINES)
"""By ascending number of steps, as in the other figure of whole runs."""


def draw_foretold(
    cells: Sequence[HorizonCell], predicted: Mapping[str, Sequence[float]], wide: bool
) -> Figure:
    """predicted: by the rule's words, one learning rate per cell, NaN where it gives none.

    Error bars are 95 % intervals of the measured optimum.
    """
    lengths = sorted({cell.steps for cell in cells})
    looks = {steps: LOOKS[at % len(LOOKS)] for at, steps in enumerate(lengths)}
    figure, panels = panel_grid(len(predicted), wide)
    for axes, (title, rates) in zip(panels, predicted.items(), strict=True):
        pairs = [(rate, cell) for rate, cell in zip(rates, cells, strict=True) if rate > 0]
        points = [point(rate, exp(c.ln_eta), c.optimum.interval) for rate, c in pairs]
        for steps in lengths:
            own = [p for p, (_, cell) in zip(points, pairs, strict=True) if cell.steps == steps]
            draw_points(axes, own, looks[steps], size=4)
        shown = [*extent(points), *(rate for rate, _ in pairs)]
        log_axis(axes, shown)
        low, high = axes.get_ylim()
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        round_ticks(axes.xaxis, low, high, few=True)
        axes.xaxis.set_minor_locator(NullLocator())
        for share, look in ((1.0, EQUAL), (FACTOR, WITHIN), (1 / FACTOR, WITHIN)):
            ends = (low, high), (low * share, high * share)
            axes.plot(*ends, look.line, color=look.colour, linewidth=1.1, zorder=1)
        axes.set_title(title)
    label_edges(panels, "predicted learning rate", "best learning rate of the run")
    marks = [handle(looks[steps], f"runs of {steps:,} steps") for steps in lengths]
    legend_below(figure, [*marks, handle(EQUAL), handle(WITHIN)])
    return figure
