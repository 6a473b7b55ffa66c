"""The minimum of loss against ln(eta) by a local quadratic that allows for asymmetry.

Near its minimum the loss is a parabola in t = ln(eta / eta_best), but not only: mostly it falls
slowly on the left and rises fast on the right. The model in a fixed window is

    L(t) = a + b t + c (t^2 + r3 t^3 + r4 t^4 + r5 t^5 + r6 t^6),

a, b, c free, (r3, ..., r6) normal with the mean and twice the covariance that the family
L = A eta^-p + C eta^q has at its minimum over -1 <= p <= 1, 0.4 <= q <= 2:

    r_n = 2 (q^(n-1) - (-p)^(n-1)) / ((p + q) n!).

p << 1, q about 1 is a whole run (slow progress against noise proportional to eta), p = -1, q = 2
one step on a quadratic loss, p = q no asymmetry. Points far from the minimum thus say little where
points near it are precise, and much where they are not: the trade-off of a window, with no sharp
edge.

The interval is read off the slope: ln eta lies below the minimum where the slope is negative with
probability above 97.5 %, above it where it is positive with as much (Fieller's construction), the
noise level averaged over its plausible values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, inf

import numpy as np
from scipy.special import ndtr

from empirical.judge.grid_losses import GridLosses
from empirical.judge.misfit import Misfit
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_bounds import TAIL

WINDOW = 1.4
"""Half width in ln(eta): two octaves and rounding. The nearest learning rates always count."""

FEWEST, UNLIKELY = 4, 0.05
DEGREE = 6
PLACES = 241
NOISE_LEVELS = 48


def family_of_shapes() -> tuple[np.ndarray, np.ndarray]:
    """Mean [4] and covariance [4, 4] of r3 ... r6, the covariance doubled and rounded off."""
    p, q = (part.ravel() for part in np.meshgrid(np.linspace(-1, 1, 21), np.linspace(0.4, 2, 21)))
    curved = p + q > 0.2
    p, q = p[curved], q[curved]
    ratios = np.array(
        [
            2 * (q ** (n - 1) - (-p) ** (n - 1)) / ((p + q) * factorial(n))
            for n in range(3, DEGREE + 1)
        ]
    )
    # The diagonal lets shapes outside the family be followed where the data insist.
    own = np.diag([0.2, 0.1, 0.04, 0.02]) ** 2
    return ratios.mean(axis=1), 2 * np.cov(ratios) + own


SHAPE_MEAN, SHAPE_COVARIANCE = family_of_shapes()
_SHAPE_PRECISION = np.linalg.inv(SHAPE_COVARIANCE)
_TO_POWERS = np.eye(DEGREE + 1)
_TO_POWERS[3:, 2] = SHAPE_MEAN


@dataclass(frozen=True)
class LocalFit:
    """Posterior of the local polynomial in t = ln eta - centre, one per plausible noise level.

    means: [k, 7], covariances: [k, 7, 7], of the coefficients of 1, t, ..., t^6.
    curvature: c, nats, which the asymmetry is in proportion to.
    places: ln eta where the slope is judged, [m]; falling: P(slope < 0) there, [m].
    dropped: learning rates of the window that the shapes do not follow.
    """

    centre: float
    means: np.ndarray
    covariances: np.ndarray
    curvature: float
    places: np.ndarray
    falling: np.ndarray
    dropped: int


def window_of(grid: GridLosses) -> np.ndarray:
    """Positions of the learning rates that the local fit starts from, [n], in order."""
    best = grid.best
    near = np.abs(grid.x - grid.x[best]) <= WINDOW
    near[max(best - 1, 0) : best + 2] = True
    return np.flatnonzero(near)


def nearest(grid: GridLosses, count: int = 5) -> np.ndarray:
    """Positions of the `count` learning rates around the best one, shifted inwards at an edge."""
    first = min(max(grid.best - count // 2, 0), max(len(grid.x) - count, 0))
    return np.arange(first, min(first + count, len(grid.x)))


@dataclass(frozen=True)
class LocalProblem:
    """Least squares in the window, with t = ln eta - ln eta_best.

    t, loss: [n]. weight: inverse covariance of the losses, in units of one run, [n, n].
    design: [n, 7], of a, b, c and of what r3 ... r6 times c add to their mean.
    curvature: c. shape_covariance: of the last four coefficients, nats^2, [4, 4].
    """

    t: np.ndarray
    loss: np.ndarray
    weight: np.ndarray
    design: np.ndarray
    curvature: float
    shape_covariance: np.ndarray


def local_problem(grid: GridLosses, window: np.ndarray) -> LocalProblem | None:
    """The window's least squares; None where the loss does not curve upwards there."""
    if len(window) < 3:
        return None
    t, loss = grid.x[window] - grid.x[grid.best], grid.loss[window]
    weight = np.linalg.inv(grid.relative_covariance[np.ix_(window, window)])
    design = np.vander(t, DEGREE + 1, increasing=True) @ _TO_POWERS
    curvature = _curvature(design[:, :3], weight, loss, t)
    if curvature <= 0:
        return None
    return LocalProblem(t, loss, weight, design, curvature, SHAPE_COVARIANCE * curvature**2)


