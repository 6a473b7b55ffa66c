"""The sign (l1) noise scale, (sum sigma_i / sum |g_i|)^2, from block means of the gradient.

|mean_i| exceeds |g_i| on average wherever noise can turn its sign, so the plain sum at N samples
is too large, by an amount that falls as 1 / N once few coordinates are undecided. Two values with
opposite bias bracket it: the plain sum, and the sum of one half's gradient under the signs of
the other half (no upward bias; it is the descent of a sign step at batches of N / 2). The
estimate extrapolates the plain sums at N and N / 2 to 1 / N = 0; where the bracket is wide the
scale is not identified. Own derivation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from scaling_theory.estimate import Estimate
from scaling_theory.noise_scale import NoiseScale

Array = NDArray[np.float64]

SPLITS = 4
NARROW = 0.2
"""A bracket of at most this share of the plain sum: the extrapolation's own error is then of
second order in it, for normal gradients about `SECOND_ORDER` times its square."""

SECOND_ORDER = 0.15


def half_weights(blocks: int) -> Array:
    """Weights of the block means in the mean of each half, [2 SPLITS, K]: halves of one split are
    neighbours."""
    rng = np.random.default_rng(0)  # which blocks form a half does not matter
    half = blocks // 2
    orders = [rng.permutation(blocks) for _ in range(SPLITS)]
    found = np.zeros((2 * SPLITS, blocks))
    for split, order in enumerate(orders):
        found[2 * split, order[:half]] = 1 / half
        found[2 * split + 1, order[half : 2 * half]] = 1 / half
    return found


@dataclass(frozen=True, eq=False)
class OneNorm:
    """Sums over coordinates i of the gradient g and of the means h of the halves.

    sigma: of sigma_i. plain: of |g_i|. half: of |h_i|, mean over the halves. crossed: of h_i under
    the signs of the other half, likewise. slopes: of `extrapolated` in the weight of each block,
    the infinitesimal jackknife, [K].
    """

    sigma: float
    plain: float
    half: float
    crossed: float
    slopes: Array

    @property
    def extrapolated(self) -> float:
        """sum |g_i| with its bias of order 1 / N removed."""
        return 2 * self.plain - self.half


def sign_scale(norms: OneNorm, samples: int, tokens: float = 1.0) -> NoiseScale:
    """The sign noise scale in samples with a 95 % interval, or "not identified"."""
    if norms.plain == 0 or norms.sigma == 0:
        what = "gradient" if norms.plain == 0 else "noise"
        return NoiseScale("sign", None, (0.0, inf), f"not identified: there is no {what}", tokens)
    low = (norms.sigma / norms.plain) ** 2
    gap = (norms.plain - norms.crossed) / norms.plain
    if gap > NARROW:
        wanted = max(ceil(samples * (gap / NARROW) ** 2) - samples, samples)
        status = (
            f"not identified: the signs of {gap / 2:.0%} of the gradient are not known from "
            f"{samples} samples, needs about {wanted} more samples"
        )
        return NoiseScale("sign", None, (low, inf), status, tokens)
    middle = norms.extrapolated
    value = (norms.sigma / middle) ** 2
    error = float(np.std(norms.slopes, ddof=1)) / sqrt(len(norms.slopes))
    error = sqrt(error**2 + (SECOND_ORDER * gap**2 * norms.plain) ** 2)
    estimate = Estimate(value, 2 * value * error / middle, samples)
    half = float(stdtrit(len(norms.slopes) - 1, 0.975)) * error
    high = (norms.sigma / (middle - half)) ** 2 if middle > half else inf
    ends = (norms.sigma / (middle + half)) ** 2, high
    return NoiseScale("sign", estimate, ends, "ok", tokens)
