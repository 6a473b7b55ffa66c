"""Exact moments of the clip function."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from scaling_theory.moments import softsign_moments
from scaling_theory.moments.clip import clip_moments
from tests.theory.gaussian_quadrature import clip_by_definition

WIDTHS = (1e-6, 1e-3, 0.1, 0.999, 1.0, 1.001, 3.0, 30.0, 1e3, 1e6)


@pytest.mark.parametrize("a", [0.0, 1e-3, 0.4, 2.0, 9.0, 40.0, 1e3, -1.5, -30.0])
def test_agrees_with_the_definition(a: float) -> None:
    """Rung: quadrature by another route. Both are good to about 1e-13."""
    for b in WIDTHS:
        truth = clip_by_definition(a, b)
        moments = softsign_moments(a, 1.0, b, "clip")
        found = (float(moments.mean), float(moments.second), float(moments.gain))
        assert found == pytest.approx(truth, abs=1e-12), (a, b)
        planted = softsign_moments(a, 1.0, 1.01 * b, "clip")
        # Negative control where epsilon matters at all: saturated or empty corners are left out.
        if 1e-3 < abs(truth[0]) < 0.99:
            assert float(planted.second) != pytest.approx(truth[1], abs=1e-12)


def test_printed_formula_of_the_mean() -> None:
    """Rung: closed form, kexue.fm/archives/10563, the clip integral as printed there.

    Its differences of erf cancel to 1e-16 / b, so b stays above 0.1 here.
    """
    a, b = np.meshgrid(np.linspace(-4, 4, 33), np.array([0.1, 0.5, 1.0, 2.0, 8.0]))
    plus, minus = (a + b) / math.sqrt(2), (a - b) / math.sqrt(2)
    printed = (
        (erf(plus) + erf(minus)) / 2
        + a / (2 * b) * (erf(plus) - erf(minus))
        + (np.exp(-(plus**2)) - np.exp(-(minus**2))) / (b * math.sqrt(2 * math.pi))
    )
    assert np.abs(softsign_moments(a, 1.0, b, "clip").mean - printed).max() < 1e-13


def test_slope_at_the_origin() -> None:
    """Rung: closed form, erf(b / sqrt 2) / b."""
    b = np.array([1e-3, 0.5, 0.99, 1.01, 4.0, 100.0])
    gain = softsign_moments(0.0, 1.0, b, "clip").gain
    assert np.allclose(gain, erf(b / math.sqrt(2)) / b, rtol=1e-14)


def test_both_branches_meet() -> None:
    """Rung: continuity across b = 1: a step of 1e-9 in b moves nothing by more than 1e-9."""
    a = np.linspace(-6, 6, 101)
    low = clip_moments(a, np.full_like(a, 1 - 1e-9))
    high = clip_moments(a, np.full_like(a, 1 + 1e-9))
    for left, right in zip(low, high, strict=True):
        assert np.abs(left - right).max() < 3e-9


def test_limits() -> None:
    """Rung: closed form. b -> 0 is the sign, b -> infinity is SGD over epsilon."""
    a = np.linspace(-3, 3, 13)
    sign = softsign_moments(a, 1.0, 0.0, "clip")
    small = softsign_moments(a, 1.0, 1e-9, "clip")
    assert np.abs(small.mean - sign.mean).max() < 1e-9
    assert np.abs(small.gain - sign.gain).max() < 1e-9
    large = softsign_moments(a, 1.0, 1e4, "clip")
    assert np.allclose(large.mean * 1e4, a, rtol=1e-12, atol=1e-12)
    assert np.allclose(large.variance * 1e8, 1.0, rtol=1e-7)


def test_distance_from_softsign() -> None:
    """Rung: closed form. The functions differ by at most 1 - 1 / sqrt 2, so do the means."""
    a, b = np.meshgrid(np.linspace(0, 20, 201), np.logspace(-3, 2, 51))
    clip, soft = softsign_moments(a, 1.0, b, "clip"), softsign_moments(a, 1.0, b)
    distance = float(np.abs(clip.mean - soft.mean).max())
    # Without noise (b = 100, a = 100) it would be 0.2929; inside this grid it is a bit less.
    assert 0.1 < distance < 1 - 1 / math.sqrt(2)


@settings(max_examples=200, deadline=None)
@given(g=st.floats(-1e6, 1e6), s=st.floats(1e-6, 1e6), epsilon=st.floats(0, 1e6))
def test_properties(g: float, s: float, epsilon: float) -> None:
    """Rung: properties. Odd mean, even spread, bounds, Chernoff's (gain s)^2 <= variance."""
    here = softsign_moments(g, s, epsilon, "clip")
    mirror = softsign_moments(-g, s, epsilon, "clip")
    assert mirror.mean == -here.mean and mirror.variance == here.variance
    assert abs(here.mean) <= 1 + 1e-12 and 0 <= here.variance <= 1 + 1e-12
    assert here.gain >= 0 and here.residual_variance >= 0