def misfit_of(problem: LocalProblem) -> Misfit:
    """What a parabola leaves over, in combinations whose noise and asymmetry are independent."""
    whiten = np.linalg.cholesky(problem.weight).T
    free = np.linalg.qr(whiten @ problem.design[:, :3], mode="complete")[0][:, 3:]
    shaped = free.T @ whiten @ problem.design[:, 3:]
    variance, basis = np.linalg.eigh(shaped @ problem.shape_covariance @ shaped.T)
    values = basis.T @ (free.T @ (whiten @ problem.loss))
    return Misfit(values, np.clip(variance, 0, None), problem.curvature)


def followed_window(grid: GridLosses, noise: NoiseLevel) -> tuple[LocalProblem | None, int]:
    """The widest window whose losses the family of shapes follows, and how many were dropped.

    While the misfit has probability below `UNLIKELY`, the higher end is dropped: runs become
    unstable above some learning rate, and the loss jumps there. At least `FEWEST` remain.
    """
    window = window_of(grid)
    for dropped in range(len(window)):
        problem = local_problem(grid, window)
        if problem is None or len(window) <= FEWEST:
            return problem, dropped
        if misfit_of(problem).likelihood(noise) >= UNLIKELY:
            return problem, dropped
        higher_right = grid.loss[window[-1]] >= grid.loss[window[0]]
        keep_right = window[-1] - grid.best <= 1
        keep_left = grid.best - window[0] <= 1
        drop_right = (higher_right and not keep_right) or keep_left
        window = window[:-1] if drop_right else window[1:]
    return None, 0


def fit_local(grid: GridLosses, noise: NoiseLevel) -> LocalFit | None:
    """The posterior and the sign of the slope; None where the loss does not curve upwards."""
    problem, dropped = followed_window(grid, noise)
    if problem is None:
        return None
    t, design = problem.t, problem.design
    information = design.T @ problem.weight @ design
    pull = design.T @ problem.weight @ problem.loss
    curvature = problem.curvature
    # The size of the asymmetry scales with c, which two more passes settle.
    curvature = problem.curvature
    prior = np.zeros_like(information)
    for _ in range(2):
        prior[3:, 3:] = _SHAPE_PRECISION * (noise.standard_deviation / curvature) ** 2
        curvature = float(np.linalg.solve(information + prior, pull)[2])
        if curvature <= 0:
            return None
    prior[3:, 3:] = _SHAPE_PRECISION / curvature**2
    variance = noise.plausible(NOISE_LEVELS)[:, None, None] ** 2
    inverse = np.linalg.inv(information + prior * variance)
    means = inverse @ pull @ _TO_POWERS.T
    covariances = _TO_POWERS @ (inverse * variance) @ _TO_POWERS.T
    places = np.linspace(t[0], t[-1], PLACES)
    rows = derivative_rows(places, 1)
    spread = np.sqrt(((rows @ covariances) * rows).sum(axis=2))
    falling = ndtr(-(means @ rows.T) / spread).mean(axis=0)
    centre = float(grid.x[grid.best])
    return LocalFit(centre, means, covariances, curvature, centre + places, falling, dropped)


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


def _curvature(design: np.ndarray, weight: np.ndarray, loss: np.ndarray, t: np.ndarray) -> float:
    """c with the mean asymmetry, points weighted less the farther they are from the best."""
    nearness = 1 / np.sqrt(1 + t**4)
    near = weight * np.outer(nearness, nearness)
    return float(
        np.linalg.lstsq(design.T @ near @ design, design.T @ near @ loss, rcond=None)[0][2]
    )
