"""Exact moments of softsign for very long vectors: absolute error at most 1e-6, a few seconds.

Same integrals as the reference in `exact`, evaluated by other means. With r = hypot(a, b):

r < 8: Gauss-Legendre after y = 1 - q^4, which crowds nodes towards y = 1, where small b puts
    a layer of width b^2.
r >= 8: the Taylor series of softsign around g, averaged term by term (own derivation). From the
    generating function of the Legendre polynomials, with u = a / r,
        E[u]   = u - (1 - u^2) sum_{k >= 1} (2k - 1)!! r^-2k P'_2k(u) / (2k)
        s gain = (1 - u^2) / r sum_{k >= 0} (2k - 1)!! r^-2k P'_{2k+1}(u).
"""

import math

import numpy as np

from scaling_theory.moments.exact import second_moment
from scaling_theory.moments.record import Array, without_rounding

ACCURACY = 1e-6
"""What a variance is good to."""

_FAR = 8.0
_NODES = 28
_TERMS = 8


def bulk_moments(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and s * gain of the softsign, all [n], at a = g / s, b = epsilon / s > 0."""
    mean, gain = np.empty_like(a), np.empty_like(a)
    radius = np.hypot(a, b)
    near, far = np.flatnonzero(radius < _FAR), np.flatnonzero(radius >= _FAR)
    mean[near], gain[near] = _near(a[near], b[near])
    mean[far], gain[far] = legendre_series(a[far], b[far])
    second = second_moment(a, b)
    return mean, without_rounding(second - mean**2, ACCURACY), gain


def _crowded_gauss() -> tuple[Array, Array, Array]:
    """y^2 / 2, y^2 / (2 (1 - y^2)) and weights of Gauss-Legendre in q, y = 1 - q^4."""
    x, weight = np.polynomial.legendre.leggauss(_NODES)
    q = (1 + x) / 2
    y = 1 - q**4
    return y**2 / 2, y**2 / (2 * q**4 * (1 + y)), 2 * q**3 * weight


_RULE = _crowded_gauss()


def _near(a: Array, b: Array) -> tuple[Array, Array]:
    a2, b2 = -(a**2), -(b**2)
    plain, weighted = np.zeros_like(a), np.zeros_like(a)
    height, other = np.empty_like(a), np.empty_like(a)
    for half_square, ratio, weight in zip(*_RULE, strict=True):
        np.multiply(a2, half_square, out=height)
        np.multiply(b2, ratio, out=other)
        height += other
        np.exp(height, out=height)
        height *= weight
        plain += height
        height *= half_square
        weighted += height
    factor = math.sqrt(2 / math.pi)
    return factor * a * plain, factor * (plain + 2 * a2 * weighted)


def legendre_series(a: Array, b: Array, terms: int = _TERMS) -> tuple[Array, Array]:
    """E[u] and s * gain at large hypot(a, b); the error is of the order of the last term."""
    radius = np.hypot(a, b)
    u, inverse2 = a / radius, radius**-2.0
    slope_before, slope = np.zeros_like(a), np.ones_like(a)  # P'_0, P'_1
    power = np.ones_like(a)  # (2k - 1)!! r^-2k
    mean_sum, gain_sum = np.zeros_like(a), np.ones_like(a)
    for k in range(1, terms + 1):
        power *= (2 * k - 1) * inverse2
        for n in (2 * k - 1, 2 * k):
            slope_before, slope = slope, ((2 * n + 1) * u * slope - (n + 1) * slope_before) / n
            if n % 2:
                mean_sum += power * slope / (2 * k)
        gain_sum += power * slope
    falloff = (b / radius) ** 2  # 1 - u^2
    return u - falloff * mean_sum, falloff / radius * gain_sum
