"""Profile likelihood: an interval for each coefficient, all others refitted along the way.

An end is where -2 ln likelihood, minimised over the other coefficients at fixed scatter, has risen
by t^2, t the quantile of Student's t with as many degrees of freedom as the fit has left: the
scatter is itself estimated. A likelihood that never rises as much leaves its end open. For laws far
from linear t is too small; `profile_widening` says by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, sqrt

import numpy as np
from scipy.special import stdtrit

from empirical.judge.fit import Fit, fit_law
from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_start import bounds_of

LEVEL = 0.95
ROUNDS = 25
CLOSE = 0.01
"""Of the wanted rise in sqrt(-2 ln likelihood): 2 % of a standard error."""


@dataclass(frozen=True)
class Interval:
    """One coefficient with its profile interval.

    name: parameter, or parameter and covariate or group. value, low, high: as fitted (logarithms,
    exponents as they are); an open end is infinite. natural: the same in the parameter's unit.
    standard_error: by the delta method, as fitted.
    """

    name: str
    value: float
    low: float
    high: float
    standard_error: float
    natural: tuple[float, float, float]

    def covers(self, truth: float) -> bool:
        """Whether `truth`, as fitted, lies inside."""
        return self.low <= truth <= self.high


def profile(fit: Fit, data: Optima, widened: float = 1.0) -> list[Interval]:
    """Intervals of all coefficients. data: what was fitted. widened: t times this, `widening`."""
    wanted = -widened * float(stdtrit(max(fit.freedom, 1), (1 - LEVEL) / 2))
    return [_interval(fit, data, place, wanted) for place in range(len(fit.columns))]


def _interval(fit: Fit, data: Optima, place: int, wanted: float) -> Interval:
    column = fit.columns[place]
    value = float(fit.coefficients[place])
    low, high = (_end(fit, data, place, side, wanted) for side in (-1, 1))
    positive = column.is_value and fit.form.term(column.parameter).positive
    ends = (value, low, high)
    natural = tuple(_exp(end) for end in ends) if positive else ends
    error = sqrt(float(fit.covariance[place, place]))
    return Interval(column.name, value, low, high, error, (natural[0], natural[1], natural[2]))


def _exp(value: float) -> float:
    return exp(value) if isfinite(value) else (inf if value > 0 else 0.0)


def _end(fit: Fit, data: Optima, place: int, side: int, wanted: float) -> float:
    """Where the profile has risen enough, by the secant in sqrt(rise), which is nearly linear."""
    lower, upper = (ends[place] for ends in bounds_of(fit.form, fit.design(data), data))
    bound = upper if side > 0 else lower
    start = fit.coefficients
    centre = float(start[place])
    step = sqrt(float(fit.covariance[place, place])) or 0.1
    inside, rise_inside = centre, 0.0
    outside, rise_outside = inf, inf
    here = centre + side * wanted * step
    for _ in range(ROUNDS):
        if not isfinite(outside) and side * (here - bound) >= 0:
            here = float(bound)
        rise, found = rise_where_held(fit, data, place, here, start)
        if abs(rise - wanted) < CLOSE * wanted:
            return here
        if rise < wanted:
            if here == bound:
                return side * inf
            inside, rise_inside, start = here, rise, found
        else:
            outside, rise_outside = here, rise
        if isfinite(outside):
            share = (wanted - rise_inside) / (rise_outside - rise_inside)
            here = inside + float(np.clip(share, 0.1, 0.9)) * (outside - inside)
        else:
            slope = max(rise / abs(here - centre), 1e-12)
            here = (
                centre
                + side
                * min((wanted - rise) / slope + abs(here - centre), 3 * abs(here - centre))
                * 1.05
            )
    return here


def rise_where_held(
    fit: Fit, data: Optima, place: int, value: float, start: Array
) -> tuple[float, Array]:
    """sqrt of the rise of -2 ln likelihood with one coefficient held, and the others there."""
    held = fit_law(
        fit.form,
        fit.ties,
        data,
        references=fit.references,
        start=start,
        held={place: value},
        scatter=fit.scatter,
    )
    return sqrt(max(held.chi2 - fit.chi2, 0.0)), held.coefficients
