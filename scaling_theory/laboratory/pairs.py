"""Exact covariance of two updates whose gradients are jointly normal.

x ~ N(g_i, s_i^2), y ~ N(g_j, s_j^2) with correlation r. No expansion in r: these are the truth that
the closures of the noise curvature approximate.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, owens_t

from scaling_theory.laboratory.quadratic import FloatArray, as_array


def sign_covariance(standardised: FloatArray, correlation: FloatArray) -> FloatArray:
    """Cov(sign x_i, sign x_j) for every pair, [P, P].

    standardised: a_i = g_i / s_i, [P] (infinite where s_i = 0: such a sign has no variance).
    correlation: R, [P, P]. With the bivariate normal distribution function
    Phi_2(a, b; r) = P(z_1 < a, z_2 < b) and sign(a_i + z_i) = 2 [z_i > -a_i] - 1,
    Cov = 4 (Phi_2(a, b; r) - Phi(a) Phi(b)), and Phi_2 by Owen's T function (Owen 1956). For a = 0
    this is (2/pi) arcsin R (orthant probability). Absolute error below 1e-14.
    """
    a = np.asarray(standardised, dtype=np.float64)
    finite = np.isfinite(a)
    a = np.where(finite, a, 0.0)
    left, right = np.broadcast_arrays(a[:, None], a[None, :])
    together = bivariate_normal(left, right, correlation)
    covariance = as_array(4.0 * (together - ndtr(left) * ndtr(right)))
    np.fill_diagonal(covariance, 4.0 * ndtr(a) * ndtr(-a))
    covariance[~finite, :] = 0.0
    covariance[:, ~finite] = 0.0
    return covariance


def bivariate_normal(a: FloatArray, b: FloatArray, r: FloatArray) -> FloatArray:
    """Phi_2(a, b; r) = P(z_1 < a, z_2 < b), standard normals with correlation r; broadcasts."""
    a, b, r = (np.array(v, dtype=np.float64) for v in np.broadcast_arrays(a, b, r))
    root = np.sqrt((1.0 - r) * (1.0 + r))
    # Owen's formula divides by a, b and root; the two singular cases have limits of their own.
    edge = root == 0.0
    safe_root = np.where(edge, 1.0, root)
    value = 0.5 * (ndtr(a) + ndtr(b)) - _owen(a, b, r, safe_root) - _owen(b, a, r, safe_root)
    opposite = (a * b < 0) | ((a * b == 0) & (a + b < 0))
    value = np.where(opposite, value - 0.5, value)
    # Both at the origin: the two quotients of Owen's formula are 0/0; Sheppard's formula instead.
    value = np.where((a == 0) & (b == 0), 0.25 + np.arcsin(r) / (2 * np.pi), value)
    together = np.where(r > 0, ndtr(np.minimum(a, b)), np.maximum(ndtr(a) - ndtr(-b), 0.0))
    return np.where(edge, together, value)


def _owen(h: FloatArray, k: FloatArray, r: FloatArray, root: FloatArray) -> FloatArray:
    """T(h, (k - r h) / (h root)), with its limit sign(k)/4 -> T(0, +-inf) at h = 0."""
    at_zero = h == 0.0
    quotient = (k - r * h) / (np.where(at_zero, 1.0, h) * root)
    quotient = np.where(at_zero, np.copysign(np.inf, k), quotient)
    return np.asarray(owens_t(h, quotient), dtype=np.float64)
