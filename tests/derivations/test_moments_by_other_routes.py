"""The moments of the derivations against kernels, quadrature and sampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp
from scipy.special import ndtri
from scipy.stats import qmc

from scaling_theory import closed_averages
from scaling_theory import symbols as sy
from scaling_theory.derivations.clip import clip_mean, clip_second
from scaling_theory.derivations.exact_mean import bounded_integrand, exact_mean
from scaling_theory.derivations.exact_second import exact_second, faddeeva
from scaling_theory.derivations.mehler import sign_correlation
from scaling_theory.derivations.sign import sign_mean
from scaling_theory.derivations.zero import number
from scaling_theory.moments import softsign_moments

POINTS = [(0.05, 0.02), (0.7, 1.3), (2.0, 0.1), (1.0, 6.0), (5.0, 5.0), (0.0, 0.5)]


@pytest.mark.parametrize(("a", "b"), POINTS)
def test_exact_kernels_are_their_sympy_definition(a: float, b: float) -> None:
    """Rung: another library, sympy and mpmath at 20 digits, against the numpy kernel."""
    kernel = softsign_moments(a, 1.0, b)
    values = {sy.a: sp.Float(a, 25), sy.b: sp.Float(b, 25)}
    assert float(kernel.mean) == pytest.approx(float(number(exact_mean().subs(values))), abs=1e-10)
    gain = sp.Integral(sp.diff(bounded_integrand(), sy.a), (sy.y, 0, 1)).subs(values)
    assert float(kernel.gain) == pytest.approx(float(number(gain)), abs=1e-10)
    written = exact_second().replace(sy.faddeeva, faddeeva)
    at = {sy.g: sp.Float(a, 40), sy.s: sp.Integer(1), sy.epsilon: sp.Float(b, 40)}
    second = written.subs(at).evalf(20)
    assert float(kernel.second) == pytest.approx(float(sp.re(second)), abs=1e-10)


@pytest.mark.parametrize(("a", "b"), POINTS)
def test_clip_kernels_are_their_sympy_definition(a: float, b: float) -> None:
    """Rung: another library, sympy at 20 digits."""
    kernel = softsign_moments(a, 1.0, b, "clip")
    values = {sy.a: sp.Float(a, 40), sy.b: sp.Float(b, 40)}
    assert float(kernel.mean) == pytest.approx(float(clip_mean().subs(values).evalf(20)), abs=1e-13)
    second = float(clip_second().subs(values).evalf(20))
    assert float(kernel.second) == pytest.approx(second, abs=1e-13)
    gain = sp.diff(clip_mean(), sy.a).subs(values).evalf(20)
    assert float(kernel.gain) == pytest.approx(float(gain), abs=1e-13)


@pytest.mark.parametrize(("a", "b"), POINTS)
def test_algebraic_kernels_are_the_closed_forms(a: float, b: float) -> None:
    """Rung: closed form; hand-written kernels against the generated functions."""
    kernel = softsign_moments(a, 1.0, b, "algebraic")
    at = {"gradient": a, "noise": 1.0, "epsilon": b, "shape_constant": math.pi / 2}
    assert float(kernel.mean) == pytest.approx(float(closed_averages.algebraic_mean(**at)))
    second = closed_averages.algebraic_second_moment(**at)
    assert float(kernel.second) == pytest.approx(float(second))
    assert float(kernel.gain) == pytest.approx(float(closed_averages.algebraic_gain(**at)))


def test_mean_field_kernels_are_the_closed_forms() -> None:
    """Rung: closed form; one kappa^2 for five coordinates, c = 1."""
    rng = np.random.default_rng(3)
    g, sigma, epsilon, batch = rng.normal(size=5), 0.5 + rng.random(5), 0.2, 7.0
    kernel = softsign_moments(g, sigma / math.sqrt(batch), epsilon, "mean_field_one")
    kappa2 = np.sum(sigma**2) / np.sum(g**2 + epsilon**2)
    beta = closed_averages.mean_field_beta(kappa2=kappa2, shape_constant=1.0, batch_size=batch)
    u = g / np.hypot(g, epsilon)
    assert kernel.mean == pytest.approx(u * beta)
    second = closed_averages.mean_field_second_moment(update=u, beta=beta)
    assert kernel.second == pytest.approx(second)


def test_sign_kernel_is_erf() -> None:
    """Rung: another library, sympy's erf."""
    exact = sign_mean().subs({sy.g: sp.Rational(3, 10), sy.s: 2})
    assert float(softsign_moments(0.3, 2.0, 0.0).mean) == pytest.approx(float(exact), rel=1e-14)


