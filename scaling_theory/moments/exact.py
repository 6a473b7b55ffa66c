"""Exact Gaussian moments of softsign: the reference, every coordinate by quadrature.

Own derivation. With x ~ N(g, s^2), a = g / s and b = epsilon / s,

    E[u]   = sqrt(2/pi) a int_0^1 exp(-a^2 y^2 / 2 - b^2 y^2 / (2 (1 - y^2))) dy
    s gain = sqrt(2/pi)   int_0^1 (1 - a^2 y^2) exp(same) dy
    E[u^2] = 1 - sqrt(pi/2) b Re w((a + i b) / sqrt(2)),     w the Faddeeva function.

The first follows from 1 / sqrt(r) = (2 / sqrt(pi)) int_0^inf exp(-r t^2) dt and
y = sqrt(2) s t / sqrt(1 + 2 s^2 t^2); the second is its derivative by g; the third is a Voigt
profile. Absolute error at most 1e-10 (in fact below 1e-12) for |a| up to 1e3, b in 1e-6...1e6.
"""

import math

import numpy as np
from scipy.special import wofz

from scaling_theory.moments.record import Array, without_rounding

ACCURACY = 1e-12
"""What a variance is good to."""

# The slowest to converge is b near 0.01: 65 nodes of step 0.1 give 6e-9, 93 of 0.07 give 1.1e-10.
_NODES = 143
_STEP = 0.045
# Beyond y = 9.5 / hypot(a, b) the integrand is below exp(-45) of its value at 0.
_CUT = 9.5
# From here on 1 - sqrt(pi/2) b Re w loses digits and the series below has them all.
_FAR = 30.0


def _tanh_sinh() -> tuple[Array, Array, Array]:
    """Nodes t in (0, 1), 1 - t without cancellation, and weights; double exponential."""
    x = _STEP * (np.arange(_NODES) - _NODES // 2)
    node = 1 / (1 + np.exp(-math.pi * np.sinh(x)))
    rest = 1 / (1 + np.exp(math.pi * np.sinh(x)))
    return node, rest, _STEP * math.pi * np.cosh(x) * node * rest


_RULE = _tanh_sinh()


def mean_and_gain(a: Array, b: Array) -> tuple[Array, Array]:
    """E[u] and s * gain of the softsign at a = g / s, b = epsilon / s >= 0, both [n]."""
    radius = np.hypot(a, b)
    cut = np.minimum(1.0, _CUT / np.maximum(radius, _CUT))
    # Scaling before squaring: a * cut and b * cut never exceed _CUT where they matter.
    a2, b2 = (a * cut) ** 2, (b * cut) ** 2
    plain, weighted = np.zeros_like(a), np.zeros_like(a)
    for node, rest, weight in zip(*_RULE, strict=True):
        complement = ((1 - cut) + cut * rest) * (1 + cut * node)  # 1 - y^2
        height = weight * np.exp(-0.5 * node**2 * (a2 + b2 / complement))
        plain += height
        weighted += (1 - node**2 * a2) * height
    factor = math.sqrt(2 / math.pi) * cut
    return factor * a * plain, factor * weighted


def second_moment(a: Array, b: Array) -> Array:
    """E[u^2] of the softsign at a = g / s, b = epsilon / s >= 0, both [n]."""
    far = np.hypot(a, b) >= _FAR
    result = np.empty_like(a)
    near_a, near_b = a[~far], b[~far]
    voigt = wofz((near_a + 1j * near_b) / math.sqrt(2)).real
    result[~far] = 1 - math.sqrt(math.pi / 2) * near_b * voigt
    result[far] = second_moment_series(a[far], b[far])
    return result


def second_moment_series(a: Array, b: Array, terms: int = 10) -> Array:
    """Large-argument series of E[u^2]; the first omitted term is (2 terms + 1)!! / hypot^2terms.

    a^2 / (a^2 + b^2) + b Im sum_{k >= 1} (2k - 1)!! zeta^-(2k + 1),  zeta = a + i b.
    It keeps relative accuracy at large b, where E[u^2] ~ (a^2 + 1) / b^2.
    """
    radius = np.hypot(a, b)
    # b * zeta^-1 stays of order one where zeta^-(2k+1) alone would underflow.
    inverse = (a - 1j * b) / radius / radius
    square = inverse**2
    total = np.zeros_like(inverse)
    for k in range(terms, 0, -1):
        total = (total + 1) * (2 * k - 1) * square
    return (a / radius) ** 2 + (b * inverse * total).imag


def exact_moments(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and s * gain of the softsign, all [n], at a = g / s, b = epsilon / s > 0."""
    mean, gain = mean_and_gain(a, b)
    second = second_moment(a, b)
    return mean, without_rounding(second - mean**2, ACCURACY), gain
