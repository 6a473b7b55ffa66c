"""Bounds of the optimum from the order of the losses alone, and from divergence.

If the loss falls up to its minimum and rises after it, then L(x_i) > L(x_j) with x_i < x_j puts
the minimum above x_i. Nothing else is assumed; each comparison with the best learning rate is made
at 2.5 % over the number of comparisons.
"""

from __future__ import annotations

from math import inf, sqrt

from scipy.special import stdtrit

from empirical.judge.grid_losses import GridLosses
from empirical.judge.noise_level import NoiseLevel

TAIL = 0.025
"""Probability that a bound is on the wrong side of the optimum."""


def order_bounds(grid: GridLosses, noise: NoiseLevel) -> tuple[float, float]:
    """ln eta below and above which the optimum does not lie; infinite where nothing says so."""
    best, count = grid.best, len(grid.x)
    low, high = -inf, grid.first_divergent
    if count < 2:
        return low, high
    freedom = min(noise.degrees_of_freedom, 1e9)
    limit = float(stdtrit(freedom, 1 - TAIL / (count - 1)))
    for other in range(count):
        rise = float(grid.loss[other] - grid.loss[best])
        spread = noise.standard_deviation * sqrt(grid.rise_variance(best, other))
        if other == best or rise <= limit * spread:
            continue
        if other < best:
            low = max(low, float(grid.x[other]))
        else:
            high = min(high, float(grid.x[other]))
    return low, high
