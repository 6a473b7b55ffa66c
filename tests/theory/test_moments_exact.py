"""Exact softsign moments against their definition, closed forms, limits and Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from scaling_theory.errors import InputError
from scaling_theory.moments import VARIANTS, softsign_moments
from scaling_theory.moments.bulk import legendre_series
from scaling_theory.moments.exact import second_moment_series
from tests.theory.gaussian_quadrature import softsign_by_definition

SIGNALS = (0.0, 1e-3, 0.03, 0.5, 1.0, 3.0, 9.0, 10.0, 30.0, 300.0, 1e3, -0.7, -12.0)
WIDTHS = (1e-6, 1e-4, 1e-2, 0.05, 0.3, 1.0, 5.0, 9.0, 20.0, 31.0, 1e3, 1e6)
# What is promised. The quadrature below is good to about 1e-13: thirty pieces of 1e-15 each.
PROMISED = 1e-10


@pytest.mark.parametrize("a", SIGNALS)
def test_agrees_with_the_definition(a: float) -> None:
    """Rung: quadrature by another route (the update against the density, scipy's quad)."""
    for b in WIDTHS:
        mean, second, gain = softsign_by_definition(a, b)
        moments = softsign_moments(a, 1.0, b)
        assert abs(moments.mean - mean) <= PROMISED, (a, b)
        assert abs(moments.second - second) <= PROMISED, (a, b)
        assert abs(moments.gain - gain) <= PROMISED, (a, b)


def test_agrees_with_the_definition_in_random_places() -> None:
    """Rung: quadrature by another route, a and b drawn log-uniformly over the promised range."""
    rng = np.random.default_rng(11)
    signals = 10 ** rng.uniform(-3, 3, 60) * rng.choice([-1, 1], 60)
    widths = 10 ** rng.uniform(-6, 6, 60)
    moments = softsign_moments(signals, 1.0, widths)
    truth = np.array([softsign_by_definition(a, b) for a, b in zip(signals, widths, strict=True)])
    found = np.stack([moments.mean, moments.second, moments.gain], axis=1)
    assert np.abs(found - truth).max() <= PROMISED


def test_one_percent_error_would_be_seen() -> None:
    """Rung: negative control. A noise scale 1 % wrong fails every comparison above by far."""
    mean, second, gain = softsign_by_definition(0.5, 0.3)
    planted = softsign_moments(0.5, 1.01, 0.3)
    for wrong, truth in ((planted.mean, mean), (planted.second, second), (planted.gain, gain)):
        assert abs(wrong - truth) > 1e6 * PROMISED


def test_monte_carlo() -> None:
    """Rung: Monte Carlo, 4 standard errors, fixed draws; a 1 % error in s is 9 away."""
    draws = 1_000_000
    z = np.random.default_rng(3).standard_normal(draws)
    g, s, epsilon = 0.4, 1.3, 0.6
    x = g + s * z
    root = np.hypot(x, epsilon)
    moments, planted = softsign_moments(g, s, epsilon), softsign_moments(g, 1.03 * s, epsilon)
    samples = (x / root, (x / root) ** 2, epsilon**2 / root**3)
    for name, sample in zip(("mean", "second", "gain"), samples, strict=True):
        error = sample.std() / math.sqrt(draws)
        assert abs(getattr(moments, name) - sample.mean()) < 4 * error
        assert abs(getattr(planted, name) - sample.mean()) > 4 * error


def test_zero_epsilon_is_the_sign() -> None:
    """Rung: closed form (erf), and the limit of small epsilon reaches it."""
    a = np.array([-40.0, -3.0, -0.1, 0.0, 1e-9, 1.0, 8.0])
    moments = softsign_moments(2 * a, 2.0, 0.0)
    assert np.array_equal(moments.mean, erf(a / math.sqrt(2)))
    assert np.allclose(moments.second, 1.0, rtol=0, atol=1e-15)
    assert np.allclose(moments.gain, np.sqrt(2 / np.pi) * np.exp(-(a**2) / 2) / 2, rtol=1e-15)
    near = softsign_moments(2 * a, 2.0, 2e-9)
    # The layer at y = 1 has width b^2 and contributes at most of the order b = 1e-9.
    assert np.abs(near.mean - moments.mean).max() < 3e-9
    assert np.abs(near.variance - moments.variance).max() < 3e-9
    assert np.abs(near.gain - moments.gain).max() < 3e-9


@pytest.mark.parametrize("epsilon", [1e3, 1e6, 1e9])
def test_large_epsilon_is_sgd(epsilon: float) -> None:
    """Rung: closed form. epsilon u -> x; corrections are of relative order (s / epsilon)^2."""
    g, s = 0.7, 1.3
    moments = softsign_moments(g, s, epsilon)
    slack = 10 / epsilon**2 + 1e-13
    assert moments.mean * epsilon == pytest.approx(g, rel=slack)
    assert moments.second * epsilon**2 == pytest.approx(g**2 + s**2, rel=slack)
    assert moments.variance * epsilon**2 == pytest.approx(s**2, rel=slack)
    assert moments.gain * epsilon == pytest.approx(1.0, rel=slack)


def test_second_moment_keeps_relative_accuracy_where_voigt_loses_it() -> None:
    """Rung: closed form. At g = 0, b^2 E[u^2] = 1 - 3 b^-2 + 15 b^-4 - 105 b^-6 + ..."""
    b = np.array([30.0, 1e3, 1e5, 1e8, 1e100])
    second = softsign_moments(0.0, 1.0, b).second
    expansion = 1 - 3 * b**-2.0 + 15 * b**-4.0
    assert np.allclose(second * b**2, expansion, rtol=106 / 30**6, atol=0)
    # The two branches meet: the Voigt form at 29.999 has lost only 1e-16 * 900.
    left, right = softsign_moments(3.0, 1.0, np.array([29.8, 29.9])).second
    series = second_moment_series(np.full(2, 3.0), np.array([29.8, 29.9]))
    assert np.allclose(series, [left, right], rtol=1e-11, atol=0)


def test_far_from_zero_the_taylor_series_agrees() -> None:
    """Rung: another derivation (Legendre series). At r = 40 ten terms leave 19!! 40^-20 < 1e-23."""
    angle = np.linspace(-1.57, 1.57, 41)
    a, b = 40 * np.sin(angle), 40 * np.cos(angle)
    mean, gain = legendre_series(a, b, terms=10)
    moments = softsign_moments(a, 1.0, b)
    assert np.abs(moments.mean - mean).max() < 1e-14
    assert np.abs(moments.gain - gain).max() < 1e-14


def test_gain_is_the_slope_of_the_mean() -> None:
    """Rung: numerical derivative; central difference of step h errs by h^2 and 1e-15 / h."""
    g, h = np.linspace(-3, 3, 25), 1e-4
    for epsilon in (0.0, 0.1, 1.0, 20.0):
        up, down = softsign_moments(g + h, 0.8, epsilon), softsign_moments(g - h, 0.8, epsilon)
        slope = (up.mean - down.mean) / (2 * h)
        assert np.abs(slope - softsign_moments(g, 0.8, epsilon).gain).max() < 1e-7


finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-6, 1e6)


