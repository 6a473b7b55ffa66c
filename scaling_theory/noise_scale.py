"""Gradient noise scales with intervals: ratios whose denominator may not be known to be positive.

A noise scale is (noise of one sequence) / (signal), in sequences: the batch size at which both are
as large (arXiv 1812.06162). The signal, such as |g|^2, is a U-statistic of K independent block
means x_j of b sequences each, so the noise of the sample is not in it. Own derivation: with
zeta_1 = Var(g^T x) and tau = tr (Sigma / b)^2,

    Var(|g|^2 estimate) = 4 zeta_1 / K + 2 tau / (K (K - 1)),

both estimated without bias from the Gram matrix of the blocks. Intervals of ratios are Fieller's
with a t quantile: where the denominator may be zero the upper end is infinite and the scale is
"not identified", never a clamped number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate

Array = NDArray[np.float64]

FEWEST_BLOCKS = 6
POWER = 1.96 + 0.84
"""Standard errors at which a signal is found 80 times in 100: what "k more samples" aims at."""


@dataclass(frozen=True)
class Signal:
    """A squared signal, such as |g|^2, and what is known of it.

    estimate: without the noise of the sample, so it may be negative; samples counts sequences.
    linear, quadratic: its variance at N sequences is linear / N + quadratic / N^2.
    blocks: K, independent blocks behind the variance (K - 1 degrees of freedom).
    """

    estimate: Estimate
    linear: float
    quadratic: float
    blocks: int

    def sequences_wanted(self, size: float) -> int:
        """N at which a signal of this size is found 80 times in 100."""
        half = POWER**2 * self.linear / (2 * size**2)
        return ceil(half + sqrt(half**2 + POWER**2 * self.quadratic / size**2))


@dataclass(frozen=True)
class NoiseScale:
    """A noise scale in sequences, or why there is none.

    name: "simple", "sgd", "sign" or "adam". estimate: None where it is not identified.
    interval: 95 %, in sequences; its upper end may be infinite. status: "ok" or the reason.
    tokens_per_sequence: for the same in tokens.
    """

    name: str
    estimate: Estimate | None
    interval: tuple[float, float]
    status: str
    tokens_per_sequence: float = 1.0

    @property
    def tokens(self) -> Estimate | None:
        """The scale in tokens; None where it is not identified."""
        if self.estimate is None:
            return None
        factor = self.tokens_per_sequence
        one = self.estimate
        return Estimate(factor * one.value, factor * one.standard_error, one.samples)


def signal_variance(gram: Array, sequences: int) -> tuple[float, float]:
    """linear and quadratic of `Signal` from the Gram matrix [K, K] of block means (or of x^T M x).

    Raises InputError for fewer than FEWEST_BLOCKS blocks.
    """
    count = len(gram)
    if gram.shape != (count, count) or count < FEWEST_BLOCKS:
        raise InputError(
            f"a Gram matrix of shape {gram.shape} came; at least {FEWEST_BLOCKS} blocks are wanted"
        )
    cross = gram - np.diag(np.diag(gram))
    squares, rows = float((cross**2).sum()), cross.sum(axis=1)
    shared, total = float(rows @ rows), float(rows.sum())
    pairs = count * (count - 1)
    both = squares / pairs
    one = (shared - squares) / (pairs * (count - 2))
    none = (total**2 - 4 * shared + 2 * squares) / (pairs * (count - 2) * (count - 3))
    # Variance components: an estimate below 0 says nothing, and 0 only widens the interval.
    zeta, tau = max(one - none, 0.0), max(both - 2 * one + none, 0.0)
    per_block = sequences / count
    return 4 * zeta * per_block, 2 * tau * per_block**2 * count / (count - 1)


def signal_of(plug_in: float, noise: float, gram: Array, sequences: int) -> Signal:
    """|g|^2 without sample noise: |mean|^2 - tr Sigma / N, with its standard error.

    plug_in: squared mean over N sequences. noise: tr Sigma per sequence. gram: of block means.
    """
    linear, quadratic = signal_variance(gram, sequences)
    error = sqrt(linear / sequences + quadratic / sequences**2)
    value = plug_in - noise / sequences
    return Signal(Estimate(value, error, sequences), linear, quadratic, len(gram))


def fieller(
    top: Estimate, bottom: Estimate, covariance: float, degrees: int
) -> tuple[float, float] | None:
    """95 % interval of top / bottom (Fieller 1954); None where bottom may be zero.

    covariance: of the two estimates. degrees: of freedom of their standard errors.
    """
    t = float(stdtrit(degrees, 0.975))
    a = bottom.value**2 - (t * bottom.standard_error) ** 2
    if a <= 0 or bottom.value <= 0:
        return None
    b = top.value * bottom.value - t**2 * covariance
    c = top.value**2 - (t * top.standard_error) ** 2
    root = sqrt(max(b**2 - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def noise_scale(
    name: str, noise: Estimate, signal: Signal, covariance: float = 0.0, tokens: float = 1.0
) -> NoiseScale:
    """noise / signal in sequences with its interval, or "not identified" and what it needs.

    noise: of one sequence, such as tr Sigma. covariance: of the estimates of noise and signal.
    tokens: per sequence.
    """
    bottom, have = signal.estimate, signal.estimate.samples
    t = float(stdtrit(signal.blocks - 1, 0.975))
    most = bottom.value + t * bottom.standard_error
    low = noise.value / most if most > 0 else inf
    if noise.value <= 0:
        status = f"not identified: the noise is {noise.value:.3g} ± {noise.standard_error:.2g}"
        return NoiseScale(name, None, (0.0, inf), status, tokens)
    ends = fieller(noise, bottom, covariance, signal.blocks - 1)
    if ends is None:
        known = bottom.value > bottom.standard_error
        size = bottom.value if known else most
        wanted = signal.sequences_wanted(size) if size > 0 else inf
        more = max(wanted - have, have) if isfinite(wanted) else have
        status = (
            f"not identified: the signal {bottom.value:.3g} ± {bottom.standard_error:.2g} of "
            f"{have} samples may be zero, needs {'' if known else 'at least '}about {more} more "
            "samples"
        )
        return NoiseScale(name, None, (low, inf), status, tokens)
    ratio = noise.value / bottom.value
    variance = noise.standard_error**2 + (ratio * bottom.standard_error) ** 2
    variance = max(variance - 2 * ratio * covariance, 0.0)
    estimate = Estimate(ratio, sqrt(variance) / bottom.value, have)
    return NoiseScale(name, estimate, ends, "ok", tokens)