def normal_pairs(correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """2^17 quasi-random normal pairs: scrambled Sobol points, fixed seed."""
    uniform = qmc.Sobol(2, seed=12).random_base2(17)
    first, second = ndtri(uniform).T
    return first, correlation * first + math.sqrt(1 - correlation**2) * second


@pytest.mark.parametrize("correlation", [-0.8, -0.2, 0.1, 0.5, 0.95])
def test_sign_correlation_by_sampling(correlation: float) -> None:
    """Rung: Monte Carlo; plain sampling would err by 1/sqrt(2^17) = 0.003, 4 of them allowed."""
    first, second = normal_pairs(correlation)
    found = float(np.mean(np.sign(first) * np.sign(second)))
    exact = float(sign_correlation(sp.Float(correlation)))
    assert found == pytest.approx(exact, abs=4 * 2**-8.5)
    # Negative control: the first order alone, 2 r / pi, is not enough at large correlation.
    if abs(correlation) > 0.7:
        assert found != pytest.approx(2 * correlation / math.pi, abs=4 * 2**-8.5)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 3.0])
def test_first_order_covariance_by_sampling(epsilon: float) -> None:
    """Rung: Monte Carlo; covariance of two softsigns at r = 0.2 against r s1 s2 A1 A2.

    At r = 0.2 higher orders are below r^2 / 2 c2 c2 < 0.004 of unit variance; sampling 0.003.
    """
    correlation, (g1, g2), (s1, s2) = 0.2, (0.4, -0.3), (1.0, 1.5)
    first, second = normal_pairs(correlation)

    def update(x: np.ndarray) -> np.ndarray:
        return np.asarray(x / np.hypot(x, epsilon))

    found = np.cov(update(g1 + s1 * first), update(g2 + s2 * second))
    one, two = softsign_moments(g1, s1, epsilon), softsign_moments(g2, s2, epsilon)
    order = correlation * s1 * s2 * float(one.gain) * float(two.gain)
    scale = math.sqrt(float(one.variance) * float(two.variance))
    assert found[0, 1] / scale == pytest.approx(order / scale, abs=0.008)
    assert found[0, 1] / scale > 0.05


def test_normal_spread_of_signal_by_sampling() -> None:
    """Rung: Monte Carlo; coordinates of SNR ~ N(0, tau^2), 4 standard errors of 400000 draws."""
    spread2, draws = 1.5, 400_000
    a = np.random.default_rng(6).normal(scale=math.sqrt(spread2), size=draws)
    beta2 = spread2 / (1 + spread2)
    moments = softsign_moments(a, 1.0, 0.0)
    cases = (
        (moments.variance, 1 - 2 / math.pi * math.asin(beta2)),
        (moments.gain, math.sqrt(2 / math.pi * (1 - beta2))),
    )
    for values, exact in cases:
        error = values.std() / math.sqrt(draws)
        assert abs(values.mean() - exact) < 4 * error
        assert abs(values.mean() - 1.01 * exact) > 4 * error


def test_exact_noise_at_large_epsilon() -> None:
    """Rung: closed form; eps^2 E[u^2] / s^2 -> 1 at g = 0, corrections 3 s^2 / eps^2."""
    for b in (1e2, 1e4, 1e6):
        assert float(b**2 * softsign_moments(0.0, 1.0, b).second) == pytest.approx(1, abs=4 / b**2)
