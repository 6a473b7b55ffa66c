"""Moments of softsign under Gaussian gradient noise, in named, interchangeable variants.

exact: quadrature and the Faddeeva function, absolute error below 1e-10; the reference.
exact_bulk: the same numbers to 1e-6 for very long vectors, several times faster.
clip: exact moments of clip(x / epsilon, -1, 1) in the place of softsign.
algebraic: the article's formulas with pi / 2, coordinate by coordinate.
mean_field_pi_half, mean_field_one: one noise-to-signal ratio (a ratio of means over the last
    axis) for all coordinates, with shape constant c = pi / 2 or c = 1.
At epsilon = 0 the first three are the closed forms of the sign.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from scaling_theory.errors import InputError
from scaling_theory.moments import bulk, clip, exact
from scaling_theory.moments.algebraic import algebraic_moments, mean_field_moments
from scaling_theory.moments.chunks import Triple, chunked
from scaling_theory.moments.functions import clipped, softsign, softsign_slope
from scaling_theory.moments.record import Array, Moments

__all__ = ["VARIANTS", "Moments", "clipped", "softsign", "softsign_moments", "softsign_slope"]

VARIANTS: dict[str, Callable[[Array, Array, Array], Triple]] = {
    "exact": chunked(exact.exact_moments, softsign),
    "exact_bulk": chunked(bulk.bulk_moments, softsign),
    "clip": chunked(clip.clip_moments, clipped),
    "algebraic": algebraic_moments,
    "mean_field_pi_half": partial(mean_field_moments, shape_constant=math.pi / 2),
    "mean_field_one": partial(mean_field_moments, shape_constant=1.0),
}
_ACCURACY = {"exact": exact.ACCURACY, "exact_bulk": bulk.ACCURACY, "clip": clip.ACCURACY}


def softsign_moments(
    g: ArrayLike, s: ArrayLike, epsilon: ArrayLike, variant: str = "exact"
) -> Moments:
    """Moments of u = x / sqrt(x^2 + epsilon^2), x ~ N(g, s^2), epsilon inside the root.

    g, s, epsilon: broadcast against each other, the last axis running over coordinates; all in
    the unit of a gradient; s = sigma / sqrt(B) >= 0 with sigma per sequence for B sequences.
    variant: a key of VARIANTS.
    Where s = 0: mean = softsign(g, epsilon) (0 for g = epsilon = 0), variance = gain = 0.

    Raises InputError for an unknown variant, a negative s or epsilon, or a value not finite.
    """
    if variant not in VARIANTS:
        raise InputError(
            f"moment variant {variant!r} came; one of {', '.join(VARIANTS)} is wanted; pick one"
        )
    arrays = [np.asarray(value, dtype=np.float64) for value in (g, s, epsilon)]
    for name, array in zip(("g", "s", "epsilon"), arrays, strict=True):
        if not np.isfinite(array).all():
            raise InputError(f"{name} holds NaN or infinity; finite numbers are wanted; check them")
        if name != "g" and (array < 0).any():
            raise InputError(f"{name} holds {array.min():g}; values >= 0 are wanted")
    full = np.broadcast_arrays(*arrays)
    flat = [np.atleast_1d(array) for array in full]
    mean, variance, gain = (part.reshape(full[0].shape) for part in VARIANTS[variant](*flat))
    gain[full[1] == 0] = 0.0
    for array in (mean, variance, gain):
        array.setflags(write=False)
    return Moments(mean, variance, gain, full[1], variant, _ACCURACY.get(variant, 0.0))
