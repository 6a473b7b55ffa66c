"""The noise level seen in how far losses lie from a smooth curve, where no run was repeated.

The smooth curve is that of `local_problem`, whose asymmetry is not known beforehand: of n
learning rates in the window, three combinations fix the parabola and n - 3 hold noise and
asymmetry together. In the basis where both are independent, combination i has variance
sigma^2 + lambda_i, lambda_i from the family of shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtr, chdtrc, digamma, fdtrc, polygamma

from empirical.errors import UsageError
from empirical.judge.noise_level import NoiseLevel, Residual

FEWEST_GRIDS, LEAST_FREEDOM = 5, 2.0
USUAL_RATIO, WEIGHT_OF_USUAL = 0.1, 2.0
"""A grid alone hardly tells noise from asymmetry. Prior: sigma about 0.1 c, with the weight of two
degrees of freedom, which holds 0.05 c to 0.6 c (public sweeps: 0.03 c to 0.3 c)."""


@dataclass(frozen=True)
class Misfit:
    """Combinations of losses that a parabola does not fix, in units of one run.

    values: [n - 3], nats. shape_variance: lambda, [n - 3], nats^2. curvature: c, nats.
    """

    values: np.ndarray
    shape_variance: np.ndarray
    curvature: float

    def chi_squared(self, noise: NoiseLevel) -> float:
        """sum values^2 / (sigma^2 + lambda), about n - 3 where the family follows."""
        total = noise.standard_deviation**2 + self.shape_variance
        return float((self.values**2 / total).sum())

    def probability(self, noise: NoiseLevel) -> float:
        """Of a larger `chi_squared`, by F where the noise level is an estimate."""
        freedom, value = len(self.values), self.chi_squared(noise)
        if isfinite(noise.degrees_of_freedom):
            return float(fdtrc(freedom, noise.degrees_of_freedom, value / freedom))
        return float(chdtrc(freedom, value))


def pooled_misfit(misfits: Sequence[Misfit]) -> NoiseLevel:
    """One noise level for many grids, from their misfit; see `typical_level`."""
    return typical_level(misfits, "misfit, pooled over grids")


def pooled_repetitions(residuals: Sequence[Residual]) -> NoiseLevel:
    """One noise level for many grids, from runs that were repeated; see `typical_level`.

    Below 5 grids with repetitions it is s^2 = sum of squares / degrees of freedom over all.
    """
    repeated = [each for each in residuals if each.degrees_of_freedom > 0]
    if len(repeated) < FEWEST_GRIDS:
        squares = sum(each.sum_of_squares for each in repeated)
        freedom = sum(each.degrees_of_freedom for each in repeated)
        if not squares > 0:
            raise UsageError(
                "no learning rate was run twice, or the repetitions are copies: give seeds, or "
                "the noise level itself"
            )
        return NoiseLevel(sqrt(squares / freedom), freedom, "repetitions")
    # Any values with this sum of squares do: without asymmetry only the sum counts.
    spread = [
        Misfit(np.full(n, sqrt(each.sum_of_squares / n)), np.zeros(n), 0.0)
        for each in repeated
        for n in [each.degrees_of_freedom]
    ]
    return typical_level(spread, "repetitions, pooled over grids")


def typical_level(misfits: Sequence[Misfit], source: str) -> NoiseLevel:
    """The noise level of most grids, robust to those that have more or another shape.

    sigma is where the median over grids of P(chi^2_n < sum values^2 / (sigma^2 + lambda)) is one
    half. Its uncertainty is that of the median, as degrees of freedom 1 / (2 Var ln sigma).

    Raises:
        UsageError: fewer than 5 grids, or a sigma that is not identified.
    """
    if len(misfits) < FEWEST_GRIDS:
        raise UsageError(
            f"{len(misfits)} grid(s) came; at least {FEWEST_GRIDS} are wanted to pool a noise "
            "level: give more, or seeds, or the noise level itself"
        )
    freedom = np.array([len(each.values) for each in misfits], dtype=float)

    def typical(log_variance: float) -> float:
        variance = exp(log_variance)
        sums = [float((m.values**2 / (variance + m.shape_variance)).sum()) for m in misfits]
        return float(np.median(chdtr(freedom, np.array(sums)))) - 0.5

    largest = max(float((each.values**2).max()) for each in misfits)
    low, high = (np.log(largest) - 40, np.log(largest) + 5) if largest > 0 else (0.0, 0.0)
    if not typical(low) > 0 > typical(high):
        raise UsageError(
            "the misfit of these grids is no more than asymmetry explains: repeat some runs with "
            "another seed, or give the noise level"
        )
    found = float(brentq(typical, low, high))
    # A median of n uniforms has standard deviation 1 / (2 sqrt(n)), so that ln sigma has
    # 1 / (4 sqrt(n) slope), the slope being that in ln sigma^2.
    step = 0.2
    slope = (typical(found - step) - typical(found + step)) / (2 * step)
    degrees_of_freedom = 8 * len(misfits) * slope**2
    if slope <= 0 or degrees_of_freedom < LEAST_FREEDOM:
        raise UsageError(
            "the noise level of these grids is known to no better than a factor: repeat some runs "
            "with another seed, or give it"
        )
    return NoiseLevel(exp(found / 2), degrees_of_freedom, source)


def lone_noise(misfit: Misfit, replicates: Residual) -> NoiseLevel:
    """The noise level of one grid with few repetitions: likelihood of misfit and repetitions, and a
    weak prior for the ratio of noise to curvature; its mean and variance of ln sigma^2 kept.
    """
    usual = (USUAL_RATIO * misfit.curvature) ** 2
    log_variance = np.log(usual) + np.linspace(-24, 12, 721)
    variance = np.exp(log_variance)[:, None]
    total = variance + misfit.shape_variance
    freedom = replicates.degrees_of_freedom + WEIGHT_OF_USUAL
    squares = replicates.sum_of_squares + WEIGHT_OF_USUAL * usual
    log_weight = -0.5 * (np.log(total) + misfit.values**2 / total).sum(axis=1)
    log_weight -= 0.5 * (freedom * log_variance + squares / variance[:, 0])
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    mean = float(weight @ log_variance)
    spread = float(weight @ (log_variance - mean) ** 2)
    # ln sigma^2 has mean ln(nu s^2 / 2) - digamma(nu / 2) and variance trigamma(nu / 2).
    nu = float(brentq(lambda n: float(polygamma(1, n / 2)) - spread, 0.05, 1e6))
    deviation = exp((mean + float(digamma(nu / 2)) - np.log(nu / 2)) / 2)
    return NoiseLevel(deviation, nu, "misfit and a usual ratio of noise to curvature")


def rough_noise(x: np.ndarray, loss: np.ndarray, relative_covariance: np.ndarray) -> NoiseLevel:
    """The noise level from how far each loss lies from the chord of its neighbours.

    Curvature counts as noise, so that this is too large rather than too small: for grids whose
    losses do not curve upwards, where no better is to be had. At least 3 learning rates.
    """
    inner = np.arange(1, len(x) - 1)
    chords = np.zeros((len(inner), len(x)))
    share = (x[inner + 1] - x[inner]) / (x[inner + 1] - x[inner - 1])
    chords[inner - 1, inner] = 1
    chords[inner - 1, inner - 1] = -share
    chords[inner - 1, inner + 1] = share - 1
    variance = ((chords @ relative_covariance) * chords).sum(axis=1)
    scaled = (chords @ loss) ** 2 / variance
    # Far below the digits that losses are kept with, so that equal losses leave a number.
    least = 1e-9 * max(1.0, float(np.abs(loss).max()))
    return NoiseLevel(max(sqrt(float(scaled.mean())), least), len(inner), "chords of neighbours")
