"""Best learning rates of whole runs against the batch size, with the predictions beside them.

One panel per slice. Predictions with a value of their own are drawn as they are, rules from the
best-known batch size; an optimum beyond its grid is an open triangle at the bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, isfinite, sqrt

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator

from empirical.judge.claims.claim import Known
from empirical.judge.claims.predictions import (
    CORRELATED,
    INDEPENDENT,
    PREDICTIONS,
    Prediction,
    Silence,
)
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.report.figures.canvas import NARROW, WIDE, batch_axis, label_edges, log_axis
from empirical.report.figures.marks import Point, draw_points, extent, handle
from empirical.report.figures.palette import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILLION,
    Look,
)

MOST_PANELS = 16
COLUMNS, HEIGHT, LEGEND = 4, 2.5, 1.0
MOST_TICKS = 5
LEAST = 1.6
REACH = 4.0
"""The axis reaches this factor beyond the runs for predictions with a value of their own."""
UNITS = {"seq": "sequences", "tok": "tokens", "ex": "examples", "bare": "unit unstated"}

RUNS = Look(BLACK, "o", "", "best of whole runs, 95 % interval")
LOOKS: dict[str, Look] = {
    CORRELATED.name: Look(BLUE, "", "-", ""),
    INDEPENDENT.name: Look(VERMILLION, "", "--", ""),
    "run law": Look(PURPLE, "s", "-", ""),
    "law file": Look(SKY, "D", "-", ""),
    "square root rule": Look(GREEN, "", "-.", ""),
    "linear rule": Look(ORANGE, "", ":", ""),
    "keep": Look(GREY, "", ":", ""),
}
FURTHER = (Look(SKY, "v", "--", ""), Look(PURPLE, "D", "-.", ""))
"""For predictions that have no look of their own yet."""


@dataclass(frozen=True)
class Curve:
    """A prediction over the cells of a slice: batch sizes and learning rates, [n]."""

    prediction: Prediction
    batches: list[float]
    rates: list[float]


def draw_validation(slices: Sequence[Slice], known: Known, unit: str, wide: bool) -> Figure:
    """The slices with the most measured optima, at most `MOST_PANELS`, in their order."""
    ranked = sorted(slices, key=lambda each: -len(each.measured))[:MOST_PANELS]
    shown = [each for each in slices if each in ranked]
    columns = min(COLUMNS, len(shown)) if wide else 1
    lines = math.ceil(len(shown) / columns)
    width = (WIDE if columns > 2 else 0.72 * WIDE) if wide else NARROW
    height = max(HEIGHT * lines + LEGEND + (0 if wide else 1.0), 3.6)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False)
    cells: list[Axes] = list(grid.flat)
    for unused in cells[len(shown) :]:
        unused.set_axis_off()
    drawn: dict[str, Prediction] = {}
    for axes, each in zip(cells, shown, strict=False):
        curves = curves_of(each, known)
        drawn |= {curve.prediction.name: curve.prediction for curve in curves}
        _panel(axes, each, curves)
    label_edges(cells[: len(shown)], f"batch size ({UNITS.get(unit, unit)})", "learning rate η*")
    _legend(figure, drawn, shown, len(slices), wide)
    return figure


def curves_of(each: Slice, known: Known) -> list[Curve]:
    """What every prediction says of the cells of a slice; rules pass the best-known optimum."""
    found = []
    measured = each.measured
    for prediction in PREDICTIONS:
        if prediction.missing(known, each.held):
            continue
        answers = [(cell, prediction.ln_eta(cell, known)) for cell in each.cells]
        told = [(cell, a.value) for cell, a in answers if not isinstance(a, Silence)]
        shift = 0.0
        if prediction.reach != "value":
            if not measured:
                continue
            best = min(measured, key=lambda cell: cell.variance)
            shift = next((best.ln_eta - value for cell, value in told if cell is best), 0.0)
        if len(told) > 1:
            rates = [exp(value + shift) for _, value in told]
            found.append(Curve(prediction, [cell.batch for cell, _ in told], rates))
    return found


def _panel(axes: Axes, each: Slice, curves: Sequence[Curve]) -> None:
    batch_axis(axes, [round(cell.batch) for cell in each.cells])
    axes.xaxis.set_major_locator(FixedLocator(_apart([cell.batch for cell in each.cells])))
    for curve in curves:
        look = _look(curve.prediction)
        axes.plot(
            curve.batches,
            curve.rates,
            f"{look.marker}{look.line}",
            color=look.colour,
            linewidth=1.6,
            markersize=3.5,
            zorder=2,
        )
    points = [_point(cell) for cell in each.measured]
    draw_points(axes, points, RUNS, 4.5)
    bounds = [_bound(axes, cell) for cell in each.cells if not cell.identified]
    own = [end for point in points for end in extent([point])]
    own += [bound for bound in bounds if bound is not None]
    shown = [*own, *_near(own, curves)]
    if own:
        # Room for two round ticks at least.
        middle = sqrt(min(own) * max(own))
        shown += [middle / LEAST, middle * LEAST]
    log_axis(axes, shown)
    axes.tick_params(labelsize=8)
    axes.set_title(title(each), fontsize=8)


def _apart(batches: Sequence[float]) -> list[float]:
    """Batch sizes whose numbers have room beside each other."""
    least = (max(batches) / min(batches)) ** (1 / MOST_TICKS)
    found = [batches[0]]
    for batch in batches[1:]:
        if batch / found[-1] >= least * 0.99:
            found.append(batch)
    return found


def _near(own: Sequence[float], curves: Sequence[Curve]) -> list[float]:
    """Rates of absolute predictions that the axis is to hold: those within a factor of the runs."""
    least, most = (min(own) / REACH, max(own) * REACH) if own else (0.0, inf)
    rates = [rate for curve in curves if curve.prediction.reach == "value" for rate in curve.rates]
    return [min(max(rate, least), most) for rate in rates]


def title(each: Slice) -> str:
    """Family, epsilon and what is kept, on two lines."""
    parts = [] if each.epsilon is None else [f"ε {each.epsilon:.3g}"]
    parts += [f"{name} {text[-16:]}" for name, text in each.settings]
    name = each.family if len(each.family) <= 32 else each.family[:31] + "…"
    return f"{name}\n{', '.join([*parts, each.kept])}"


def _point(cell: Cell) -> Point:
    low, high = (exp(end) for end in cell.bounds)
    return Point(cell.batch, exp(cell.ln_eta), low, high)


def _bound(axes: Axes, cell: Cell) -> float | None:
    """An open triangle that points to where the optimum is; None where nothing is known."""
    low, high = cell.bounds
    if isfinite(low) == isfinite(high):
        # Both ends known and no number: between the last rate that trains and divergence.
        if not isfinite(low):
            return None
        axes.plot([cell.batch] * 2, [exp(low), exp(high)], "-", color=GREY, linewidth=1.3)
        return exp(low)
    value, marker = (exp(low), "^") if isfinite(low) else (exp(high), "v")
    axes.plot(
        cell.batch, value, marker, color=GREY, markerfacecolor=PAPER, markersize=5.5, zorder=4
    )
    return value


def _look(prediction: Prediction) -> Look:
    known = LOOKS.get(prediction.name)
    if known is not None:
        return known
    others = [each.name for each in PREDICTIONS if each.name not in LOOKS]
    return FURTHER[others.index(prediction.name) % len(FURTHER)]


def _legend(
    figure: Figure,
    drawn: dict[str, Prediction],
    shown: Sequence[Slice],
    count: int,
    wide: bool,
) -> None:
    handles = [handle(RUNS)]
    unknown = [cell.bounds for each in shown for cell in each.cells if not cell.identified]
    if any(isfinite(low) and isfinite(high) for low, high in unknown):
        label = "between these ends, no more is known"
        handles.append(Line2D([], [], color=GREY, linewidth=1.3, label=label))
    if any(isfinite(low) != isfinite(high) for low, high in unknown):
        handles.append(
            Line2D(
                [], [], color=GREY, marker="^", ls="", markerfacecolor=PAPER,
                label="the optimum is above (△) or below (▽) this",
            )
        )  # fmt: skip
    for name, prediction in drawn.items():
        ending = "" if prediction.reach == "value" else ", from the best-known batch"
        handles.append(handle(_look(prediction), name + ending))
    if len(shown) < count:
        label = f"{len(shown)} of {count} slices, those with most optima"
        handles.append(Line2D([], [], ls="", label=label))
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3 if wide and len(shown) > 2 else 2 if wide else 1,
        fontsize=8.5,
        handlelength=2.4,
    )
