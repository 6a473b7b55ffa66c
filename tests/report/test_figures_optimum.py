"""The figure of single grids: an optimum is a line, an edge minimum never is."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

from empirical.judge.run_files import RawRows
from empirical.judge.run_table import table_from_rows
from empirical.judge.table_optima import GridOptimum, grids, table_optima
from empirical.report.figures.canvas import render
from empirical.report.figures.optimum import draw_optimum

RATES = 1e-3 * 2.0 ** np.arange(-3, 4)
CURVES = {
    "inside": 3 + 0.03 * np.log(RATES / 1e-3) ** 2,
    "above": 3 + 0.03 * np.log(RATES / 1e-2) ** 2,
    "below": 3 + 0.03 * np.log(RATES / 1e-4) ** 2,
    "unstable": np.append(3 + 0.03 * np.log(RATES[:-2] / 1e-2) ** 2, [np.nan, np.nan]),
    "flat": np.full(7, 3.0),
    "lost": np.full(7, np.nan),
}


def found(*names: str) -> tuple[GridOptimum, ...]:
    rows = tuple(
        {"group": name, "batch_size": "8seq", "lr": str(rate), "loss": str(loss)}
        for name in names
        for rate, loss in zip(RATES, CURVES[name], strict=True)
    )
    return table_optima(grids(table_from_rows(RawRows(tuple(rows[0]), rows, ""), "memory")), 2e-3)


@pytest.mark.parametrize("name", list(CURVES))
def test_every_kind_of_answer_is_drawn(name: str) -> None:
    """Rung: closed form. A line where the optimum is a number; a shaded side where it is bounded;
    neither where nothing is known.
    """
    (each,) = found(name)
    axes = draw_optimum((each,), True).axes[0]
    optimum = each.optimum
    lines = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    upright = [x for x in lines if len(x) == 2 and x[0] == x[1]]
    shaded = [patch for patch in axes.patches if patch.get_alpha() == 0.16]
    assert len(upright) == (name == "inside")
    assert len(shaded) == (not (optimum.open_below and optimum.open_above))
    if upright:
        assert upright[0][0] == optimum.learning_rate
    left, right = axes.get_xlim()
    for patch in shaded:
        x = patch.get_extents().transformed(axes.transData.inverted())
        low, high = optimum.interval
        assert x.x0 == pytest.approx(max(low, left), rel=1e-6)
        assert x.x1 == pytest.approx(min(high, right), rel=1e-6)


def test_titles_give_the_answer() -> None:
    """Rung: closed form."""
    cells = draw_optimum(found("inside", "above", "below", "unstable", "flat", "lost"), True).axes
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in cells]
    wanted = [
        r"η\* = 1\.0.*10⁻³ \(",
        r"η\* above .*: not bounded by this grid",
        r"η\* below .*: not bounded by this grid",
        r"η\* in .* up to divergence",
        "the losses differ by no more than noise",
        r"η\* below .*: not bounded by this grid",
    ]
    for title, pattern in zip(titles, wanted, strict=True):
        assert re.search(pattern, title), title


def test_diverged_runs_are_marked_and_high_losses_pointed_at() -> None:
    """Rung: closed form (two diverged runs; losses above the panel are carets, not points)."""
    axes = draw_optimum(found("unstable"), True).axes[0]
    marks = {line.get_marker(): np.size(line.get_xdata()) for line in axes.lines}
    assert marks["x"] == 2
    assert marks["o"] + marks["^"] == 5


def test_the_same_numbers_give_the_same_picture() -> None:
    """Rung: closed form (bytes; wide and narrow)."""
    each = found("inside", "above")
    assert render(partial(draw_optimum, each)) == render(partial(draw_optimum, each))
