"""Figure of `surge`: eta*(B) over its large-B value at several epsilons."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.report.figures.canvas import (
    panel_grid,
)
from empirical.report.figures.palette import BLACK, GREY, PAPER, Line
from empirical.report.numerals import plain
from empirical.report.surge_marks import (
    LOWEST,
    RATIO_TICKS,
    batch_ticks,
    broken,
    legend_under,
    surges,
)
from scaling_theory.surge_curve import SurgeCurve
from scaling_theory.surge_map import SurgeMap

_LINES: tuple[Line, ...] = ("-", "--", "-.", ":")


def draw_curves(surge: SurgeMap, wide: bool) -> Figure:
    """One line per epsilon; markers on measured batch sizes, a diamond on each peak."""
    figure, (axes,) = panel_grid(1, wide)
    colours = colormaps["viridis"](np.linspace(0.0, 0.88, max(len(surge.curves), 2)))
    handles = []
    for order, curve in enumerate(surge.curves):
        style, colour = _LINES[order % len(_LINES)], colours[order]
        shown = np.where(np.isfinite(curve.ratio), curve.ratio, np.nan)
        axes.plot(curve.batch_sizes, shown, style, color=colour, linewidth=1.9, zorder=3)
        if curve.standard_error.any():
            half = 1.96 * curve.standard_error
            low = np.maximum(shown - half, LOWEST / 10)
            axes.fill_between(
                curve.batch_sizes, low, shown + half, color=colour, alpha=0.12, linewidth=0
            )
        at_cells = np.isin(curve.batch_sizes, surge.measured_batches)
        axes.plot(curve.batch_sizes[at_cells], shown[at_cells], "o", color=colour, markersize=4)
        if curve.peak_batch is not None and curve.peak_ratio is not None and surges(curve):
            axes.plot(
                [curve.peak_batch],
                [curve.peak_ratio],
                "D",
                color=colour,
                markeredgecolor=BLACK,
                markersize=7,
                zorder=5,
            )
        handles.append(
            Line2D([], [], color=colour, ls=style, linewidth=1.9, label=_legend(curve, surge))
        )
    axes.axhline(1, color=GREY, linewidth=1, zorder=1)
    axes.set_xscale("log")
    batch_ticks(axes, surge, "x")
    _ratio_axis(axes, surge)
    axes.set_xlabel("batch size B (sequences)")
    axes.set_ylabel("η*(B) over " + broken(surge.reference))
    axes.set_title(f"Optimal learning rate of one step\n{surge.source}")
    if any(surges(curve) for curve in surge.curves):
        handles.append(
            Line2D([], [], color=GREY, marker="D", linestyle="none", label="peak of a surge")
        )
    legend_under(figure, handles, wide)
    return figure


def _legend(curve: SurgeCurve, surge: SurgeMap) -> str:
    if np.isinf(curve.epsilon):
        name = "ε → ∞ (SGD)"
    elif curve.epsilon == 0:
        name = "ε = 0 (sign)"
    else:
        name = f"ε = {plain(curve.epsilon / surge.sigma, 2)} rms σ"
    if curve.verdict is None:
        return f"{name}: no minimum"
    words = {"yes": "surge", "no": "no surge", "cannot tell": "cannot tell"}
    return f"{name}: {words[curve.verdict.outcome.value]}"


def _ratio_axis(axes: Axes, surge: SurgeMap) -> None:
    values = np.concatenate([curve.ratio for curve in surge.curves])
    top = float(np.nanmax(values, initial=1.2)) * 1.15
    low = max(LOWEST, float(np.nanmin(values, initial=0.8)) / 1.15)
    axes.set_yscale("log")
    axes.set_ylim(low, top)
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in RATIO_TICKS if low <= tick <= top]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{plain(value)} ×"))
    axes.set_facecolor(PAPER)
