"""Figures of `surge`: eta*(B) over its large-B value at many epsilons, and the (epsilon, B) map."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.report.figures.canvas import (
    Images,
    note,
    panel_grid,
    render,
    round_ticks,
)
from empirical.report.figures.palette import BLACK, GREY, PAPER, Line
from empirical.report.numerals import plain
from scaling_theory.surge_map import SurgeCurve, SurgeMap

RATIO_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.2, 1.5, 2, 3, 5, 10, 20, 50, 100)
LOWEST = 0.1
"""Ratios below this are drawn at the lower edge: the rise from one sequence is not the subject."""

_LINES: tuple[Line, ...] = ("-", "--", "-.", ":")


def draw_surge_maps(lines: SurgeMap, phase: SurgeMap) -> dict[str, Images]:
    """The two figures by the name of their files: few epsilons as lines, many as a map."""
    return {
        "surge_curves": render(partial(draw_curves, lines)),
        "surge_phase_map": render(partial(draw_phase_map, phase)),
    }


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
        if curve.peak_batch is not None and curve.peak_ratio is not None and _surges(curve):
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
    _batch_ticks(axes, surge, "x")
    _ratio_axis(axes, surge)
    axes.set_xlabel("batch size B (sequences)")
    axes.set_ylabel("η*(B) over " + _broken(surge.reference))
    axes.set_title(f"Optimal learning rate of one step\n{surge.source}")
    if any(_surges(curve) for curve in surge.curves):
        handles.append(
            Line2D([], [], color=GREY, marker="D", linestyle="none", label="peak of a surge")
        )
    _legend_below(figure, handles, wide)
    return figure


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
    bar.set_label("η*(B) over " + _broken(surge.reference))
    handles = [*_ridge(axes, surge, curves, epsilons), *_measured(axes, surge, epsilons)]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(epsilons[0], epsilons[-1])
    axes.set_ylim(batches[0], batches[-1])
    round_ticks(axes.xaxis, epsilons[0], epsilons[-1])
    _batch_ticks(axes, surge, "y")
    axes.grid(visible=False)
    axes.set_xlabel("ε in units of rms σ (one sequence)")
    axes.set_ylabel("batch size B (sequences)")
    axes.set_title(f"Where the learning rate falls\n{surge.source}")
    _legend_below(figure, handles, wide)
    return figure


def _legend_below(figure: Figure, handles: list[Line2D], wide: bool) -> None:
    columns = 2 if wide and len(handles) > 3 else 1
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=2.6)


def _ridge(
    axes: Axes, surge: SurgeMap, curves: list[SurgeCurve], epsilons: np.ndarray
) -> list[Line2D]:
    """The ridge, bold where the verdict is a surge, thin where a peak is there but small."""
    place = np.array([curve.peak_batch or np.nan for curve in curves])
    bold = np.where([_surges(curve) for curve in curves], place, np.nan)
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


def _surges(curve: SurgeCurve) -> bool:
    judged = curve.verdict is not None and curve.verdict.outcome.value == "yes"
    return judged and curve.peak_batch is not None


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


def _batch_ticks(axes: Axes, surge: SurgeMap, which: str) -> None:
    batches = surge.curves[0].batch_sizes
    axis = axes.xaxis if which == "x" else axes.yaxis
    if which == "x":
        axes.set_xlim(batches[0], batches[-1])
    round_ticks(axis, batches[0], batches[-1])


def _broken(text: str) -> str:
    return text.replace(", ", ",\n").replace("its value at", "its value\nat")
