"""By how much profile intervals of a law are too narrow, from tables simulated with its own fit.

The root r of the likelihood ratio is Student's t for laws linear in their coefficients. Along a
curved ridge (two groups of coordinates) it is wider, and an interval that takes it for t covers 2
to 5 points less than it says. So r of every coefficient is simulated where the truth is known, at
the fit, and intervals are widened by how far |r| reaches against t. It is Bartlett's correction
(Proc. R. Soc. A 160, 268, 1937) by simulation; one factor serves all coefficients, as that of one
alone is hardly known from so few tables, and no interval is narrowed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import stdtrit

from empirical.errors import UsageError
from empirical.judge.fit import Fit, fit_law
from empirical.judge.fit_data import Optima
from empirical.judge.profile import rise_where_held

SIMULATIONS = 40
REACH = 0.8
"""Part of the simulated |r| that is compared: beyond it are the fits that went astray."""


def widening(
    fit: Fit, data: Optima, rng: np.random.Generator, simulations: int = SIMULATIONS
) -> float:
    """What Student's t is to be multiplied by, at least 1; data: what was fitted."""
    truth = fit.coefficients
    roots: list[float] = []
    for _ in range(simulations):
        again = simulated(fit, data, rng)
        try:
            found = fit_law(fit.form, fit.ties, again, references=fit.references, near=fit)
        except UsageError:  # too many optima fell beyond their grids
            continue
        for place in range(len(truth)):
            roots.append(rise_where_held(found, again, place, float(truth[place]), truth)[0])
    if not roots:
        return 1.0
    expected = float(stdtrit(max(fit.freedom, 1), (1 + REACH) / 2))
    return max(1.0, float(np.quantile(roots, REACH)) / expected)


def simulated(fit: Fit, data: Optima, rng: np.random.Generator) -> Optima:
    """Optima of the fitted law with the errors and the scatter of `data`.

    One whose grid is known to end, as it lay beyond, is cut there again; of the others it is not
    known, and none is.
    """
    width = np.hypot(data.standard_error, fit.scatter)
    drawn = fit.predict(data) + rng.normal(size=len(data)) * width
    beyond = data.side * (drawn - data.log_rate) > 0
    return replace(
        data,
        log_rate=np.where(beyond, data.log_rate, drawn),
        side=np.where(beyond, data.side, 0),
    )
