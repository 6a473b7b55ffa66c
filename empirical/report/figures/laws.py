"""Figures of `fit`: eta* against B in every group with the fitted law, and what the law leaves."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from empirical.judge.fit import Fit
from empirical.judge.fit_data import Optima
from empirical.report.figures.canvas import NARROW, WIDE, label_edges, log_axis
from empirical.report.figures.palette import BLACK, BLUE, GREY, PAPER, VERMILLION

MOST_PANELS = 16
_COLUMNS, _HEIGHT, _LEGEND = 4, 2.3, 0.7
_POINTS = 60
NORMAL_95 = 1.96
_UNITS = {"seq": "sequences", "tok": "tokens", "ex": "examples", "bare": "unit unstated"}


def draw_laws(data: Optima, fit: Fit, rival: Fit | None, unit: str, wide: bool) -> Figure:
    """One panel per group: optima with intervals, the law with its band, and another law."""
    groups = np.unique(data.group)[:MOST_PANELS]
    columns = min(_COLUMNS, len(groups)) if wide else 1
    lines = math.ceil(len(groups) / columns)
    figure = Figure(
        figsize=(WIDE if wide else NARROW, max(_HEIGHT * lines + _LEGEND, 3.2)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    cells: list[Axes] = list(grid.flat)
    for unused in cells[len(groups) :]:
        unused.set_axis_off()
    for axes, group in zip(cells, groups, strict=False):
        own = data.subset(data.group == group)
        axes.set_title(data.groups[group], fontsize=9)
        _curve(axes, own, fit)
        if rival is not None:
            line = _along(own)
            rates = np.exp(rival.predict(line))
            axes.plot(np.exp(line.log_batch), rates, "--", color=VERMILLION, linewidth=1.2)
        _optima(axes, own)
    shown = data.subset(np.isin(data.group, groups))
    _axes(cells[: len(groups)], shown, unit)
    for axes in cells[max(len(groups) - columns, 0) : len(groups)]:
        # Above an empty place the shared axis would stay without numbers.
        axes.tick_params(labelbottom=True)
    figure.legend(
        handles=_handles(fit, rival), loc="outside lower center", ncols=2 if wide else 1, fontsize=9
    )
    return figure


def draw_residuals(data: Optima, fit: Fit, unit: str, wide: bool) -> Figure:
    """ln eta* measured less the law, against B; the band is the scatter of single optima."""
    figure = Figure(figsize=(0.72 * WIDE if wide else NARROW, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    inside = data.subset(data.measured)
    gap = inside.log_rate - fit.predict(inside)
    axes.axhspan(-NORMAL_95 * fit.scatter, NORMAL_95 * fit.scatter, color=BLUE, alpha=0.12)
    axes.axhline(0, color=BLUE, linewidth=1.5)
    # Groups side by side, so that their bars do not hide each other.
    groups = np.unique(data.group)
    aside = 1 + 0.02 * (inside.group - groups.mean())
    axes.errorbar(
        np.exp(inside.log_batch) * aside,
        gap,
        yerr=NORMAL_95 * inside.standard_error,
        fmt="o",
        markersize=4,
        color=BLACK,
        elinewidth=0.7,
        alpha=0.7,
    )
    _batch_ticks(axes, data)
    axes.set_xlabel(f"batch size ({_UNITS.get(unit, unit)})")
    axes.set_ylabel("ln η*, measured less law")
    axes.set_title(f"{fit.form.name}: band, 95 % of the scatter of single optima", fontsize=10)
    return figure


def _curve(axes: Axes, own: Optima, fit: Fit) -> None:
    line = _along(own)
    batches, middle = np.exp(line.log_batch), fit.predict(line)
    half = NORMAL_95 * np.hypot(fit.standard_error(line), fit.scatter)
    axes.fill_between(
        batches, np.exp(middle - half), np.exp(middle + half), color=BLUE, alpha=0.15, linewidth=0
    )
    axes.plot(batches, np.exp(middle), color=BLUE, linewidth=1.8)


def _optima(axes: Axes, own: Optima) -> None:
    inside = own.subset(own.measured)
    rates = np.exp(inside.log_rate)
    half = NORMAL_95 * inside.standard_error
    axes.errorbar(
        np.exp(inside.log_batch),
        rates,
        yerr=[rates - rates * np.exp(-half), rates * np.exp(half) - rates],
        fmt="o",
        markersize=4,
        color=BLACK,
        elinewidth=1,
        zorder=4,
    )
    for side, marker in ((-1, "v"), (1, "^")):
        beyond = own.subset(own.side == side)
        axes.plot(
            np.exp(beyond.log_batch),
            np.exp(beyond.log_rate),
            marker,
            color=GREY,
            markerfacecolor=PAPER,
            markersize=5,
            zorder=4,
        )


def _along(own: Optima) -> Optima:
    """The same group at many batch sizes; covariates go along ln B (steps fall as B grows)."""
    order = np.argsort(own.log_batch)
    at = np.linspace(own.log_batch.min(), own.log_batch.max(), _POINTS)
    first = own.subset(np.arange(len(own)) == order[0])
    many = np.zeros(_POINTS)
    covariates = {}
    for name, values in own.covariates.items():
        if name == "epsilon":
            covariates[name] = many + np.median(values)
        else:
            logs = np.interp(at, own.log_batch[order], np.log(values[order]))
            covariates[name] = np.exp(logs)
    return Optima(
        group=np.full(_POINTS, first.group[0]),
        groups=own.groups,
        log_batch=at,
        log_rate=many,
        standard_error=many + 1,
        side=np.zeros(_POINTS, dtype=np.int64),
        curvature=many,
        covariates=covariates,
    )


def _axes(cells: list[Axes], data: Optima, unit: str) -> None:
    for axes in cells:
        _batch_ticks(axes, data)
        log_axis(axes, np.exp(data.log_rate).tolist())
        axes.tick_params(labelsize=8)
    label_edges(cells, f"batch size ({_UNITS.get(unit, unit)})", "η*")


def _batch_ticks(axes: Axes, data: Optima) -> None:
    low, high = float(np.exp(data.log_batch.min())), float(np.exp(data.log_batch.max()))
    axes.set_xscale("log")
    axes.set_xlim(low / 1.4, high * 1.4)
    powers = np.arange(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    step = max(1, math.ceil(len(powers) / 4))
    axes.xaxis.set_major_locator(FixedLocator((2.0 ** powers[::step]).tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))


def _handles(fit: Fit, rival: Fit | None) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLACK, marker="o", ls="", label="optimum with 95 % interval"),
        Line2D(
            [], [], color=GREY, marker="v", ls="", markerfacecolor=PAPER,
            label="the optimum is below (▽) or above (△)",
        ),
        Line2D([], [], color=BLUE, linewidth=1.8, label=f"law: {fit.form.name}"),
        Patch(color=BLUE, alpha=0.15, label="where 95 % of optima lie"),
    ]  # fmt: skip
    if rival is not None:
        label = f"best other law: {rival.form.name}"
        handles.append(Line2D([], [], color=VERMILLION, ls="--", linewidth=1.2, label=label))
    return handles
