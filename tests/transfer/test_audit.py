"""The epsilon audit against closed forms and brute force."""

from __future__ import annotations

from math import erf, exp, inf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_theory.audit import audit_epsilon, representative_coordinates
from scaling_theory.errors import InputError

RNG = np.random.default_rng(5)
G = RNG.standard_normal(4000) * 0.02
SIGMA = np.exp(RNG.standard_normal(4000))


def test_fractions_by_counting() -> None:
    """Brute force: a loop over coordinates at each place."""
    epsilon = 0.3
    audit = audit_epsilon(G, SIGMA, epsilon, [1.0, 64.0], [1.0, 100.0])
    for place in audit.places:
        below = small = 0
        for g, s in zip(G, SIGMA, strict=True):
            v = (g * g + s * s / place.batch_size) / place.model_scale
            below += sqrt(v) < epsilon
            small += abs(g) / sqrt(place.model_scale) < epsilon
        assert place.below_root_v == below / len(G)
        assert place.below_gradient == small / len(G)


def test_epsilon_batch() -> None:
    """Closed form: B_eps = mean(sigma^2) / epsilon^2, and its quantiles by sorting."""
    audit = audit_epsilon(G, SIGMA, 0.3, [1.0])
    assert audit.epsilon_batch == pytest.approx(np.mean(SIGMA**2) / 0.09)
    ordered = np.sort((SIGMA / 0.3) ** 2)
    for share, found in zip((0.1, 0.5, 0.9), audit.epsilon_batch_quantiles, strict=True):
        # Interpolation between neighbours: their distance at n = 4000 is below 1 %.
        assert found == pytest.approx(ordered[int(share * len(ordered))], rel=0.01)


@pytest.mark.parametrize("batch", [1.0, 64.0])
def test_edges_are_where_the_regime_changes(batch: float) -> None:
    """Another route: an epsilon just inside each edge has the regime promised there."""
    place = audit_epsilon(G, SIGMA, 0.3, [batch]).places[0]
    for epsilon, regime in (
        (place.sign_like_up_to * 0.99, "sign-like"),
        (place.sign_like_up_to * 1.01, "crossover"),
        (place.sgd_like_from * 0.99, "crossover"),
        (place.sgd_like_from * 1.01, "SGD-like"),
    ):
        assert audit_epsilon(G, SIGMA, epsilon, [batch]).places[0].regime == regime


def test_batches_are_where_the_regime_changes() -> None:
    """Another route: a batch just inside each edge has the regime promised there."""
    audit = audit_epsilon(G, SIGMA, 0.3, [1.0])
    for batch, regime in (
        (audit.sign_like_up_to_batch * 0.98, "sign-like"),
        (audit.sign_like_up_to_batch * 1.02, "crossover"),
        (audit.sgd_like_from_batch * 0.98, "crossover"),
        (audit.sgd_like_from_batch * 1.02, "SGD-like"),
    ):
        assert audit_epsilon(G, SIGMA, 0.3, [batch]).places[0].regime == regime


@given(st.floats(1e-3, 1e3), st.floats(0.01, 1e4))
def test_a_larger_model_is_a_larger_epsilon(epsilon: float, scale: float) -> None:
    """Closed form: |g|, sigma over sqrt(m) against epsilon is epsilon sqrt(m) as measured."""
    larger = audit_epsilon(G, SIGMA, epsilon, [16.0], [scale]).places[0]
    moved = audit_epsilon(G, SIGMA, epsilon * sqrt(scale), [16.0]).places[0]
    # A coordinate within rounding of epsilon may fall on either side.
    assert larger.below_root_v == pytest.approx(moved.below_root_v, abs=1.01 / len(G))
    assert larger.sign_like_up_to == pytest.approx(moved.sign_like_up_to / sqrt(scale))


def test_zero_epsilon_is_sign_like_everywhere() -> None:
    """Closed form: nothing is below 0, and no batch leaves the sign regime."""
    audit = audit_epsilon(G, SIGMA, 0.0, [1.0, 1e9])
    assert {place.regime for place in audit.places} == {"sign-like"}
    assert audit.epsilon_batch == inf
    assert audit.sign_like_up_to_batch == inf


