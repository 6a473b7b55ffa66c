"""The softsign family of update functions, safe over the whole floating-point range."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Floating-point arrays of the dtype that came in.
Kept = NDArray[Any]


def softsign(x: ArrayLike, epsilon: ArrayLike) -> Kept:
    """x / sqrt(x^2 + epsilon^2), epsilon INSIDE the root; 0 where both are 0.

    Torch's Adam has epsilon outside its root. epsilon has the unit of x. The dtype of x is kept.
    Source: kexue.fm/archives/10563, equation (2.1) of section 2.1 there.
    """
    top = _floating(x)
    # hypot neither overflows nor underflows where the squares would.
    root = np.hypot(top, np.asarray(epsilon, dtype=top.dtype))
    return _quotient(top, root)


def softsign_slope(x: ArrayLike, epsilon: ArrayLike) -> Kept:
    """Derivative of softsign by x: epsilon^2 / (x^2 + epsilon^2)^(3/2), unit 1 / x.

    At x = epsilon = 0 the derivative of the sign does not exist; 0, its value everywhere else.
    """
    top = _floating(x)
    width = np.asarray(epsilon, dtype=top.dtype)
    root = np.hypot(top, width)
    return _quotient(_quotient(width, root) ** 2, root)


def clipped(x: ArrayLike, epsilon: ArrayLike) -> Kept:
    """clip(x / epsilon, -1, 1), the sign of x where epsilon = 0 (kexue.fm/archives/10563)."""
    top = _floating(x)
    width = np.asarray(epsilon, dtype=top.dtype)
    # Clipping before dividing keeps x / epsilon from overflowing.
    inside = np.clip(top, -width, width)
    sharp: Kept = np.sign(top)
    return np.where(width > 0, _quotient(inside, width), sharp)


def _quotient(top: Kept, bottom: Kept) -> Kept:
    """top / bottom, 0 where the bottom is 0 (there the top is 0 too)."""
    out = np.zeros(np.broadcast_shapes(top.shape, bottom.shape), dtype=bottom.dtype)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out


def _floating(x: ArrayLike) -> Kept:
    array = np.asarray(x)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
