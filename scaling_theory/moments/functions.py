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
    value, width = _operands(x, epsilon)
    size, larger, root = _relative_root(value, width)
    return np.copysign(_quotient(size, larger) / root, value)


def softsign_slope(x: ArrayLike, epsilon: ArrayLike) -> Kept:
    """Derivative of softsign by x: epsilon^2 / (x^2 + epsilon^2)^(3/2), unit 1 / x.

    At x = epsilon = 0 the derivative of the sign does not exist; 0, its value everywhere else.
    """
    value, width = _operands(x, epsilon)
    _, larger, root = _relative_root(value, width)
    return _quotient(_quotient(width, larger) ** 2 / root**3, larger)


def clipped(x: ArrayLike, epsilon: ArrayLike) -> Kept:
    """clip(x / epsilon, -1, 1), the sign of x where epsilon = 0 (kexue.fm/archives/10563)."""
    value, width = _operands(x, epsilon)
    # Clipping before dividing keeps x / epsilon from overflowing.
    inside = np.clip(value, -width, width)
    sharp: Kept = np.sign(value)
    return np.where(width > 0, _quotient(inside, width), sharp)


def _operands(x: ArrayLike, epsilon: ArrayLike) -> tuple[Kept, Kept]:
    """Both as arrays of the floating-point type of x, float64 where x has none."""
    value = np.asarray(x)
    if not np.issubdtype(value.dtype, np.floating):
        value = value.astype(np.float64)
    return value, np.asarray(epsilon, dtype=value.dtype)


def _relative_root(value: Kept, width: Kept) -> tuple[Kept, Kept, Kept]:
    """|x|, the larger of |x| and epsilon, and sqrt(x^2 + epsilon^2) over the larger.

    Neither overflows nor underflows where the squares, or the root itself, would.
    """
    size = np.abs(value)
    larger = np.maximum(size, width)
    return size, larger, np.sqrt(1 + _quotient(np.minimum(size, width), larger) ** 2)


def _quotient(top: Kept, bottom: Kept) -> Kept:
    """top / bottom, 0 where the bottom is 0 (there the top is 0 too)."""
    out = np.zeros(np.broadcast_shapes(top.shape, bottom.shape), dtype=bottom.dtype)
    np.divide(top, bottom, out=out, where=bottom > 0)
    return out
