"""The figure of the experiment: what the run law foretold, beside the square root of the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from empirical.judge.horizon_candidates import CANDIDATES
from empirical.judge.horizon_league import cells_of
from empirical.judge.horizon_trial import predictions, prepare
from empirical.report.figures.canvas import render
from empirical.report.figures.foretold import draw_foretold
from examples.horizon.data import HERE, decaying_starts

PLACE, LARGEST_EPSILON = "step1000", 1.0
FIGURE = HERE.parents[1] / "docs" / "figures" / "run_law.png"


def draw_figure(path: Path = FIGURE) -> Path:
    """Cells of the settled start with epsilon up to 1 rms sigma."""
    (start,) = (each for each in decaying_starts() if each.name == PLACE)
    found = cells_of(start).identified
    cells = [cell for cell in found if cell.epsilon_ratio <= LARGEST_EPSILON]
    (root,) = (each for each in CANDIDATES if each.name == "square root")
    ready = prepare(root, cells)
    predicted = {
        "the run law, nothing fitted": [cell.run_law for cell in cells],
        "√B from one tuned run": [
            float(rate) for rate in np.exp(predictions(ready, cells, "one tuned run", "everything"))
        ],
    }
    path.write_bytes(render(lambda wide: draw_foretold(cells, predicted, wide)).png)
    return path