@settings(max_examples=200, deadline=None)
@given(g=finite, s=positive, epsilon=st.floats(0, 1e6))
def test_properties(g: float, s: float, epsilon: float) -> None:
    """Rung: properties. Odd mean, even spread, bounds, and Chernoff's (gain s)^2 <= variance."""
    here, mirror = softsign_moments(g, s, epsilon), softsign_moments(-g, s, epsilon)
    assert mirror.mean == -here.mean
    assert mirror.variance == here.variance and mirror.gain == here.gain
    assert abs(here.mean) <= 1 + 1e-12 and 0 <= here.variance <= 1 + 1e-12
    assert here.gain * s >= -1e-12
    assert here.residual_variance >= 0


@settings(max_examples=100, deadline=None)
@given(g=finite, s=positive, epsilon=st.floats(0, 1e6), unit=st.floats(1e-12, 1e12))
def test_no_unit_of_the_gradient_matters(g: float, s: float, epsilon: float, unit: float) -> None:
    """Rung: property. Mean and variance depend on ratios only; scaling rounds by 1e-16 each."""
    here = softsign_moments(g, s, epsilon)
    there = softsign_moments(unit * g, unit * s, unit * epsilon)
    assert there.mean == pytest.approx(here.mean, abs=1e-11)
    assert there.variance == pytest.approx(here.variance, abs=1e-11)
    assert there.gain * unit * s == pytest.approx(here.gain * s, abs=1e-11)


@pytest.mark.parametrize("variant", VARIANTS)
def test_coordinates_without_noise(variant: str) -> None:
    """Rung: closed form. sigma = 0: the update itself, no variance; 0 / 0 is 0."""
    g = np.array([0.0, 3.0, -3.0, 0.0])
    epsilon = np.array([0.0, 4.0, 0.0, 1.0])
    moments = softsign_moments(g, 0.0, epsilon, variant)
    inside = 0.75 if variant == "clip" else 0.6
    assert moments.mean.tolist() == pytest.approx([0.0, inside, -1.0, 0.0])
    assert not moments.variance.any() and not moments.gain.any()
    assert not moments.residual_variance.any()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("scale", [1e-280, 1e-150, 1.0, 1e150, 1e280])
def test_no_overflow_anywhere(variant: str, scale: float) -> None:
    """Rung: property. Warnings are errors, so a silent overflow or 0 / 0 would fail here."""
    g = np.array([0.0, 1.0, 1e8, 1e-8, 1.0, -1.0, 1e20])[:, None] * scale
    s = np.array([0.0, 1e-20, 1.0, 1e20])[None, :] * scale
    for epsilon in (0.0, 1e-20 * scale, scale, 1e20 * scale):
        moments = softsign_moments(g, s, epsilon, variant)
        for part in (moments.mean, moments.variance, moments.gain, moments.second):
            assert np.isfinite(part).all()


def test_shapes_and_rows() -> None:
    """Rung: brute force, one scalar call per entry of a broadcast call."""
    g, s = np.array([0.3, -1.0, 0.0]), np.array([[0.5], [2.0]])
    moments = softsign_moments(g, s, 0.4)
    assert moments.mean.shape == moments.gain.shape == moments.noise_scale.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            alone = softsign_moments(g[column], s[row, 0], 0.4)
            assert moments.mean[row, column] == alone.mean
            assert moments.variance[row, column] == alone.variance
    assert softsign_moments(np.zeros(0), np.zeros(0), 1.0).mean.shape == (0,)


@pytest.mark.parametrize(
    ("g", "s", "epsilon", "variant", "word"),
    [
        (0.0, -1.0, 0.0, "exact", "s holds -1"),
        (0.0, 1.0, -0.5, "exact", "epsilon holds -0.5"),
        (math.nan, 1.0, 0.0, "exact", "g holds NaN"),
        (0.0, math.inf, 0.0, "exact", "s holds NaN or infinity"),
        (0.0, 1.0, 0.0, "exakt", "'exakt' came"),
    ],
)
def test_wrong_input(g: float, s: float, epsilon: float, variant: str, word: str) -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    with pytest.raises(InputError, match=word) as caught:
        softsign_moments(g, s, epsilon, variant)
    assert "\n" not in str(caught.value) and "wanted" in str(caught.value)
