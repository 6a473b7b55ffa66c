"""Figure 1: optimal learning rate against batch size, one panel per epsilon."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from empirical.report.figures import palette
from empirical.report.figures.canvas import (
    batch_axis,
    label_edges,
    legend_below,
    log_axis,
    panel_grid,
)
from empirical.report.figures.marks import (
    Point,
    draw_curve,
    draw_points,
    extent,
    handle,
    hollow_handle,
    interval_of,
    point,
)
from empirical.report.figures.palette import Look
from empirical.report.grid import batch_sizes, panels
from empirical.report.numerals import epsilon_title
from empirical.report.records import Row
from empirical.report.schema import Report

LEARNING_RATE_AXIS = "optimal learning rate η*\n(parameter change per unit of update)"
BATCH_AXIS = "batch size B (sequences)"


def measured_point(row: Row) -> Point | None:
    """The ratio over real batches with its bootstrap interval."""
    return point(row.batch_size, row.lr_measured, row.lr_measured_ci95, not row.gaussian)


def correlated_point(row: Row) -> Point | None:
    """The prediction with correlated noise."""
    interval = interval_of(row.lr_correlated, row.lr_correlated_standard_error)
    return point(row.batch_size, row.lr_correlated, interval)


def _line_search_point(row: Row) -> Point | None:
    # Beside the ratio's marker, not on top of it; the batch size is the same.
    x = row.batch_size * 1.25
    return point(x, row.lr_line_search, row.lr_line_search_ci95, not row.gaussian)


def _independent_point(row: Row) -> Point | None:
    interval = interval_of(row.lr_independent, row.lr_independent_standard_error)
    return point(row.batch_size, row.lr_independent, interval)


def _mean_field_point(row: Row) -> Point | None:
    return point(row.batch_size, row.lr_mean_field, None)


def _simulated_point(row: Row) -> Point | None:
    interval = interval_of(row.lr_gaussian_simulated, row.lr_gaussian_simulated_standard_error)
    return point(row.batch_size, row.lr_gaussian_simulated, interval)


_POINTS: tuple[tuple[Look, Callable[[Row], Point | None]], ...] = (
    (palette.MEASURED, measured_point),
    (palette.LINE_SEARCH, _line_search_point),
)
_CURVES: tuple[tuple[Look, Callable[[Row], Point | None]], ...] = (
    (palette.CORRELATED, correlated_point),
    (palette.INDEPENDENT, _independent_point),
    (palette.MEAN_FIELD, _mean_field_point),
    (palette.SIMULATED, _simulated_point),
)


def draw_learning_rate(report: Report, wide: bool) -> Figure:
    """Measured points with 95 % intervals over the curves of the theories, log-log."""
    grouped = panels(report.rows)
    figure, cells = panel_grid(len(grouped), wide)
    for axes, (ratio, rows) in zip(cells, grouped.items(), strict=True):
        shown: list[float] = []
        for look, to_point in _CURVES:
            drawn = [to_point(row) for row in rows]
            draw_curve(axes, drawn, look)
            shown += extent(drawn)
        for look, to_point in _POINTS:
            drawn = [to_point(row) for row in rows]
            draw_points(axes, drawn, look)
            shown += extent(drawn)
        batch_axis(axes, batch_sizes(report.rows))
        log_axis(axes, shown)
        axes.set_title(epsilon_title(ratio))
    label_edges(cells, BATCH_AXIS, LEARNING_RATE_AXIS)
    legend_below(figure, _legend(report.rows))
    return figure


def _legend(rows: Sequence[Row]) -> list[Line2D]:
    entries = [
        handle(look)
        for look, to_point in (*_POINTS, *_CURVES)
        if any(to_point(row) is not None for row in rows)
    ]
    if not all(row.gaussian for row in rows):
        entries.append(hollow_handle(palette.NOT_GAUSSIAN))
    return entries
