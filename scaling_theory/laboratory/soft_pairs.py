"""Exact covariance of softsign updates of jointly normal gradients, by quadrature over pairs.

Given the first standard normal z, the second coordinate is normal again, so the two-dimensional
integral is one-dimensional over its exact mean m_j(z) = E[phi(x_j) | z]:
Cov = int phi(g_i + s_i z) (m_j(z) - mu_j) N(z; 0, 1) dz. Cost grows as P^2: small problems only.
"""

from __future__ import annotations

import numpy as np

from scaling_theory.errors import InputError
from scaling_theory.laboratory.quadratic import FloatArray
from scaling_theory.moments import softsign_moments
from scaling_theory.moments.functions import softsign

LARGEST = 24
"""Coordinates up to which the quadrature answers (276 pairs)."""

_REACH = 9.0  # |z| beyond this carries less than 3e-19
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def softsign_covariance(
    gradient: FloatArray, deviation: FloatArray, correlation: FloatArray, epsilon: float
) -> FloatArray:
    """Cov(phi(x_i), phi(x_j)) for every pair, [P, P]; absolute error below 1e-9.

    gradient g and deviation s = sigma / sqrt(B), [P], in gradient units like epsilon (inside the
    root); correlation R, [P, P]. Raises InputError beyond LARGEST coordinates.
    """
    size = gradient.size
    if size > LARGEST:
        raise InputError(
            f"{size} coordinates; quadrature over pairs takes at most {LARGEST}: simulate instead"
        )
    moments = softsign_moments(gradient, deviation, epsilon)
    covariance = np.diag(moments.variance)
    rows, columns = np.triu_indices(size, 1)
    noisy = (deviation[rows] > 0) & (deviation[columns] > 0) & (correlation[rows, columns] != 0)
    rows, columns = rows[noisy], columns[noisy]
    if rows.size == 0:
        return covariance
    g1, s1 = gradient[rows, None], deviation[rows, None]
    g2, s2 = gradient[columns, None], deviation[columns, None]
    r = correlation[rows, columns, None]
    rest = np.sqrt((1.0 - r) * (1.0 + r))
    z, weight = _nodes(
        np.hstack([-g1 / s1, -g2 / (s2 * r)]),
        np.hstack([epsilon / s1, np.hypot(epsilon / s2, rest) / np.abs(r)]),
    )
    conditional = softsign_moments(g2 + s2 * r * z, s2 * rest, epsilon).mean
    first = softsign(g1 + s1 * z, epsilon)
    integrand = first * (conditional - moments.mean[columns, None])
    value = np.sum(weight * integrand, axis=1)
    covariance[rows, columns] = value
    covariance[columns, rows] = value
    return covariance


def _nodes(kinks: FloatArray, scales: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for N(z; 0, 1) dz, panels halving towards each kink, [pairs, n].

    kinks: where an integrand turns, [pairs, k]; scales: over what distance it turns there.
    """
    smallest = max(float(scales.min()), 1e-12)
    levels = int(np.ceil(np.log2(2 * _REACH / smallest))) + 2
    distances = 2 * _REACH * 2.0 ** -np.arange(levels)
    offsets = np.concatenate([-distances, [0.0], distances])
    graded = (kinks[:, :, None] + offsets).reshape(len(kinks), -1)
    uniform = np.broadcast_to(np.linspace(-_REACH, _REACH, 19), (len(kinks), 19))
    edges = np.sort(np.clip(np.hstack([graded, uniform]), -_REACH, _REACH), axis=1)
    left, width = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
    z = left + width * (_NODES + 1) / 2
    weight = width / 2 * _WEIGHTS * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return z.reshape(len(kinks), -1), weight.reshape(len(kinks), -1)
