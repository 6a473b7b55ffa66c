"""Exact covariances of pairs of updates, against three routes that share no code with them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from scaling_theory.errors import InputError
from scaling_theory.laboratory.pairs import bivariate_normal, sign_covariance
from scaling_theory.laboratory.soft_pairs import softsign_covariance

MEANS = (-3.0, -1.0, -0.2, 0.0, 0.3, 1.5, 4.0)
CORRELATIONS = (-0.999, -0.7, -0.1, 0.0, 0.3, 0.9, 0.9999)


def pair(correlation: float) -> np.ndarray:
    return np.array([[1.0, correlation], [correlation, 1.0]])


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_bivariate_normal_against_scipy(correlation: float) -> None:
    """Rung: another library (scipy's multivariate normal, its own error near 1e-14 in 2-D)."""
    first, second = (m.ravel() for m in np.meshgrid(MEANS, MEANS))
    reference = multivariate_normal(cov=pair(correlation), allow_singular=True)
    ours = bivariate_normal(first, second, np.array(correlation))
    np.testing.assert_allclose(ours, reference.cdf(np.c_[first, second]), atol=1e-12)


def test_bivariate_normal_when_one_coordinate_decides() -> None:
    """Rung: closed form (r = 1: P(z < min); r = -1: P(-b < z < a))."""
    a, b = np.array([0.5, -1.0, -2.0, 0.0]), np.array([1.0, 2.0, 1.0, 0.0])
    together = bivariate_normal(a, b, np.array(1.0))
    opposite = bivariate_normal(a, b, np.array(-1.0))
    normal = multivariate_normal(cov=1.0).cdf
    np.testing.assert_allclose(together, normal(np.minimum(a, b)), atol=1e-15)
    np.testing.assert_allclose(opposite, np.maximum(normal(a) - normal(-b), 0.0), atol=1e-15)


@pytest.mark.parametrize("correlation", [-0.95, -0.5, 0.2, 0.8, 0.95])
def test_sign_covariance_against_the_integral_over_correlation(correlation: float) -> None:
    """Rung: quadrature (Plackett: dCov/dr = 4 phi_2(a, b; r), so an integral over arcsin r)."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    angle = np.arcsin(correlation) * (nodes + 1) / 2
    for a in MEANS:
        for b in MEANS:
            form = a * a + b * b - 2 * a * b * np.sin(angle)
            heights = np.exp(-form / (2 * np.cos(angle) ** 2))
            integral = (2 / np.pi) * np.arcsin(correlation) / 2 * (weights @ heights)
            ours = sign_covariance(np.array([a, b]), pair(correlation))[0, 1]
            # 400 nodes: the integrand is analytic, its narrowest feature cos(angle) ~ 0.3 wide.
            assert ours == pytest.approx(integral, abs=1e-12)


def test_sign_covariance_without_signal_is_the_arcsine_law() -> None:
    """Rung: closed form ((2 / pi) arcsin R, 1 on the diagonal), g = 0."""
    for correlation in CORRELATIONS:
        matrix = sign_covariance(np.zeros(2), pair(correlation))
        # arcsin turns an ulp of r near 1 into 1e-14.
        assert matrix[0, 1] == pytest.approx(2 / np.pi * np.arcsin(correlation), abs=1e-13)
        np.testing.assert_allclose(np.diag(matrix), 1.0)


def test_signs_without_noise_have_no_covariance() -> None:
    """Rung: closed form (sigma = 0)."""
    matrix = sign_covariance(np.array([np.inf, 0.0, -np.inf]), np.eye(3))
    np.testing.assert_array_equal(matrix, np.diag([0.0, 1.0, 0.0]))


@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.01, 0.3, 3.0, 1e3])
def test_softsign_covariance_against_plain_quadrature(epsilon: float) -> None:
    """Rung: slow brute force (a product rule in two dimensions, panels at the kinks of both)."""
    gradient, deviation = np.array([0.4, -0.9]), np.array([1.0, 2.0])
    for correlation in (-0.8, 0.3, 0.95):
        ours = softsign_covariance(gradient, deviation, pair(correlation), epsilon)
        brute = brute_covariance(gradient, deviation, correlation, epsilon)
        np.testing.assert_allclose(ours, brute, atol=1e-8)


def brute_covariance(
    gradient: np.ndarray, deviation: np.ndarray, correlation: float, epsilon: float
) -> np.ndarray:
    """Cov of two softsigns from x = epsilon sinh(t), where softsign is tanh(t): no kinks left."""
    softening = max(epsilon, 1e-9)
    axes = []
    for g, s in zip(gradient, deviation, strict=True):
        low, high = np.arcsinh((g + s * np.array([-8.5, 8.5])) / softening)
        t = np.linspace(float(low), float(high), 2001)
        width = np.full(t.size, t[1] - t[0]) * softening * np.cosh(t)
        width[[0, -1]] /= 2
        phi = np.tanh(t) if epsilon > 0 else np.sign(t)
        axes.append((softening * np.sinh(t) - g, width, phi, s))
    (x, dx, u, s), (y, dy, v, q) = axes
    form = (x[:, None] / s) ** 2 + (y / q) ** 2 - 2 * correlation * np.outer(x / s, y / q)
    rest = 1 - correlation**2
    density = np.exp(-form / (2 * rest)) / (2 * np.pi * s * q * np.sqrt(rest))
    mass = dx[:, None] * density * dy
    means = np.array([u @ mass.sum(axis=1), v @ mass.sum(axis=0)])
    seconds = np.array(
        [[(u * u) @ mass.sum(axis=1), u @ mass @ v], [0, (v * v) @ mass.sum(axis=0)]]
    )
    seconds[1, 0] = seconds[0, 1]
    return np.asarray(seconds - np.outer(means, means))


def test_softsign_covariance_meets_its_limits() -> None:
    """Rung: closed form (epsilon = 0 is the sign; epsilon -> infinity is Sigma / epsilon^2)."""
    gradient, deviation = np.array([0.4, -0.9, 0.0]), np.array([1.0, 2.0, 0.5])
    matrix = np.array([[1.0, 0.6, -0.3], [0.6, 1.0, 0.1], [-0.3, 0.1, 1.0]])
    sign = softsign_covariance(gradient, deviation, matrix, 0.0)
    np.testing.assert_allclose(sign, sign_covariance(gradient / deviation, matrix), atol=1e-10)
    linear = 1e8 * softsign_covariance(gradient, deviation, matrix, 1e4)
    # Corrections are of relative order (g^2 + s^2) / epsilon^2 = 1e-7.
    np.testing.assert_allclose(linear, np.outer(deviation, deviation) * matrix, rtol=1e-6)


def test_large_problems_are_refused() -> None:
    """Rung: closed form (the quadrature over pairs grows as P^2)."""
    with pytest.raises(InputError, match="simulate instead"):
        softsign_covariance(np.ones(25), np.ones(25), np.eye(25), 1.0)
