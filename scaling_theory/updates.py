"""The update rules, one table entry each: theta <- theta - learning_rate * apply(gradient)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaling_theory.moments import Moments, softsign, softsign_moments


@dataclass(frozen=True)
class UpdateRule:
    """An element-wise update direction u = phi(batch gradient) and its Gaussian moments.

    apply(x, epsilon): phi on an array, dtype and shape kept.
    moments(g, s, epsilon, variant): moments of phi(g + s z), s = sigma / sqrt(B).
    uses_epsilon: whether epsilon matters; a rule that ignores it accepts any value.
    """

    name: str
    apply: Callable[[ArrayLike, float], NDArray[Any]]
    moments: Callable[[ArrayLike, ArrayLike, float, str], Moments]
    uses_epsilon: bool


def _gradient(x: ArrayLike, epsilon: float) -> NDArray[Any]:
    array = np.array(x)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)


def _gradient_moments(g: ArrayLike, s: ArrayLike, epsilon: float, variant: str) -> Moments:
    # A linear rule has the same moments in every variant: they only approximate softsign.
    mean, scale = np.broadcast_arrays(np.asarray(g, float), np.asarray(s, float))
    return Moments(mean, scale**2, np.where(scale > 0, 1.0, 0.0), scale, variant, accuracy=0.0)


def _sign(x: ArrayLike, epsilon: float) -> NDArray[Any]:
    return softsign(x, 0.0)


def _sign_moments(g: ArrayLike, s: ArrayLike, epsilon: float, variant: str) -> Moments:
    return softsign_moments(g, s, 0.0, variant)


UPDATE_RULES: dict[str, UpdateRule] = {
    rule.name: rule
    for rule in (
        UpdateRule("sgd", _gradient, _gradient_moments, uses_epsilon=False),
        UpdateRule("signsgd", _sign, _sign_moments, uses_epsilon=False),
        UpdateRule("softsignsgd", softsign, softsign_moments, uses_epsilon=True),
    )
}
