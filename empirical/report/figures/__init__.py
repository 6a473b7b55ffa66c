"""The figures of a report, by the name of their files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from empirical.report.figures.canvas import Images, render
from empirical.report.figures.curvature import draw_curvature
from empirical.report.figures.drift import draw_drift
from empirical.report.figures.learning_rate import draw_learning_rate
from empirical.report.figures.surge import draw_surge
from empirical.report.schema import Report

FIGURES: dict[str, Callable[[Report, bool], Figure]] = {
    "learning_rate": draw_learning_rate,
    "surge": draw_surge,
    "curvature": draw_curvature,
    "drift": draw_drift,
}


def draw_figures(report: Report) -> dict[str, Images]:
    """Every figure the report has data for: no drift without an earlier checkpoint."""
    wanted = [name for name in FIGURES if name != "drift" or report.earlier]
    return {name: render(partial(FIGURES[name], report)) for name in wanted}
