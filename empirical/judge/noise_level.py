"""How much the loss of a run differs from one repetition to the next, and how well that is known.

Three sources, from best to worst: several seeds at the same learning rates, the misfit of smooth
curves pooled over many grids, the misfit of one grid alone (both in `misfit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
from scipy.special import gammaincinv

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
