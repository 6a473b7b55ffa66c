"""Figure 3: what limits the step, signal and noise curvature against batch size."""

from __future__ import annotations

from matplotlib.figure import Figure

from empirical.report.figures import palette
from empirical.report.figures.canvas import (
    batch_axis,
    label_edges,
    legend_below,
    log_axis,
    panel_grid,
)
from empirical.report.figures.learning_rate import BATCH_AXIS
from empirical.report.figures.marks import (
    answer_point,
    draw_curve,
    draw_points,
    extent,
    handle,
    hollow_handle,
)
from empirical.report.figures.palette import Look
from empirical.report.grid import batch_sizes, panels
from empirical.report.numerals import epsilon_title
from empirical.report.schema import Report

_NOISE = Look(palette.BLACK, "o", "", "noise, measured: Tr(H Cov u) over real batches")
_CORRELATED = Look(palette.BLUE, ".", "-", "noise, predicted: correlated coordinates (no fit)")
_INDEPENDENT = Look(palette.VERMILLION, ".", "--", "noise, predicted: independent coordinates")


def draw_curvature(report: Report, wide: bool) -> Figure:
    """The two parts of E[u^T H u]: the step is noise-limited where noise lies above signal."""
    grouped = panels(report.rows)
    figure, cells = panel_grid(len(grouped), wide)
    for axes, (ratio, rows) in zip(cells, grouped.items(), strict=True):
        noise = [answer_point(r.batch_size, r.noise_curvature, not r.gaussian) for r in rows]
        signal = [answer_point(r.batch_size, r.signal_curvature, not r.gaussian) for r in rows]
        correlated = [answer_point(r.batch_size, r.noise_curvature_correlated) for r in rows]
        independent = [answer_point(r.batch_size, r.noise_curvature_independent) for r in rows]
        draw_curve(axes, independent, _INDEPENDENT)
        draw_curve(axes, correlated, _CORRELATED)
        draw_points(axes, signal, palette.SIGNAL)
        draw_points(axes, noise, _NOISE)
        batch_axis(axes, batch_sizes(report.rows))
        log_axis(axes, extent([*noise, *signal, *correlated, *independent]))
        axes.set_title(epsilon_title(ratio))
    label_edges(cells, BATCH_AXIS, "curvature along the update\n(nats per squared learning rate)")
    handles = [handle(look) for look in (palette.SIGNAL, _NOISE, _CORRELATED, _INDEPENDENT)]
    if not all(row.gaussian for row in report.rows):
        handles.append(hollow_handle(palette.NOT_GAUSSIAN))
    legend_below(figure, handles)
    return figure
