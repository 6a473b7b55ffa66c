"""The articles' algebraic moments: their formulas, their errors, one ratio for all coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory.moments import softsign, softsign_moments
from scaling_theory.moments.algebraic import noise_to_signal

G = np.array([0.3, -1.0, 0.0, 2.0, 0.01])
S = np.array([1.0, 0.2, 0.7, 3.0, 0.0])


def test_formulas() -> None:
    """Rung: closed form, kexue.fm/archives/10563, written as printed there (1e-15 rounding)."""
    epsilon = 0.4
    moments = softsign_moments(G, S, epsilon, "algebraic")
    power = G**2 + epsilon**2 + math.pi / 2 * S**2
    assert np.allclose(moments.mean, G / np.sqrt(power), rtol=1e-14)
    assert np.allclose(moments.second, 1 - epsilon**2 / power, rtol=1e-14)
    assert np.allclose(moments.variance, moments.second - moments.mean**2, atol=1e-15)


def test_gain_is_the_slope_of_the_mean() -> None:
    """Rung: numerical derivative; central difference of step h errs by h^2 and 1e-16 / h."""
    h = 1e-5
    up, down = (softsign_moments(G + d, S, 0.4, "algebraic").mean for d in (h, -h))
    gain = softsign_moments(G, S, 0.4, "algebraic").gain
    noisy = S > 0
    assert np.allclose(((up - down) / (2 * h))[noisy], gain[noisy], atol=1e-8)


def test_known_largest_errors() -> None:
    """Rung: quadrature. Against the exact moments: 0.108 in the mean, 0.307 in the second."""
    a, b = np.meshgrid(np.linspace(0, 20, 401), np.append(0.0, np.logspace(-4, 2, 121)))
    exact = softsign_moments(a, 1.0, b)
    substitute = softsign_moments(a, 1.0, b, "algebraic")
    assert np.abs(substitute.mean - exact.mean).max() == pytest.approx(0.108, abs=5e-4)
    assert np.abs(substitute.second - exact.second).max() == pytest.approx(0.307, abs=5e-4)


@pytest.mark.parametrize(
    ("variant", "c"), [("mean_field_pi_half", math.pi / 2), ("mean_field_one", 1.0)]
)
def test_mean_field_uses_one_ratio_of_means(variant: str, c: float) -> None:
    """Rung: closed form, written out with the sums over the coordinates that carry noise."""
    epsilon = 0.4
    noisy = S > 0
    ratio = np.sum(S[noisy] ** 2) / np.sum(G[noisy] ** 2 + epsilon**2)
    beta = 1 / math.sqrt(1 + c * ratio)
    u = G / np.sqrt(G**2 + epsilon**2)
    moments = softsign_moments(G, S, epsilon, variant)
    assert np.allclose(moments.mean[noisy], u[noisy] * beta, rtol=1e-14)
    assert np.allclose(moments.second[noisy], u[noisy] ** 2 * beta**2 + 1 - beta**2, rtol=1e-14)
    slope = epsilon**2 / (G**2 + epsilon**2) ** 1.5
    assert np.allclose(moments.gain[noisy], beta * slope[noisy], rtol=1e-14)
    # A coordinate without noise is exact, and a thousand unused ones change nothing.
    assert moments.mean[-1] == softsign(0.01, epsilon) and moments.variance[-1] == 0
    idle = np.zeros(1000)
    longer = softsign_moments(np.append(G, idle), np.append(S, idle), epsilon, variant)
    assert np.allclose(longer.mean[:5], moments.mean, rtol=1e-14)
    # Negative control: the mean of ratios is another number.
    of_ratios = np.mean(S[noisy] ** 2 / (G[noisy] ** 2 + epsilon**2))
    assert abs(of_ratios / ratio - 1) > 0.01


def test_each_row_has_its_own_ratio() -> None:
    """Rung: brute force, rows one by one; the last axis runs over the coordinates."""
    s = np.stack([S, 3 * S])
    together = softsign_moments(G, s, 0.4, "mean_field_one")
    for row in range(2):
        alone = softsign_moments(G, s[row], 0.4, "mean_field_one")
        assert np.allclose(together.mean[row], alone.mean, rtol=1e-14)


def test_extremes_of_the_ratio() -> None:
    """Rung: closed form. No noise: 0. Noise without signal or epsilon: infinite, mean 0."""
    zero, one = np.zeros(3), np.ones(3)
    assert noise_to_signal(one, zero, zero) == 0
    assert noise_to_signal(zero, one, zero) == math.inf
    moments = softsign_moments(zero, one, 0.0, "mean_field_one")
    assert not moments.mean.any() and np.array_equal(moments.variance, one)


def test_mean_field_one_is_sgd_at_large_epsilon_and_pi_half_is_not() -> None:
    """Rung: closed form. epsilon^2 V -> c mean(s^2): c = pi / 2 leaves the articles' defect."""
    s, epsilon = np.array([1.0, 2.0, 3.0]), 1e6
    mean_square = float(np.mean(s**2))
    for variant, c in (("mean_field_one", 1.0), ("mean_field_pi_half", math.pi / 2)):
        variance = softsign_moments(np.ones(3), s, epsilon, variant).variance
        assert np.allclose(variance * epsilon**2, c * mean_square, rtol=1e-9)
    # The variance is spread evenly, so that (gain s)^2 exceeds it where sigma is large: an
    # honest negative residual of the approximation, kept.
    residual = softsign_moments(np.ones(3), s, epsilon, "mean_field_one").residual_variance
    assert residual[0] > 0 > residual[2]
