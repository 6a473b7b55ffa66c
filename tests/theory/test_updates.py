"""Update rules: values, extremes, and moments tied to the function they belong to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scaling_theory.moments import clipped, softsign, softsign_slope
from scaling_theory.updates import UPDATE_RULES


def test_table() -> None:
    """Rung: closed form. Each rule at a few numbers."""
    x = np.array([-3.0, 0.0, 4.0])
    assert UPDATE_RULES["sgd"].apply(x, 7.0).tolist() == [-3, 0, 4]
    assert UPDATE_RULES["signsgd"].apply(x, 7.0).tolist() == [-1, 0, 1]
    assert UPDATE_RULES["softsignsgd"].apply(x, 3.0).tolist() == [
        pytest.approx(-1 / math.sqrt(2)),
        0,
        0.8,
    ]
    assert [rule.uses_epsilon for rule in UPDATE_RULES.values()] == [False, False, True]
    assert all(name == rule.name for name, rule in UPDATE_RULES.items())


@given(x=st.floats(allow_nan=False, allow_infinity=False), epsilon=st.floats(0, 1e300))
def test_softsign_is_safe_and_bounded(x: float, epsilon: float) -> None:
    """Rung: properties over every double: finite, odd, bounded, of the sign of x, 0 / 0 = 0."""
    u = float(softsign(x, epsilon))
    assert abs(u) <= 1 and float(softsign(-x, epsilon)) == -u
    assert u * x >= 0
    assert math.isfinite(float(clipped(x, epsilon)))
    if x == 0:
        assert u == 0
    elif epsilon == 0:
        assert u == math.copysign(1, x)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_dtype_is_kept(kind: type[np.floating]) -> None:
    """Rung: closed form. float32 stays float32, and its largest number does not overflow."""
    x: NDArray[Any] = np.array([1e-45, 3e38, -1.0, 0.0], dtype=kind)
    for rule in UPDATE_RULES.values():
        assert rule.apply(x, 0.5).dtype == kind
    assert softsign(x, 3e38)[1] == pytest.approx(1 / math.sqrt(2), rel=1e-6)
    assert softsign_slope(x, 0.5).dtype == kind
    assert softsign(np.array([1, 2]), 0).dtype == np.float64


def test_slope() -> None:
    """Rung: numerical derivative; central difference of step h errs by h^2 and 1e-16 / h."""
    x, h = np.linspace(-5, 5, 41), 1e-5
    for epsilon in (0.5, 2.0, 100.0):
        difference = (softsign(x + h, epsilon) - softsign(x - h, epsilon)) / (2 * h)
        assert np.abs(softsign_slope(x, epsilon) - difference).max() < 1e-8
    assert softsign_slope(0.0, 0.0) == 0 and softsign_slope(0.0, 1e-300) == pytest.approx(1e300)


def test_limit_of_large_epsilon() -> None:
    """Rung: closed form. epsilon * softsign -> x with relative error (x / epsilon)^2 / 2."""
    x = np.array([-3.0, 0.1, 20.0])
    assert np.allclose(1e5 * softsign(x, 1e5), x, rtol=2.1e-8)


@pytest.mark.parametrize("name", UPDATE_RULES)
def test_moments_belong_to_the_function(name: str) -> None:
    """Rung: Monte Carlo, 4 standard errors on fixed draws; s planted 2 % wrong is seen."""
    rule, draws = UPDATE_RULES[name], 400_000
    g, s, epsilon = 0.3, 0.9, 0.5
    x = g + s * np.random.default_rng(8).standard_normal(draws)
    u = np.asarray(rule.apply(x, epsilon), dtype=np.float64)
    moments = rule.moments(g, s, epsilon, "exact")
    assert abs(moments.mean - u.mean()) < 4 * u.std() / math.sqrt(draws)
    spread = (u - moments.mean) ** 2
    assert abs(moments.variance - u.var()) < 4 * spread.std() / math.sqrt(draws)
    # Stein: E[phi'] = E[phi(x) (x - g)] / s^2, without the derivative.
    stein = u * (x - g) / s**2
    assert abs(moments.gain - stein.mean()) < 4 * stein.std() / math.sqrt(draws)
    planted = rule.moments(g, 1.02 * s, epsilon, "exact")
    seen = abs(planted.variance - u.var()) > 4 * spread.std() / math.sqrt(draws)
    assert seen or abs(planted.gain - stein.mean()) > 4 * stein.std() / math.sqrt(draws)


def test_sgd_moments_are_those_of_the_gradient() -> None:
    """Rung: closed form, a coordinate without noise included."""
    moments = UPDATE_RULES["sgd"].moments([1.0, 2.0], [0.5, 0.0], 9.0, "exact")
    assert moments.mean.tolist() == [1, 2] and moments.variance.tolist() == [0.25, 0]
    assert moments.gain.tolist() == [1, 0] and not moments.residual_variance.any()
