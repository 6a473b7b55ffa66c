"""Moments by the definition: the update times the Gaussian density, integrated piece by piece."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from scipy.integrate import quad

REACH = 13.0
"""The density beyond 13 standard deviations holds 1e-38 of the mass."""


def gaussian_mean(function: Callable[[float], float], a: float, b: float) -> float:
    """E[function(x)], x ~ N(a, 1), for a function that changes on the scale b around 0.

    The pieces grow geometrically away from 0, from b to the reach of the density, and are cut at
    every standard deviation too: on each of them the integrand is smooth.
    """
    grading = [b * 3.0**k for k in range(-2, 40) if b * 3.0**k < abs(a) + REACH]
    inside = [-x for x in grading] + [0.0, *grading] + [a + z for z in range(-12, 13)]
    low, high = a - REACH, a + REACH
    cuts = sorted({low, high, *(x for x in inside if low < x < high)})

    def integrand(x: float) -> float:
        return function(x) * math.exp(-((x - a) ** 2) / 2)

    pieces = [
        quad(integrand, left, right, epsabs=1e-15, epsrel=1e-11)[0]
        for left, right in pairwise(cuts)
    ]
    return math.fsum(pieces) / math.sqrt(2 * math.pi)


def softsign_by_definition(a: float, b: float) -> tuple[float, float, float]:
    """Mean, second moment and gain (times s) of x / sqrt(x^2 + b^2), x ~ N(a, 1)."""
    return (
        gaussian_mean(lambda x: x / math.hypot(x, b), a, b),
        gaussian_mean(lambda x: (x / math.hypot(x, b)) ** 2, a, b),
        gaussian_mean(lambda x: (b / math.hypot(x, b)) ** 2 / math.hypot(x, b), a, b),
    )


def clip_by_definition(a: float, b: float) -> tuple[float, float, float]:
    """Mean, second moment and gain (times s) of clip(x / b, -1, 1), x ~ N(a, 1)."""
    # The corners at +-b are cuts: b itself is one step of the grading.
    return (
        gaussian_mean(lambda x: max(-1.0, min(1.0, x / b)), a, b),
        gaussian_mean(lambda x: min(1.0, abs(x / b)) ** 2, a, b),
        gaussian_mean(lambda x: 1 / b if abs(x) < b else 0.0, a, b),
    )
