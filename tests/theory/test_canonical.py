"""The scalar law against its own construction, calculus, and the oracle of the peak."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scaling_theory.canonical import CanonicalLaw, mean_field_law
from scaling_theory.errors import InputError
from scaling_theory.estimate import exact_estimate
from scaling_theory.law import optimal_step
from scaling_theory.moments import softsign_moments

positive = st.floats(1e-3, 1e3)


def test_oracle_of_the_peak() -> None:
    """Rung: closed form. K = 100, T = 1, Q = 3: B_peak = 100, eta_peak = A / (2 sqrt 2)."""
    law = mean_field_law(5.0, 3.0, 1.0, kappa2=100.0, shape_constant=1.0)
    assert law.peak_batch == pytest.approx(100)
    assert law.peak_learning_rate == pytest.approx(5 / (2 * math.sqrt(2)))
    assert law.learning_rate(100) == pytest.approx(5 / (2 * math.sqrt(2)))
    half = mean_field_law(5.0, 3.0, 1.0, kappa2=100.0, shape_constant=math.pi / 2)
    assert half.peak_batch == pytest.approx(100 * math.pi / 2)


@given(A=positive, Q=positive, T=positive, kappa2=positive, B=positive)
def test_is_equation_2_8(A: float, Q: float, T: float, kappa2: float, B: float) -> None:
    """Rung: closed form, kexue.fm/archives/10563 (2.8) with beta written out, through the law."""
    beta2 = 1 / (1 + kappa2 / B)
    step = optimal_step(
        exact_estimate(math.sqrt(beta2) * A), exact_estimate(beta2 * Q + (1 - beta2) * T)
    )
    law = mean_field_law(A, Q, T, kappa2, 1.0)
    assert law.learning_rate(B) == pytest.approx(step.learning_rate.value, rel=1e-12)
    drop = law.loss_drop_ratio(B) * A**2 / (2 * Q)
    assert drop == pytest.approx(step.loss_drop.value, rel=1e-12)
    # Negative control: the noise part is 1 - beta^2, not its leading order kappa^2 / B.
    wrong = A * math.sqrt(beta2) / (beta2 * Q + kappa2 / B * T)
    if kappa2 / B > 0.1 and T * kappa2 / B > 0.5 * Q:
        assert abs(wrong / law.learning_rate(B) - 1) > 0.01


def test_mean_field_moments_make_the_same_law() -> None:
    """Rung: brute force, the mean-field moments of a random vector and a diagonal Hessian."""
    rng = np.random.default_rng(7)
    g, sigma, h = rng.normal(size=20), rng.random(20) + 0.5, rng.random(20)
    epsilon = 0.3
    u = g / np.hypot(g, epsilon)
    kappa2 = float(np.sum(sigma**2) / np.sum(g**2 + epsilon**2))
    law = mean_field_law(float(u @ g), float(u @ (h * u)), float(h.sum()), kappa2, math.pi / 2)
    for batch in (0.1, 1, 30, 1e4):
        moments = softsign_moments(g, sigma / math.sqrt(batch), epsilon, "mean_field_pi_half")
        rate = (moments.mean @ g) / (h @ moments.second)
        assert law.learning_rate(batch) == pytest.approx(rate, rel=1e-12)


@given(eta=positive, noise=positive, saturation=positive, B=positive)
def test_log_slope_is_the_derivative(eta: float, noise: float, saturation: float, B: float) -> None:
    """Rung: numerical derivative in ln B; step 1e-4 errs by 1e-8 and rounding 1e-12."""
    law, h = CanonicalLaw(eta, noise, saturation), 1e-4
    up, down = law.learning_rate(B * math.exp(h)), law.learning_rate(B * math.exp(-h))
    assert law.log_slope(B) == pytest.approx(math.log(up / down) / (2 * h), abs=1e-7)
    assert -0.5 < law.log_slope(B) < 1


@given(noise=positive, saturation=positive)
def test_peak(noise: float, saturation: float) -> None:
    """Rung: calculus. A surge exactly if Q > 2 T; slope 0 at the peak and no B above it."""
    assume(abs(saturation / (2 * noise) - 1) > 1e-6)
    law = CanonicalLaw(2.0, noise, saturation)
    assert law.surges == (saturation > 2 * noise)
    if law.peak_batch is None or law.peak_learning_rate is None:
        batches = np.logspace(-6, 9, 200)
        rates = [law.learning_rate(batch) for batch in batches]
        assert (np.diff(rates) > -1e-12).all()
        return
    assert law.log_slope(law.peak_batch) == pytest.approx(0, abs=1e-9)
    assert law.learning_rate(law.peak_batch) == pytest.approx(law.peak_learning_rate)
    assert law.peak_learning_rate > law.eta_infinity
    for factor in (0.5, 0.9, 1.1, 2):
        assert law.learning_rate(factor * law.peak_batch) <= law.peak_learning_rate * (1 + 1e-12)


def test_weaker_condition_is_not_enough() -> None:
    """Rung: closed form. Q = 1.5 T > T: monotone. Q = 2.1 T: a peak."""
    assert not mean_field_law(1.0, 1.5, 1.0, 10.0, 1.0).surges
    assert mean_field_law(1.0, 1.5, 1.0, 10.0, 1.0).peak_batch is None
    assert mean_field_law(1.0, 1.5, 1.0, 10.0, 1.0).peak_learning_rate is None
    assert mean_field_law(1.0, 2.1, 1.0, 10.0, 1.0).surges


def test_limits() -> None:
    """Rung: closed form. Small B: square root; large B: A / Q; K = 0: the SGD form."""
    law = mean_field_law(3.0, 2.0, 5.0, 40.0, 1.0)
    tiny = 1e-9
    assert law.learning_rate(tiny) == pytest.approx(
        law.eta_infinity * math.sqrt(law.saturation_batch * tiny) / law.noise_batch, rel=1e-9
    )
    assert law.log_slope(tiny) == pytest.approx(0.5, abs=1e-9)
    assert law.learning_rate(1e12) == pytest.approx(1.5, rel=1e-9)
    sgd = CanonicalLaw(2.0, 30.0, 0.0)
    assert sgd.learning_rate(10) == pytest.approx(2 / (1 + 3))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: CanonicalLaw(0.0, 1.0, 1.0), "eta_infinity is 0"),
        (lambda: CanonicalLaw(1.0, -1.0, 1.0), "noise_batch is -1"),
        (lambda: CanonicalLaw(1.0, 1.0, math.inf), "saturation_batch is inf"),
        (lambda: mean_field_law(1.0, -1.0, 1.0, 1.0, 1.0), "signal curvature Q is -1"),
        (lambda: mean_field_law(-1.0, 1.0, 1.0, 1.0, 1.0), "descent A is -1"),
        (lambda: CanonicalLaw(1.0, 1.0, 1.0).learning_rate(0), "batch size is 0"),
        (lambda: CanonicalLaw(1.0, 0.0, 1.0).peak_learning_rate, "noise_batch is 0"),
    ],
)
def test_wrong_input(make: object, word: str) -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    assert callable(make)
    with pytest.raises(InputError, match=word):
        make()
