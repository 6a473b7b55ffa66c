"""A measured number with its standard error and the number of samples behind it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scaling_theory.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A number and how well it is known.

    value: the estimate, in its own unit.
    standard_error: standard deviation of `value` over repetitions, same unit; 0 if exact.
    samples: independent draws behind it; 0 if the number is computed and not sampled.
    """

    value: float
    standard_error: float
    samples: int

    def __post_init__(self) -> None:
        if math.isnan(self.value) or not self.standard_error >= 0 or self.samples < 0:
            raise InputError(
                f"estimate came as {self.value!r} ± {self.standard_error!r} from {self.samples} "
                "samples; a number and a standard error >= 0 are wanted; check what was averaged"
            )

    def interval(self, standard_errors: float = 1.96) -> tuple[float, float]:
        """value ± standard_errors * standard_error (the default is 95 % of a normal)."""
        half = standard_errors * self.standard_error
        return self.value - half, self.value + half


def exact_estimate(value: float) -> Estimate:
    """A number that was computed, not sampled."""
    return Estimate(float(value), 0.0, 0)


def not_identified(value: float, interval: tuple[float, float]) -> str:
    """What to say of a positive quantity whose 95 % interval reaches 0."""
    return f"not identified: {value:.3g} ± {interval[1] - value:.3g} (95 %) reaches 0"


def mean_estimate(samples: ArrayLike) -> Estimate:
    """Mean of independent samples [n] with standard error sqrt(sample variance / n).

    Raises InputError for fewer than two samples: one sample has no standard error.
    """
    values = np.asarray(samples, dtype=np.float64).ravel()
    if values.size < 2:
        raise InputError(
            f"{values.size} sample(s) came, at least 2 are wanted for a standard error; draw more"
        )
    error = float(np.std(values, ddof=1)) / math.sqrt(values.size)
    return Estimate(float(np.mean(values)), error, int(values.size))


def sum_estimate(terms: Sequence[Estimate]) -> Estimate:
    """Sum of independently estimated terms: the standard errors add in quadrature.

    `samples` is the smallest count among the terms that were sampled.
    """
    return Estimate(
        sum(term.value for term in terms),
        math.hypot(*(term.standard_error for term in terms)),
        fewest_samples(terms),
    )


def scaled_estimate(term: Estimate, factor: float) -> Estimate:
    """factor * term, for a factor known exactly."""
    return Estimate(factor * term.value, abs(factor) * term.standard_error, term.samples)


def ratio_estimate(top: Estimate, bottom: Estimate, covariance: float = 0.0) -> Estimate:
    """top / bottom with the delta-method standard error.

    covariance: of the two estimates (not of single samples); 0 if they are independent.
    Raises InputError if bottom is zero.
    """
    if bottom.value == 0:
        raise InputError("the denominator of a ratio is 0; a nonzero estimate is wanted")
    ratio = top.value / bottom.value
    variance = (
        top.standard_error**2 + (ratio * bottom.standard_error) ** 2 - 2 * ratio * covariance
    ) / bottom.value**2
    # |covariance| <= product of the standard errors makes this >= 0 up to rounding.
    return Estimate(ratio, math.sqrt(max(variance, 0.0)), fewest_samples((top, bottom)))


def paired_ratio_estimate(tops: ArrayLike, bottoms: ArrayLike) -> Estimate:
    """mean(tops) / mean(bottoms) of paired samples [n], their covariance taken into account.

    This is the ratio of means, never the mean of ratios.
    """
    top, bottom = np.asarray(tops, dtype=np.float64), np.asarray(bottoms, dtype=np.float64)
    if top.shape != bottom.shape or top.ndim != 1:
        raise InputError(
            f"paired samples came with shapes {top.shape} and {bottom.shape}; "
            "two equally long vectors are wanted"
        )
    return ratio_estimate(mean_estimate(top), mean_estimate(bottom), mean_covariance(top, bottom))


def mean_covariance(first: ArrayLike, second: ArrayLike) -> float:
    """Covariance of the means of two paired samples [n]: sample covariance / n."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return float((a - a.mean()) @ (b - b.mean())) / (a.size - 1) / a.size


def fewest_samples(terms: Sequence[Estimate]) -> int:
    """The smallest sample count among the terms that were sampled, 0 if none was."""
    return min((term.samples for term in terms if term.samples), default=0)
