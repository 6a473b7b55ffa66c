"""The figure of whole-run optima over one-step optima."""

from __future__ import annotations

import numpy as np

from empirical.report.figures.canvas import render
from empirical.report.figures.foretold import EQUAL, LOOKS, WITHIN, draw_foretold
from empirical.report.figures.horizon import ONE, draw_horizon
from tests.judge.test_horizon import planted


def test_one_panel_per_series_with_the_factor_across() -> None:
    """Inspection: titles, labelled axes with units, both lines in the legend, same bytes again."""
    cells = [
        cell for cell in planted("one-step shape", np.log(2.2), seed=0) if cell.start == "late"
    ]
    figure = draw_horizon(cells, "one step", 2.2, True)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert [title for title in titles if title] == [
        f"late, softsignsgd, ε = {ratio:g} rms σ" for ratio in (0, 1, 30)
    ]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:4] == ["2 steps", "8 steps", "32 steps", "128 steps"]
    assert labels[4:] == [ONE.label, "one factor for all cells: 2.2"]
    assert "sequences" in figure.axes[-2].get_xlabel() + figure.axes[-1].get_xlabel()
    images = render(lambda wide: draw_horizon(cells, "run law", None, wide))
    assert images == render(lambda wide: draw_horizon(cells, "run law", None, wide))


def test_what_was_foretold_has_a_panel_per_rule() -> None:
    """Inspection: titles, named axes, every cell that a rule speaks of, one legend, same bytes."""
    cells = planted("one-step shape", np.log(2.2), seed=0)
    silent = [float("nan"), *(cell.one_step for cell in cells[1:])]
    predicted = {"the law": [cell.one_step for cell in cells], "another": silent}
    figure = draw_foretold(cells, predicted, True)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]
    assert titles == ["the law", "another"]
    assert figure.axes[0].get_xlabel() and figure.axes[0].get_ylabel()
    markers = {look.marker for look in LOOKS}
    drawn = [
        sum(np.size(line.get_xdata()) for line in axes.get_lines() if line.get_marker() in markers)
        for axes in figure.axes
    ]
    assert drawn == [len(cells), len(cells) - 1]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[0] == "runs of 2 steps" and labels[-2:] == [EQUAL.label, WITHIN.label]
    images = render(lambda wide: draw_foretold(cells, predicted, wide))
    assert images == render(lambda wide: draw_foretold(cells, predicted, wide))
