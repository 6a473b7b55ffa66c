"""The figure of the experiment: what the run law foretold, beside the square root of the batch."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np

from empirical.judge.horizon_candidates import CANDIDATES
from empirical.judge.horizon_cells import HorizonCell
from empirical.judge.horizon_league import cells_of
from empirical.judge.horizon_trial import predictions, prepare
from empirical.report.figures.canvas import render
from empirical.report.figures.foretold import draw_foretold
from examples.horizon.data import HERE, start_of

TITLES = {"step1000": "Python source", "prose": "prose, larger network"}
RULES = {
    "run law itself": "run law, nothing fitted",
    "square root": "√B, one tuned run",
}
LARGEST_EPSILON = 1.0
FIGURE = HERE.parents[1] / "docs" / "figures" / "run_law.png"


def draw_figure(path: Path = FIGURE) -> Path:
    """Cells of the two settled starts up to 1 rms sigma, a panel per start and rule."""
    cells = [
        cell
        for place in TITLES
        for cell in cells_of(start_of(place)).identified
        if cell.epsilon_ratio <= LARGEST_EPSILON
    ]
    predicted = {
        f"{says}: {title}": _rates(cells, rule, place)
        for rule, says in RULES.items()
        for place, title in TITLES.items()
    }
    path.write_bytes(render(lambda wide: draw_foretold(cells, predicted, wide)).png)
    return path


def _rates(cells: list[HorizonCell], rule: str, place: str) -> list[float]:
    """What a rule predicts for the cells of one place; NaN for the others, and the tuned run."""
    (candidate,) = (each for each in CANDIDATES if each.name == rule)
    here = [cell for cell in cells if cell.start == place]
    found = np.exp(predictions(prepare(candidate, here), here, "one tuned run", "everything"))
    rates = iter(found.tolist())
    return [next(rates) if cell.start == place else nan for cell in cells]
