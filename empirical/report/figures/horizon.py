"""Whole-run optima over what one step or the run law says, against batch size, a line per S."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from empirical.judge.horizon_cells import HorizonCell
from empirical.report.figures.canvas import (
    batch_axis,
    label_edges,
    legend_below,
    log_axis,
    panel_grid,
)
from empirical.report.figures.marks import Point, draw_points, extent, handle, point
from empirical.report.figures.palette import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Look,
)

LOOKS = (
    Look(SKY, "v", ":", ""),
    Look(ORANGE, "s", "--", ""),
    Look(GREEN, "^", "-.", ""),
    Look(BLUE, "o", "-", ""),
    Look(VERMILLION, "D", "--", ""),
    Look(PURPLE, "P", ":", ""),
)
"""By ascending number of steps."""

Over = Literal["one step", "run law"]
NAMES: dict[Over, str] = {"one step": "η₁", "run law": "D/(κQ + νN)"}

AROUND_ONE = (0.5, 2.0)
"""What every panel shows, so that its ticks tell one from another number."""

ONE = Look(BLACK, "", "-", "1")
FACTOR = Look(GREY, "", "--", "the one factor")


def draw_horizon(
    cells: Sequence[HorizonCell], over: Over, factor: float | None, wide: bool
) -> Figure:
    """One panel per start, optimizer and epsilon. over: what the optima are divided by.

    factor: drawn across, None to leave it out.
    """
    names = list(dict.fromkeys((c.start, c.optimizer, c.epsilon_ratio) for c in cells))
    lengths = sorted({c.steps for c in cells})
    figure, panels = panel_grid(len(names), wide)
    looks = {steps: LOOKS[at % len(LOOKS)] for at, steps in enumerate(lengths)}
    for axes, name in zip(panels, names, strict=True):
        here = [c for c in cells if (c.start, c.optimizer, c.epsilon_ratio) == name]
        drawn: list[Point | None] = []
        for place, steps in enumerate(lengths):
            shift = 1.05 ** (place - (len(lengths) - 1) / 2)
            points = [_point(cell, over, shift) for cell in here if cell.steps == steps]
            points.sort(key=lambda p: p.x if p else 0.0)
            draw_points(axes, points, looks[steps], size=5)
            axes.plot(
                [p.x for p in points if p],
                [p.y for p in points if p],
                looks[steps].line,
                color=looks[steps].colour,
                linewidth=1.3,
            )
            drawn += points
        axes.axhline(1.0, color=ONE.colour, linewidth=1.1, zorder=1)
        if factor is not None:
            axes.axhline(factor, color=FACTOR.colour, linestyle=FACTOR.line, linewidth=1.1)
        batch_axis(axes, sorted({c.batch_size for c in here}))
        log_axis(axes, [*extent(drawn), *AROUND_ONE, *([factor] if factor else [])])
        start, optimizer, ratio = name
        axes.set_title(f"{start}, {optimizer}, ε = {ratio:g} rms σ")
    label_edges(
        panels, "batch size B (sequences)", f"best learning rate of the run / {NAMES[over]}"
    )
    marks: list[Line2D] = [handle(looks[steps], f"{steps:,} steps") for steps in lengths]
    marks.append(handle(ONE))
    if factor is not None:
        marks.append(handle(FACTOR, f"one factor for all cells: {factor:.2g}"))
    legend_below(figure, marks)
    return figure


def _point(cell: HorizonCell, over: Over, shift: float) -> Point | None:
    low, high = cell.optimum.interval
    one = cell.one_step if over == "one step" else cell.run_law
    return point(cell.batch_size * shift, exp(cell.ln_eta) / one, (low / one, high / one))
