"""A network described by four pure numbers, for orientation where nothing was measured.

Coordinates share one sigma (the unit of g and epsilon) and one Hessian diagonal (its mean is the
unit of curvature), and off the diagonal H follows the signs of g. With s = 1/sqrt(B) and averages
over coordinates <.> of the exact softsign moments mu, V and gain A, the law reads (own derivation
from the correlated-noise expansion; kexue.fm/archives/10563 for independent noise)

    eta*(B) = <mu g> / ( <mu^2> + (Q/T - 1) <|mu|>^2 + <V> + (R - 1) s^2 <A>^2 ).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError, require_not_negative, require_positive
from scaling_theory.moments import softsign_moments

Array = NDArray[np.float64]
Spread = Literal["uniform", "gaussian"]
SPREADS: tuple[Spread, ...] = get_args(Spread)

FARTHEST = 1e50
"""Signal-to-noise beyond which, or below the inverse of which, B_simple leaves the numbers."""

_NODES = 41


@dataclass(frozen=True)
class DimensionlessNetwork:
    """signal_to_noise: rms g / sigma, for one sequence. curvature_ratio: Q/T, Q = sign(g)^T H
    sign(g), T = Tr H. noise_correlation: R = Tr(H C)/T, C the noise correlation matrix; 1 is
    independent noise. spread: |g| alike in all coordinates, or g normal over them.
    """

    signal_to_noise: float
    curvature_ratio: float
    noise_correlation: float = 1.0
    spread: Spread = "gaussian"

    def __post_init__(self) -> None:
        require_positive(self.signal_to_noise, "signal-to-noise", "give rms g / rms sigma, as 0.05")
        if not 1 / FARTHEST <= self.signal_to_noise <= FARTHEST:
            raise InputError(
                f"signal-to-noise is {self.signal_to_noise:g}; a number from {1 / FARTHEST:g} to "
                f"{FARTHEST:g} is wanted: give rms g / rms sigma, as 0.05"
            )
        require_positive(
            self.curvature_ratio,
            "curvature ratio Q/T",
            "there is no minimum along this direction otherwise",
        )
        require_not_negative(self.noise_correlation, "noise correlation", "1 is independent noise")
        if self.spread not in SPREADS:
            raise InputError(f"spread is '{self.spread}'; one of {', '.join(SPREADS)} is wanted")

    @property
    def simple_batch(self) -> float:
        """B_simple = 1 / signal_to_noise^2, sequences."""
        return 1 / self.signal_to_noise**2

    def learning_rates(self, batch_sizes: Sequence[float], epsilon: float) -> Array:
        """eta* in units of sigma / mean H_ii, [n]; B in sequences, infinity allowed; epsilon in
        units of sigma. NaN where the curvature is not positive: no minimum along this direction.
        """
        require_not_negative(epsilon, "epsilon", "give it in units of sigma; 0 means sign")
        scale = np.array([0.0 if inf == B else 1 / sqrt(_batch(B)) for B in batch_sizes])
        g = self._gradients()[None, :]
        moments = softsign_moments(g, np.repeat(scale[:, None], g.size, axis=1), epsilon)
        mean, size = moments.mean, np.abs(moments.mean)
        descent = (mean * g).mean(axis=1)
        signal = (mean**2).mean(axis=1) + (self.curvature_ratio - 1) * size.mean(axis=1) ** 2
        linear = (scale * moments.gain.mean(axis=1)) ** 2
        noise = moments.variance.mean(axis=1) + (self.noise_correlation - 1) * linear
        curvature = signal + noise
        found: Array = np.full(scale.shape, np.nan)
        np.divide(descent, curvature, out=found, where=curvature > 0)
        return found

    def _gradients(self) -> Array:
        if self.spread == "uniform":
            return np.array([self.signal_to_noise])
        normal = NormalDist()
        # Both signs of g contribute alike: nodes at quantiles of |g|, their mean square restored.
        nodes = np.array([normal.inv_cdf(0.5 + (k + 0.5) / (2 * _NODES)) for k in range(_NODES)])
        scaled: Array = self.signal_to_noise * nodes / sqrt(float(np.mean(nodes**2)))
        return scaled


def _batch(batch_size: float) -> float:
    if not isfinite(batch_size):
        raise InputError(f"batch size is {batch_size}; a number of sequences is wanted")
    return require_positive(batch_size, "batch size", "give it in sequences")
