"""Loss against the learning rate of single grids: runs, fitted curve, optimum or its bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from empirical.judge.grid_losses import GridLosses
from empirical.judge.optimum_quadratic import fit_local, fitted_curve
from empirical.judge.optimum_record import Optimum
from empirical.judge.table_optima import GridOptimum, losses_of
from empirical.report.figures.canvas import label_edges, legend_below, panel_grid, round_ticks
from empirical.report.figures.marks import NORMAL_95, handle
from empirical.report.figures.palette import BLACK, BLUE, GREY, ORANGE, VERMILLION, Look
from empirical.report.numerals import scientific

RUNS = Look(BLACK, "o", "", "loss of the runs, seed effects taken out, ± 2 × noise")
FIT = Look(BLUE, "", "-", "local quadratic that allows for asymmetry")
DIVERGED = Look(VERMILLION, "x", "", "diverged")
HIGHER = Look(GREY, "^", "", "loss above the panel")
IDENTIFIED, ONE_SIDED = BLUE, ORANGE
ABOVE = 2.6
"""The panel reaches this many times the rise of the fitted curve, or of the lower half of runs."""


def draw_optimum(found: Sequence[GridOptimum], wide: bool) -> Figure:
    """One panel per grid. An optimum beyond its grid is a shaded side, never a line."""
    figure, cells = panel_grid(len(found), wide)
    for axes, each in zip(cells, found, strict=True):
        losses = losses_of(each.grid)
        axes.set_xscale("log")
        if len(losses.x):
            low, high = _vertical_extent(losses, each.optimum)
            axes.set_ylim(low, high)
            _draw_runs(axes, losses, each.optimum, high)
            _draw_curve(axes, losses, each.optimum)
        rates = [run.lr for run in each.grid.runs]
        left, right = min(rates) / 1.3, max(rates) * 1.3
        axes.set_xlim(left, right)
        round_ticks(axes.xaxis, left, right)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))
        _draw_divergence(axes, each)
        _draw_answer(axes, each.optimum, left, right)
        axes.set_title(f"{each.grid.label}\n{_words(each.optimum)}", fontsize=9.5)
    label_edges(cells, "learning rate η", "loss (nats)")
    legend_below(figure, _legend(found))
    return figure


def _vertical_extent(losses: GridLosses, optimum: Optimum) -> tuple[float, float]:
    """From below the lowest loss to some times the rise that matters for the optimum."""
    least = float(losses.loss.min())
    rises = np.sort(losses.loss - least)
    rise = float(rises[(len(rises) + 1) // 2 - 1])
    if optimum.noise is not None:
        rise = max(rise, 3 * optimum.noise.standard_deviation)
    rise = max(rise, 1e-6)
    return least - 0.6 * rise, least + ABOVE * rise


def _draw_runs(axes: Axes, losses: GridLosses, optimum: Optimum, top: float) -> None:
    inside = losses.loss <= top
    sigma = 0.0 if optimum.noise is None else optimum.noise.standard_deviation
    error = 2 * sigma * np.sqrt(np.diag(losses.relative_covariance))
    rates = np.exp(losses.x)
    axes.errorbar(
        rates[inside],
        losses.loss[inside],
        yerr=error[inside],
        fmt=RUNS.marker,
        color=RUNS.colour,
        markersize=5,
        elinewidth=1.2,
        capsize=2.5,
        zorder=4,
    )
    axes.plot(
        rates[~inside],
        np.full((~inside).sum(), 0.95),
        HIGHER.marker,
        color=HIGHER.colour,
        transform=axes.get_xaxis_transform(),
        zorder=4,
    )


def _draw_curve(axes: Axes, losses: GridLosses, optimum: Optimum) -> None:
    if optimum.method != "quadratic" or optimum.noise is None:
        return
    fit = fit_local(losses, optimum.noise)
    if fit is None:
        return
    x, loss, error = fitted_curve(fit)
    axes.plot(np.exp(x), loss, FIT.line, color=FIT.colour, linewidth=1.7, zorder=3)
    low, high = loss - NORMAL_95 * error, loss + NORMAL_95 * error
    axes.fill_between(np.exp(x), low, high, color=FIT.colour, alpha=0.13, linewidth=0, zorder=2)


def _draw_divergence(axes: Axes, found: GridOptimum) -> None:
    rates = sorted({run.lr for run in found.grid.runs if run.diverged or run.loss is None})
    axes.plot(
        rates,
        np.full(len(rates), 0.88),
        DIVERGED.marker,
        color=DIVERGED.colour,
        transform=axes.get_xaxis_transform(),
        markersize=7,
        markeredgewidth=1.8,
        zorder=4,
    )


def _draw_answer(axes: Axes, optimum: Optimum, left: float, right: float) -> None:
    low, high = optimum.interval
    if optimum.open_below and optimum.open_above:
        return
    colour = ONE_SIDED if optimum.learning_rate is None else IDENTIFIED
    ends = max(low, left), min(high, right)
    axes.axvspan(*ends, color=colour, alpha=0.16, linewidth=0, zorder=0)
    if optimum.learning_rate is not None:
        axes.axvline(optimum.learning_rate, color=colour, linewidth=1.4, zorder=1)


def _words(optimum: Optimum) -> str:
    low, high = optimum.interval
    if optimum.learning_rate is not None:
        ends = f"{scientific(low, 2)} to {scientific(high, 2)}"
        return f"η* = {scientific(optimum.learning_rate, 2)} ({ends})"
    if optimum.open_below and optimum.open_above:
        return optimum.reason or str(optimum.status)
    if optimum.open_above:
        return f"η* above {scientific(low, 2)}: not bounded by this grid"
    if optimum.open_below:
        return f"η* below {scientific(high, 2)}: not bounded by this grid"
    return f"η* in {scientific(low, 2)} to {scientific(high, 2)}, up to divergence"


def _legend(found: Sequence[GridOptimum]) -> list[Artist]:
    entries: list[Artist] = [handle(RUNS), handle(FIT)]
    optima = [each.optimum for each in found]
    if any(optimum.learning_rate is not None for optimum in optima):
        label = "optimum η* and its 95 % interval"
        entries.append(Patch(color=IDENTIFIED, alpha=0.3, linewidth=0, label=label))
    if any(optimum.learning_rate is None for optimum in optima):
        label = "where η* may lie, as far as these runs tell (95 %)"
        entries.append(Patch(color=ONE_SIDED, alpha=0.3, linewidth=0, label=label))
    if any(optimum.censored for optimum in optima):
        entries.append(handle(DIVERGED))
    if any(_is_cut(each) for each in found):
        entries.append(handle(HIGHER))
    return entries


def _is_cut(found: GridOptimum) -> bool:
    losses = losses_of(found.grid)
    if not len(losses.x):
        return False
    return bool((losses.loss > _vertical_extent(losses, found.optimum)[1]).any())
