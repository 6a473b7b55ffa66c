"""Figure 4: how the optimal learning rate drifts from earlier checkpoints to the late one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from matplotlib.figure import Figure

from empirical.report.figures import palette
from empirical.report.figures.canvas import (
    batch_axis,
    label_edges,
    legend_below,
    log_axis,
    panel_grid,
)
from empirical.report.figures.learning_rate import (
    BATCH_AXIS,
    LEARNING_RATE_AXIS,
    correlated_point,
    measured_point,
)
from empirical.report.figures.marks import draw_curve, draw_points, extent, handle, hollow_handle
from empirical.report.figures.palette import Look
from empirical.report.grid import batch_sizes, panels
from empirical.report.numerals import epsilon_title
from empirical.report.records import Row
from empirical.report.schema import Report


def draw_drift(report: Report, wide: bool) -> Figure:
    """Measured points and the correlated prediction at every checkpoint, one panel per epsilon."""
    checkpoints = _checkpoints(report)
    everything = [row for _, _, rows in checkpoints for row in rows]
    grouped = panels(everything)
    figure, cells = panel_grid(len(grouped), wide)
    for axes, ratio in zip(cells, grouped, strict=True):
        shown: list[float] = []
        for _, look, rows in checkpoints:
            here = panels(rows).get(ratio, [])
            curve = [correlated_point(row) for row in here]
            points = [measured_point(row) for row in here]
            draw_curve(axes, curve, Look(look.colour, ".", look.line, ""))
            draw_points(axes, points, look)
            shown += extent([*curve, *points])
        batch_axis(axes, batch_sizes(everything))
        log_axis(axes, shown)
        axes.set_title(epsilon_title(ratio))
    label_edges(cells, BATCH_AXIS, LEARNING_RATE_AXIS)
    handles = []
    for step, look, _ in checkpoints:
        points_only = Look(look.colour, look.marker, "", "")
        line_only = Look(look.colour, "", look.line, "")
        handles.append(handle(points_only, f"step {step:,}: measured"))
        handles.append(handle(line_only, f"step {step:,}: predicted, correlated noise (no fit)"))
    if not all(row.gaussian for row in everything):
        handles.append(hollow_handle(palette.NOT_GAUSSIAN))
    legend_below(figure, handles)
    return figure


def _checkpoints(report: Report) -> list[tuple[int, Look, Sequence[Row]]]:
    earlier = sorted(report.earlier, key=lambda each: each.step)
    found: list[tuple[int, Look, Sequence[Row]]] = [
        (each.step, look, each.rows)
        for each, look in zip(earlier, cycle(palette.EARLIER), strict=False)
    ]
    return [*found, (report.checkpoint.step, palette.LATE, report.rows)]
