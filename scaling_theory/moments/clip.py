"""Exact Gaussian moments of clip(x / epsilon, -1, 1), the articles' stand-in for softsign."""

import math

import numpy as np
from scipy.special import ndtr

from scaling_theory.moments.record import Array, without_rounding

ACCURACY = 1e-12
"""What a variance is good to."""

# Below b = 1 the closed form divides differences of order b^2 by b^2; there Gauss-Legendre on
# [-b, b], whose integrand is entire and of unit scale, is exact to rounding.
_SMALL = 1.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


def clip_moments(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and s * gain, all [n], at a = g / s and b = epsilon / s > 0.

    Source: kexue.fm/archives/10563 for the mean; its second moment is integrated there but not
    printed (own derivation, by the same split at x = -epsilon and x = epsilon).
    gain = P(|x| < epsilon) / epsilon.
    """
    mean, variance, gain = np.empty_like(a), np.empty_like(a), np.empty_like(a)
    small, large = np.flatnonzero(b < _SMALL), np.flatnonzero(b >= _SMALL)
    mean[small], variance[small], gain[small] = _by_quadrature(a[small], b[small])
    mean[large], variance[large], gain[large] = _closed_form(a[large], b[large])
    return mean, variance, gain


def _closed_form(a: Array, b: Array) -> tuple[Array, Array, Array]:
    # Both moments are even or odd in a: with a >= 0 the tails keep their relative accuracy.
    size = np.abs(a)
    low, high = -b - size, b - size
    below, above = ndtr(low), ndtr(-high)
    inside = ndtr(high) - below
    low_height, high_height = _density(low), _density(high)
    mean = above - below + size / b * inside + (low_height - high_height) / b
    second = (
        above
        + below
        + (size / b) ** 2 * inside
        + (inside / b + (size / b - 1) * low_height - (size / b + 1) * high_height) / b
    )
    return np.sign(a) * mean, without_rounding(second - mean**2, ACCURACY), inside / b


def _by_quadrature(a: Array, b: Array) -> tuple[Array, Array, Array]:
    size = np.abs(a)
    inside, first, square = np.zeros_like(a), np.zeros_like(a), np.zeros_like(a)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        height = weight * _density(b * node - size)
        inside += height
        first += node * height
        square += node**2 * height
    below, above = ndtr(-b - size), ndtr(size - b)
    mean = above - below + b * first
    second = above + below + b * square
    return np.sign(a) * mean, without_rounding(second - mean**2, ACCURACY), inside


def _density(z: Array) -> Array:
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
