"""From moments of (a, b) = (g / s, epsilon / s) to moments of (g, s, epsilon), chunk by chunk."""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf, erfc

from scaling_theory.moments.record import Array

Triple = tuple[Array, Array, Array]
# A dozen arrays of this length stay in a core's cache.
_CHUNK = 1 << 14
# Below this ratio to the signal the noise is far under the spacing of floats around it, and g / s
# or its square would overflow.
_NO_NOISE = 1e-150


def sign_moments(a: Array, b: Array) -> Triple:
    """Mean, variance and s * gain at b = 0: erf(a / sqrt 2), 1 - erf^2, sqrt(2 / pi) e^(-a^2 / 2).

    Source: kexue.fm/archives/10542, the SignSGD mean; arXiv 2405.14578, theorem 2.
    """
    size = np.abs(a) / math.sqrt(2)
    mean = erf(size)
    # 1 - erf^2 = erfc (1 + erf) keeps relative accuracy where erf rounds to 1.
    return (
        np.copysign(mean, a),
        erfc(size) * (1 + mean),
        math.sqrt(2 / math.pi) * np.exp(-(size**2)),
    )


def chunked(
    moments: Callable[[Array, Array], Triple],
    function: Callable[[ArrayLike, ArrayLike], NDArray[Any]],
) -> Callable[[Array, Array, Array], Triple]:
    """Mean, variance and gain of (g, s, epsilon), of one shape, from those of (a, b).

    moments(a, b) gives mean, variance and s * gain for b > 0; at epsilon = 0 every function of
    this family is the sign, in closed form. function(g, epsilon) is the update itself, the mean
    where there is no noise (variance and gain are 0 there).
    Memory beyond input and output stays below ~4 MB per thread; one thread per processor core.
    The numbers do not depend on the number of threads.
    """

    def of_gradient(g: Array, s: Array, epsilon: Array) -> Triple:
        mean, variance, gain = np.zeros(g.size), np.zeros(g.size), np.zeros(g.size)
        flat = g.reshape(-1), s.reshape(-1), epsilon.reshape(-1)

        def fill(start: int) -> None:
            part = slice(start, start + _CHUNK)
            signal, scale, width = (array[part] for array in flat)
            mean[part] = function(signal, width)
            noisy = scale > np.hypot(signal, width) * _NO_NOISE
            for rows, formula in ((width == 0, sign_moments), (width > 0, moments)):
                chosen = np.flatnonzero(noisy & rows)
                unit = scale[chosen]
                level, spread, slope = formula(signal[chosen] / unit, width[chosen] / unit)
                chosen += start
                mean[chosen], variance[chosen], gain[chosen] = level, spread, slope / unit

        starts = range(0, g.size, _CHUNK)
        if len(starts) == 1:
            fill(0)
        else:
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                for _ in pool.map(fill, starts):
                    pass
        return mean.reshape(g.shape), variance.reshape(g.shape), gain.reshape(g.shape)

    return of_gradient
