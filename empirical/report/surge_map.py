"""Figure of `surge`: the map over (epsilon, B) with the ridge of the peaks."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.report.figures.canvas import (
    note,
    panel_grid,
    round_ticks,
)
from empirical.report.figures.palette import BLACK, GREY
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


def draw_phase_map(surge: SurgeMap, wide: bool) -> Figure:
    """Colour: eta*(B) over its large-B value; black: the ridge B_peak(epsilon) to its end."""
    figure, (axes,) = panel_grid(1, wide)
    curves = [curve for curve in surge.curves if curve.epsilon > 0]
    ratio = np.array([curve.ratio for curve in curves]).T
    if len(curves) < 2 or not np.isfinite(ratio).any():
        note(axes, "a map takes two ε above 0 with an optimum")
        return figure
    epsilons = np.array([curve.epsilon for curve in curves]) / surge.sigma
    batches = curves[0].batch_sizes
    logs = np.log(np.clip(ratio, LOWEST, None))
    top = max(float(np.nanmax(logs)), np.log(1.5))
    norm = TwoSlopeNorm(0.0, vmin=np.log(LOWEST), vmax=top)
    mesh = axes.pcolormesh(
        epsilons, batches, logs, cmap="RdBu_r", norm=norm, shading="gouraud", rasterized=True
    )
    axes.set_facecolor("#DDDDDD")
    bar = figure.colorbar(mesh, ax=axes, pad=0.02)
    ticks = [tick for tick in RATIO_TICKS if LOWEST <= tick <= np.exp(top) * 1.001]
    bar.ax.yaxis.set_major_locator(FixedLocator(list(np.log(ticks))))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{plain(np.exp(value))} ×"))
    bar.set_label("η*(B) over " + broken(surge.reference))
    handles = [*_ridge(axes, surge, curves, epsilons), *_measured(axes, surge, epsilons)]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(epsilons[0], epsilons[-1])
    axes.set_ylim(batches[0], batches[-1])
    round_ticks(axes.xaxis, epsilons[0], epsilons[-1])
    batch_ticks(axes, surge, "y")
    axes.grid(visible=False)
    axes.set_xlabel("ε in units of rms σ (one sequence)")
    axes.set_ylabel("batch size B (sequences)")
    axes.set_title(f"Where the learning rate falls\n{surge.source}")
    legend_under(figure, handles, wide)
    return figure


def _ridge(
    axes: Axes, surge: SurgeMap, curves: list[SurgeCurve], epsilons: np.ndarray
) -> list[Line2D]:
    """The ridge, bold where the verdict is a surge, thin where a peak is there but small."""
    place = np.array([curve.peak_batch or np.nan for curve in curves])
    bold = np.where([surges(curve) for curve in curves], place, np.nan)
    axes.plot(epsilons, place, "-", color=BLACK, linewidth=1, zorder=4)
    axes.plot(epsilons, bold, "-", color=BLACK, linewidth=2.6, zorder=5)
    handles = []
    if np.isfinite(bold).any():
        handles.append(Line2D([], [], color=BLACK, linewidth=2.6, label="ridge B_peak(ε): surge"))
    else:
        # Of an undecided verdict the thin line tells, if there is a peak at all.
        handles.append(Line2D([], [], linestyle="none", label="no clear surge at any ε shown"))
    if (np.isfinite(place) & ~np.isfinite(bold)).any():
        label = "a peak, but no clear surge"
        handles.append(Line2D([], [], color=BLACK, linewidth=1, label=label))
    between = surge.vanishes_between
    if between is not None:
        axes.axvspan(between[0] / surge.sigma, between[1] / surge.sigma, color=GREY, alpha=0.35)
        middle = (surge.vanishes_at or np.sqrt(between[0] * between[1])) / surge.sigma
        handles.append(
            Line2D(
                [],
                [],
                color=GREY,
                linewidth=6,
                alpha=0.5,
                label=f"surge ends at ε ≈ {plain(float(middle), 2)} rms σ",
            )
        )
    return handles


def _measured(axes: Axes, surge: SurgeMap, epsilons: np.ndarray) -> list[Line2D]:
    """Marks along the lower edge at the measured epsilons: the rest is interpolated."""
    over = np.array(surge.measured_epsilons) / surge.sigma
    inside = over[(over >= epsilons[0]) & (over <= epsilons[-1])]
    if not inside.size:
        return []
    across = axes.get_xaxis_transform()
    axes.plot(inside, 0 * inside, "^", color=BLACK, markersize=7, transform=across, clip_on=False)
    label = "measured ε (between them interpolated)"
    return [Line2D([], [], color=BLACK, marker="^", linestyle="none", label=label)]
