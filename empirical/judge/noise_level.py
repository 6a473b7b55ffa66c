"""How much the loss of a run differs from one repetition to the next, and how well that is known.

Three sources, from best to worst: several seeds at the same learning rates (`seed_residual`), the
misfit of smooth curves pooled over many grids (`pooled_noise`), the misfit of one grid alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincinv, gammaln
from scipy.stats import chi2

from empirical.errors import UsageError


@dataclass(frozen=True)
class NoiseLevel:
    """Standard deviation of one run's loss at a fixed learning rate, seed effects taken out.

    standard_deviation: nats (or whatever the loss is in), > 0.
    degrees_of_freedom: how well it is known: nu s^2 / sigma^2 is chi-squared with nu of these;
        infinite if it is known exactly.
    source: where it came from, in words.
    """

    standard_deviation: float
    degrees_of_freedom: float
    source: str

    def __post_init__(self) -> None:
        if not (self.standard_deviation > 0 and isfinite(self.standard_deviation)):
            raise UsageError(
                f"noise level is {self.standard_deviation:g}; a finite number of nats above 0 is "
                "wanted: give the spread of the loss over seeds"
            )
        if not self.degrees_of_freedom > 0:
            raise UsageError(
                f"noise level has {self.degrees_of_freedom:g} degrees of freedom; more than 0 are "
                "wanted: repeat a run, or pool several grids"
            )

    @property
    def relative_error(self) -> float:
        """Standard error of ln sigma, about 1 / sqrt(2 nu)."""
        return 1 / sqrt(2 * self.degrees_of_freedom)

    def plausible(self, count: int) -> np.ndarray:
        """`count` equally probable values of sigma, [count]: nu s^2 / quantiles of chi^2_nu."""
        if self.degrees_of_freedom == inf:
            return np.full(1, self.standard_deviation)
        nu = self.degrees_of_freedom
        shares = (np.arange(count) + 0.5) / count
        # chi2.ppf costs 0.1 ms through its argument checks; this is the same function.
        quantiles = 2 * gammaincinv(nu / 2, shares)
        return np.asarray(self.standard_deviation * np.sqrt(nu / quantiles))


def known_noise(standard_deviation: float) -> NoiseLevel:
    """A noise level that is known exactly."""
    return NoiseLevel(standard_deviation, inf, "given")


@dataclass(frozen=True)
class Residual:
    """What a fit left over: the sum of squares and its degrees of freedom."""

    sum_of_squares: float
    degrees_of_freedom: int


def pooled_noise(residuals: Sequence[Residual], source: str = "pooled over grids") -> NoiseLevel:
    """One noise level for many grids, robust to the grids whose curve the fit does not follow.

    sigma is where the median over grids of P(chi^2_nu < RSS / sigma^2) is one half: up to half of
    the grids may misfit without moving it far. Its uncertainty is that of the median, written as
    degrees of freedom, 1 / (2 Var ln sigma).

    Raises UsageError with fewer than 3 grids that have a degree of freedom left.
    """
    usable = [each for each in residuals if each.degrees_of_freedom > 0]
    usable = [each for each in usable if each.sum_of_squares > 0]
    if len(usable) < 3:
        raise UsageError(
            f"{len(usable)} grid(s) leave residuals; at least 3 are wanted to pool a noise level: "
            "give more grids, seeds, or the noise level itself"
        )
    squares = np.array([each.sum_of_squares for each in usable])
    freedom = np.array([each.degrees_of_freedom for each in usable], dtype=float)

    def excess(log_variance: float) -> float:
        return float(np.median(chi2.cdf(squares / np.exp(log_variance), freedom))) - 0.5

    each = np.log(squares / freedom)
    found = brentq(excess, each.min() - 5, each.max() + 5)
    centre = chi2.median(freedom)
    log_density = (freedom / 2 - 1) * np.log(centre) - centre / 2
    log_density -= freedom / 2 * np.log(2) + gammaln(freedom / 2)
    slope = float(np.mean(2 * centre * np.exp(log_density)))
    variance_of_log = 1 / (4 * len(usable) * slope**2)
    return NoiseLevel(sqrt(float(np.exp(found))), 1 / (2 * variance_of_log), source)