def test_dead_coordinates_are_left_out_and_counted() -> None:
    """Closed form: unused rows (g = sigma = 0) change no share."""
    padded = np.concatenate([G, np.zeros(1000)]), np.concatenate([SIGMA, np.zeros(1000)])
    with_dead, without = audit_epsilon(*padded, 0.3, [8.0]), audit_epsilon(G, SIGMA, 0.3, [8.0])
    assert with_dead.dead == pytest.approx(0.2)
    assert with_dead.places == without.places
    assert with_dead.epsilon_batch == without.epsilon_batch


def test_noiseless_coordinates_need_no_batch() -> None:
    """Closed form: sigma = 0 everywhere is SGD-like from B = 0 on, or never."""
    audit = audit_epsilon(np.array([0.1, 0.2]), np.zeros(2), 1.0, [4.0])
    assert audit.places[0].regime == "SGD-like"
    assert audit.sgd_like_from_batch == 0.0


def test_model_network_has_the_stated_moments() -> None:
    """Closed form: P(|g| < epsilon) = erf(epsilon / (sqrt 2 rms)), rms and spread as asked."""
    gradient, sigma = representative_coordinates(0.8, 3.0, 0.5)
    assert np.sqrt(np.mean(gradient**2)) == pytest.approx(0.8, rel=1e-12)
    assert np.sqrt(np.mean(sigma**2)) == pytest.approx(3.0, rel=1e-12)
    assert np.median(sigma) == pytest.approx(3.0 * exp(-0.25), rel=0.01)
    place = audit_epsilon(gradient, sigma, 1.0, [1.0]).places[0]
    # 400 equally likely nodes resolve a share to half of 1/200.
    assert place.below_gradient == pytest.approx(erf(1 / (0.8 * sqrt(2))), abs=0.0025)


def test_planted_error_is_seen() -> None:
    """Negative control: sigma 1 % too large moves B_eps by 2 %."""
    wrong = audit_epsilon(G, 1.01 * SIGMA, 0.3, [1.0]).epsilon_batch
    assert wrong != pytest.approx(np.mean(SIGMA**2) / 0.09, rel=0.01)


@pytest.mark.parametrize(
    ("gradient", "sigma", "epsilon", "batch", "scale"),
    [
        (G, SIGMA[:-1], 0.1, 1.0, 1.0),
        (G * np.nan, SIGMA, 0.1, 1.0, 1.0),
        (G, -SIGMA, 0.1, 1.0, 1.0),
        (G, SIGMA, -0.1, 1.0, 1.0),
        (G, SIGMA, 0.1, 0.0, 1.0),
        (G, SIGMA, 0.1, 1.0, 0.0),
        (G * 0, SIGMA * 0, 0.1, 1.0, 1.0),
        (G[:0], SIGMA[:0], 0.1, 1.0, 1.0),
    ],
)
def test_bad_input_is_refused(
    gradient: np.ndarray[tuple[int], np.dtype[np.float64]],
    sigma: np.ndarray[tuple[int], np.dtype[np.float64]],
    epsilon: float,
    batch: float,
    scale: float,
) -> None:
    """Closed form: shapes agree, numbers are finite, batches and scales positive."""
    with pytest.raises(InputError):
        audit_epsilon(gradient, sigma, epsilon, [batch], [scale])


@pytest.mark.parametrize(
    ("gradient", "sigma", "epsilon", "batch", "scale"),
    [
        (1e100, 1e100, 1.0, 1e-100, 1e-100),
        (1e100, 1e100, 1.0, 1e100, 1e100),
        (0.0, 1e100, 1e-300, 1.0, 1.0),
        (1e-200, 1e-200, 1e-160, 1e100, 1e100),
        (1e-300, 1e-300, 1e100, 1.0, 1e-100),
    ],
)
def test_extremes_give_numbers(
    gradient: float, sigma: float, epsilon: float, batch: float, scale: float
) -> None:
    """Closed form: within the stated bounds nothing overflows (warnings are errors here)."""
    pairs = representative_coordinates(gradient, sigma, 10.0)
    (place,) = audit_epsilon(*pairs, epsilon, [batch], [scale]).places
    assert 0 <= place.sign_like_up_to <= place.sgd_like_from < np.inf
    assert place.regime == ("sign-like" if sigma > epsilon else "SGD-like")
