"""The minimum of loss against ln(eta) by a local quadratic that allows for asymmetry.

The model is that of `local_problem`. The interval is read off the slope: ln eta lies below the
minimum where the slope is negative with probability above 97.5 %, above it where it is positive
with as much (Fieller's construction), the noise level averaged over its plausible values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import factorial, inf

import numpy as np
from scipy.special import ndtr

from empirical.judge.grid_losses import GridLosses
from empirical.judge.local_problem import DEGREE, SHAPE_PRECISION, TO_POWERS, followed_window
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_bounds import TAIL

PLACES = 241
NOISE_LEVELS = 48


@dataclass(frozen=True)
class LocalFit:
    """Posterior of the local polynomial in t = ln eta - centre, one per plausible noise level.

    means: [k, 7], covariances: [k, 7, 7], of the coefficients of 1, t, ..., t^6.
    curvature: c, nats, which the asymmetry is in proportion to.
    places: ln eta where the slope is judged, [m]; falling: P(slope < 0) there, [m].
    dropped: learning rates of the window that the shapes do not follow.
    inflation: what the noise level was multiplied by, because the rest are not followed either.
    """

    centre: float
    means: np.ndarray
    covariances: np.ndarray
    curvature: float
    places: np.ndarray
    falling: np.ndarray
    dropped: int
    inflation: float


def fit_local(grid: GridLosses, noise: NoiseLevel) -> LocalFit | None:
    """The posterior and the sign of the slope; None where the loss does not curve upwards."""
    followed = followed_window(grid, noise)
    if followed is None:
        return None
    problem = followed.problem
    noise = replace(noise, standard_deviation=noise.standard_deviation * followed.inflation)
    t, design = problem.t, problem.design
    information = design.T @ problem.weight @ design
    pull = design.T @ problem.weight @ problem.loss
    # The size of the asymmetry scales with c, which two more passes settle.
    curvature = problem.curvature
    prior = np.zeros_like(information)
    for _ in range(2):
        prior[3:, 3:] = SHAPE_PRECISION * (noise.standard_deviation / curvature) ** 2
        curvature = float(np.linalg.solve(information + prior, pull)[2])
        if curvature <= 0:
            return None
    prior[3:, 3:] = SHAPE_PRECISION / curvature**2
    variance = noise.plausible(NOISE_LEVELS)[:, None, None] ** 2
    inverse = np.linalg.inv(information + prior * variance)
    means = inverse @ pull @ TO_POWERS.T
    covariances = TO_POWERS @ (inverse * variance) @ TO_POWERS.T
    places = np.linspace(t[0], t[-1], PLACES)
    rows = derivative_rows(places, 1)
    spread = np.sqrt(((rows @ covariances) * rows).sum(axis=2))
    falling = ndtr(-(means @ rows.T) / spread).mean(axis=0)
    centre = float(grid.x[grid.best])
    return LocalFit(
        centre=centre,
        means=means,
        covariances=covariances,
        curvature=curvature,
        places=centre + places,
        falling=falling,
        dropped=followed.dropped,
        inflation=followed.inflation,
    )


def derivative_rows(t: np.ndarray, order: int) -> np.ndarray:
    """The `order`-th derivatives of (1, t, ..., t^6) at t, [m, 7]."""
    rows = np.zeros((len(t), DEGREE + 1))
    for power in range(order, DEGREE + 1):
        rows[:, power] = factorial(power) / factorial(power - order) * t ** (power - order)
    return rows


def crossing(fit: LocalFit) -> tuple[float | None, float, float]:
    """Median and 95 % bounds of ln eta*; no median where the slope does not turn upwards.

    A bound is infinite where the slope is nowhere surely negative (or positive) in the window.
    """
    x, falling = fit.places, fit.falling
    turns = np.flatnonzero((falling[:-1] >= 0.5) & (falling[1:] < 0.5))
    if len(turns):
        turn = int(turns[np.argmin(np.abs(x[turns] - fit.centre))])
        middle: float | None = _between(x, falling, turn, 0.5)
    else:
        turn, middle = (len(x) - 1 if falling[-1] >= 0.5 else 0), None
    below = np.flatnonzero(falling[: turn + 1] >= 1 - TAIL)
    above = np.flatnonzero(falling[turn:] <= TAIL)
    low = _between(x, falling, int(below[-1]), 1 - TAIL) if len(below) else -inf
    high = _between(x, falling, turn + int(above[0]) - 1, TAIL) if len(above) else inf
    return middle, low, high


def _between(x: np.ndarray, falling: np.ndarray, at: int, level: float) -> float:
    """Where `falling` passes `level` between positions `at` and `at` + 1."""
    if not 0 <= at < len(x) - 1:
        return float(x[min(max(at, 0), len(x) - 1)])
    drop = falling[at] - falling[at + 1]
    share = (falling[at] - level) / drop if drop > 0 else 0.0
    return float(x[at] + min(max(share, 0.0), 1.0) * (x[at + 1] - x[at]))


def fitted_curve(fit: LocalFit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln eta, loss and its standard error over the window, nats, [m] each: the curve to draw."""
    mean = fit.means.mean(axis=0)
    away = fit.means - mean
    covariance = fit.covariances.mean(axis=0) + away.T @ away / len(away)
    rows = derivative_rows(fit.places - fit.centre, 0)
    return fit.places, rows @ mean, np.sqrt(((rows @ covariance) * rows).sum(axis=1))
