"""The minimum of loss against ln(eta) with no shape assumed but convexity near it.

Among all convex curves in the window of the local fit, least squares gives the best one with its
minimum at a stated place: a sum of hinges (k - x)+ to the left of it and (x - k)+ to the right,
with weights >= 0 and the learning rates as knots, found by non-negative least squares. The place
is then moved, and where the sum of squares rises by more than the 95 % point of a chi-squared with
one degree of freedom (an F where the noise level is estimated) the optimum is not (likelihood
ratio; for the minimum of a convex curve see Doss, arXiv 1805.09873, and Deng, Han and Sen, arXiv
2006.10264). Chosen over a Gaussian process because it has nothing to tune. Convex curves through
the data leave the minimum free between two chords: the intervals are wide on coarse grids, and
hold the optimum more often than they promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from scipy.optimize import nnls
from scipy.special import chdtrc, stdtrit

from empirical.judge.grid_losses import GridLosses
from empirical.judge.local_problem import window_of
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_bounds import TAIL
from empirical.judge.optimum_cost import tried_regrets
from empirical.judge.optimum_finding import Finding, Tendency, error_of
from scaling_theory.estimate import Estimate

PLACES = 81
IMPOSSIBLE = 1e-3
"""Probability of a misfit above which the losses count as convex."""


@dataclass(frozen=True)
class ConvexProfile:
    """places: ln eta of a supposed minimum, [m]. squares: least sum of squares with the minimum
    there, over the variance, [m]. least: nats, lowest value of that curve where it was tried, [m].
    """

    places: np.ndarray
    squares: np.ndarray
    least: np.ndarray


def convex_profile(grid: GridLosses, window: np.ndarray, variance: float) -> ConvexProfile:
    """Least squares over convex curves with their minimum at each place of the window."""
    x, loss = grid.x[window], grid.loss[window]
    weight = np.linalg.inv(grid.relative_covariance[np.ix_(window, window)] * variance)
    whiten = np.linalg.cholesky(weight).T
    level = float(loss.min())
    places = np.union1d(np.linspace(x[0], x[-1], PLACES), x)
    squares, least = [], []
    for place in places:
        left = np.append(x[(x > x[0]) & (x < place)], place)
        right = np.append(place, x[(x < x[-1]) & (x > place)])
        falling = np.maximum(left - x[:, None], 0)
        rising = np.maximum(x[:, None] - right, 0)
        ones = np.ones((len(x), 1))
        # The constant has either sign, so that it is two columns.
        design = whiten @ np.hstack([ones, -ones, falling, rising])
        weights, norm = nnls(design, whiten @ (loss - level))
        squares.append(norm**2)
        fitted = weights[0] - weights[1] + falling @ weights[2 : 2 + len(left)]
        fitted += rising @ weights[2 + len(left) :]
        least.append(level + float(fitted.min()))
    return ConvexProfile(places, np.array(squares), np.array(least))


def convex_finding(grid: GridLosses, noise: NoiseLevel) -> Finding:
    """The minimum by the profile over convex curves; its middle is that of the best curves."""
    window = window_of(grid)
    if len(window) < 3:
        return Finding("unclear")
    profile = convex_profile(grid, window, noise.standard_deviation**2)
    x, squares = profile.places, profile.squares
    if chdtrc(len(window), float(squares.min())) < IMPOSSIBLE:
        return Finding("unclear")
    limit = float(stdtrit(min(noise.degrees_of_freedom, 1e9), 1 - TAIL)) ** 2
    held = np.flatnonzero(squares - squares.min() <= limit)
    low = float(x[held[0]]) if held[0] > 0 else -inf
    high = float(x[held[-1]]) if held[-1] < len(x) - 1 else inf
    best = np.flatnonzero(squares - squares.min() <= 1e-6 + 1e-9 * squares.min())
    if best[0] == 0 or best[-1] == len(x) - 1:
        edge = window[0] == 0 if best[0] == 0 else window[-1] == len(grid.x) - 1
        tendency: Tendency = "unclear" if not edge else "rises" if best[0] == 0 else "falls"
        return Finding(tendency, None, low, high)
    middle = float((x[best[0]] + x[best[-1]]) / 2)
    near = int(np.argmin(np.abs(x - middle)))
    # The error of one level near the minimum; that of the shape is not known.
    error = noise.standard_deviation * float(np.sqrt(np.diag(grid.relative_covariance).min()))
    loss = Estimate(float(profile.least[near]), error, grid.runs - grid.censored)
    place = Estimate(middle, error_of(max(low, x[0]), min(high, x[-1])), loss.samples)
    return Finding("turns", middle, low, high, loss, None, tried_regrets(grid, noise, place, loss))
