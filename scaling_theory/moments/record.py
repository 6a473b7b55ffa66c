"""What every moment variant returns, and what it receives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Moments of u = phi(x), x ~ N(g, s^2), per coordinate; all arrays share one shape.

    mean: E[u], dimensionless for the softsign family.
    variance: Var(u).
    gain: E[phi'(x)] = d mean / d g, unit 1 / gradient. 0 where s = 0: there it multiplies
        a noise that is absent, so its value is irrelevant.
    noise_scale: s = sigma / sqrt(B), unit of a gradient.
    variant: the name of the approximation that made these numbers.
    accuracy: bound on the numerical error of a variance; 0 for closed forms.
    """

    mean: Array
    variance: Array
    gain: Array
    noise_scale: Array
    variant: str
    accuracy: float

    @property
    def second(self) -> Array:
        """E[u^2] = variance + mean^2."""
        return self.variance + self.mean**2

    @property
    def residual_variance(self) -> Array:
        """V - (gain s)^2: the variance that is not linear in the noise (own derivation).

        Never negative for exact moments of a function (Hermite expansion: V is the sum of
        c_k^2 / k! and c_1 = gain s); a negative within `accuracy` is returned as 0. Approximate
        variants need not obey this: a true negative stays negative.
        """
        residual = self.variance - (self.gain * self.noise_scale) ** 2
        return without_rounding(residual, self.accuracy)


def without_rounding(difference: Array, accuracy: float) -> Array:
    """Negatives down to -accuracy become 0, the others stay."""
    return np.where((difference < 0) & (difference >= -accuracy), 0.0, difference)
