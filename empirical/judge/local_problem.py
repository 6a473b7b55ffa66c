"""Least squares in a window around the lowest loss, with the asymmetry that real curves have.

Near its minimum the loss is a parabola in t = ln(eta / eta_best), but not only: mostly it falls
slowly on the left and rises fast on the right. The model in a fixed window is

    L(t) = a + b t + c (t^2 + r3 t^3 + r4 t^4 + r5 t^5 + r6 t^6),

a, b, c free, (r3, ..., r6) normal with the mean and twice the covariance that the family
L = A eta^-p + C eta^q has at its minimum over -1 <= p <= 1, 0.4 <= q <= 2:

    r_n = 2 (q^(n-1) - (-p)^(n-1)) / ((p + q) n!).

p << 1, q about 1 is a whole run (slow progress against noise proportional to eta), p = -1, q = 2
one step on a quadratic loss, p = q no asymmetry. Points far from the minimum thus say little where
points near it are precise, and much where they are not: the trade-off of a window, with no sharp
edge. Width, factor two and the diagonal were set on simulated grids (`calibration`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, sqrt

import numpy as np

from empirical.judge.grid_losses import GridLosses
from empirical.judge.misfit import Misfit
from empirical.judge.noise_level import NoiseLevel

WINDOW = 1.4
"""Half width in ln(eta): two octaves and rounding. The nearest learning rates always count."""

OCTAVE = 0.7
FEWEST, UNLIKELY = 4, 0.05
DEGREE = 6


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
SHAPE_PRECISION = np.linalg.inv(SHAPE_COVARIANCE)
TO_POWERS = np.eye(DEGREE + 1)
TO_POWERS[3:, 2] = SHAPE_MEAN


def window_of(grid: GridLosses) -> np.ndarray:
    """Positions of the learning rates that the local fit starts from, [n], in order."""
    best = grid.best
    near = np.abs(grid.x - grid.x[best]) <= WINDOW
    near[max(best - 1, 0) : best + 2] = True
    return np.flatnonzero(near)


def nearest(grid: GridLosses, count: int = 5) -> np.ndarray:
    """Positions of the `count` learning rates around the best one, shifted inwards at an edge, and
    of all others within an octave of it.
    """
    first = min(max(grid.best - count // 2, 0), max(len(grid.x) - count, 0))
    places = np.arange(len(grid.x))
    close = np.abs(grid.x - grid.x[grid.best]) <= OCTAVE
    return np.flatnonzero(close | ((places >= first) & (places < first + count)))


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
    design = np.vander(t, DEGREE + 1, increasing=True) @ TO_POWERS
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
    # Eigenvalues that are zero come out negative by rounding.
    return Misfit(values, np.clip(variance, 0, None), problem.curvature)


@dataclass(frozen=True)
class Followed:
    """The window that is used. dropped: learning rates left out. inflation: of the noise, >= 1."""

    problem: LocalProblem
    dropped: int
    inflation: float


def followed_window(grid: GridLosses, noise: NoiseLevel) -> Followed | None:
    """The widest window whose losses the family of shapes follows; None without a curve upwards.

    While the misfit has probability below `UNLIKELY`, the higher end is dropped: runs become
    unstable above some learning rate, and the loss jumps there. At least `FEWEST` remain; if they
    are not followed either, the noise is taken to be larger, by sqrt(chi^2 / degrees of freedom).
    """
    window = window_of(grid)
    whole = len(window)
    while True:
        problem = local_problem(grid, window)
        if problem is None:
            return None
        if len(window) < FEWEST:
            return Followed(problem, whole - len(window), 1.0)
        misfit = misfit_of(problem)
        if misfit.probability(noise) >= UNLIKELY:
            return Followed(problem, whole - len(window), 1.0)
        if len(window) == FEWEST:
            inflation = max(1.0, sqrt(misfit.chi_squared(noise) / len(misfit.values)))
            return Followed(problem, whole - len(window), inflation)
        higher_right = grid.loss[window[-1]] >= grid.loss[window[0]]
        keep_right = window[-1] - grid.best <= 1
        keep_left = grid.best - window[0] <= 1
        drop_right = (higher_right and not keep_right) or keep_left
        window = window[:-1] if drop_right else window[1:]


def _curvature(design: np.ndarray, weight: np.ndarray, loss: np.ndarray, t: np.ndarray) -> float:
    """c with the mean asymmetry, points weighted less the farther they are from the best."""
    nearness = 1 / np.sqrt(1 + t**4)
    near = weight * np.outer(nearness, nearness)
    return float(
        np.linalg.lstsq(design.T @ near @ design, design.T @ near @ loss, rcond=None)[0][2]
    )
