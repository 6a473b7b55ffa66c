"""Closed laws against grids, loops and simulations that share no formula with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from scaling_theory import closed_averages, closed_forms
from scaling_theory.canonical import CanonicalLaw, mean_field_law
from scaling_theory.moments import softsign_moments
from scaling_theory.transfer.curves import (
    adam_ema_curve,
    canonical_curve,
    epsilon_crossover_curve,
    linear_saturating,
    surge_curve,
    surge_peak,
)

# 2 % off a minimum of unit curvature costs 2e-4 of the drop: a search resolves eta far better.
SEARCH = {"xatol": 1e-12}


def random_problem(seed: int, size: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient, positive Hessian, noise covariance."""
    rng = np.random.default_rng(seed)
    factor, noise = rng.normal(size=(2, size, size))
    return rng.normal(size=size), factor @ factor.T, noise @ noise.T


@pytest.mark.parametrize("batch", [1.0, 8.0, 300.0])
def test_sgd_law_is_the_minimum_of_the_expected_loss(batch: float) -> None:
    """Rung: brute force; the expected quadratic loss is searched over eta by another library."""
    g, hessian, sigma = random_problem(1)

    def loss(eta: float) -> float:
        moments = np.outer(g, g) + sigma / batch
        return float(-eta * g @ g + 0.5 * eta**2 * np.sum(moments * hessian))

    eta_max = (g @ g) / (g @ hessian @ g)
    noise_batch = np.sum(sigma * hessian) / (g @ hessian @ g)
    best = minimize_scalar(loss, bounds=(0, 2 * eta_max), method="bounded", options=SEARCH)
    law = closed_forms.sgd_learning_rate(eta_max=eta_max, noise_batch=noise_batch, batch_size=batch)
    # The search stops at the square root of rounding.
    assert best.x == pytest.approx(float(law), rel=1e-6)
    drop = closed_forms.sgd_loss_drop(
        largest_drop=(g @ g) * eta_max / 2, noise_batch=noise_batch, batch_size=batch
    )
    assert -best.fun == pytest.approx(float(drop), rel=1e-12)
    # Negative control: 1 % of the noise batch is seen.
    wrong = closed_forms.sgd_learning_rate(
        eta_max=eta_max, noise_batch=1.01 * noise_batch, batch_size=batch
    )
    assert abs(float(wrong) / best.x - 1) > 1e-5


def test_sgd_law_by_sampling() -> None:
    """Rung: Monte Carlo; 200000 batch gradients, curvature within 4 standard errors."""
    g, hessian, sigma = random_problem(2)
    batch, rng = 5.0, np.random.default_rng(3)
    draws = rng.multivariate_normal(g, sigma / batch, size=200_000)
    curvatures = np.einsum("ki,ij,kj->k", draws, hessian, draws)
    error = curvatures.std() / math.sqrt(curvatures.size)
    signal, noise = g @ hessian @ g, np.sum(sigma * hessian)
    assert abs(curvatures.mean() - (signal + noise / batch)) < 4 * error
    assert abs(curvatures.mean() - (signal + noise)) > 4 * error


def test_steps_and_samples_make_the_hyperbola() -> None:
    """Rung: brute force; steps counted by adding loss drops to a goal, whole steps rounded up."""
    noise_batch, largest, goal = 40.0, 1e-6, 0.1
    fewest = goal / largest
    for batch in (1.0, 10.0, 40.0, 1000.0):
        drop = largest / (1 + noise_batch / batch)
        steps = math.ceil(goal / drop)
        law = closed_forms.steps_to_goal(
            fewest_steps=fewest, noise_batch=noise_batch, batch_size=batch
        )
        samples = closed_forms.samples_to_goal(
            fewest_samples=noise_batch * fewest, noise_batch=noise_batch, batch_size=batch
        )
        assert steps == pytest.approx(float(law), abs=1.001)
        assert (float(law) / fewest - 1) * (float(samples) / (noise_batch * fewest) - 1) == (
            pytest.approx(1.0, rel=1e-12)
        )


@pytest.mark.parametrize("shape", [1.0, math.pi / 2])
def test_canonical_law_from_matrices(shape: float) -> None:
    """Rung: brute force; E[uu^T] of the mean field as a matrix, no A, Q or T."""
    g, hessian, _ = random_problem(4)
    epsilon, kappa2 = 0.4, 25.0
    u = g / np.hypot(g, epsilon)
    for batch in (0.3, 7.0, 500.0):
        beta = closed_averages.mean_field_beta(
            kappa2=kappa2, shape_constant=shape, batch_size=batch
        )
        second = beta**2 * np.outer(u, u) + (1 - beta**2) * np.eye(u.size)
        rate = float(beta * u @ g / np.sum(second * hessian))
        law = mean_field_law(
            float(u @ g), float(u @ hessian @ u), float(np.trace(hessian)), kappa2, shape
        )
        assert law.learning_rate(batch) == pytest.approx(rate, rel=1e-12)
        direct = closed_forms.mean_field_learning_rate(
            descent=u @ g,
            signal_curvature=u @ hessian @ u,
            trace=np.trace(hessian),
            beta=beta,
        )
        assert float(direct) == pytest.approx(rate, rel=1e-12)


def test_peak_by_search() -> None:
    """Rung: brute force; the largest eta* searched over ln B. K = 100, Q/T = 3: B_peak = 100."""
    noise_batch, saturation = 100.0 / 3, 100.0

    def rate(log_batch: float) -> float:
        return -float(
            closed_forms.canonical_learning_rate(
                eta_infinity=2.0,
                noise_batch=noise_batch,
                saturation_batch=saturation,
                batch_size=math.exp(log_batch),
            )
        )

    best = minimize_scalar(rate, bounds=(0, 12), method="bounded", options=SEARCH)
    peak = closed_forms.canonical_peak_batch(noise_batch=noise_batch, saturation_batch=saturation)
    assert float(peak) == pytest.approx(100, rel=1e-12)
    assert math.exp(best.x) == pytest.approx(100, rel=1e-4)
    height = closed_forms.canonical_peak_learning_rate(
        eta_infinity=2.0, noise_batch=noise_batch, saturation_batch=saturation
    )
    assert -best.fun == pytest.approx(float(height), rel=1e-10)


def test_three_noise_batches() -> None:
    """Rung: closed form; harmonic steps of 1/K from the efficiency scale to the peak."""
    K, Q, T = 60.0, 7.0, 1.5
    efficiency = closed_forms.efficiency_batch(saturation_batch=K, signal_curvature=Q, trace=T)
    surge = closed_forms.surge_noise_batch(saturation_batch=K, signal_curvature=Q, trace=T)
    peak = closed_forms.canonical_peak_batch(noise_batch=efficiency, saturation_batch=K)
    assert float(1 / efficiency - 1 / surge) == pytest.approx(1 / K)
    assert float(1 / surge - 1 / peak) == pytest.approx(1 / K)


def test_surge_curve_is_the_linearised_sign_law() -> None:
    """Rung: brute force; exact erf moments far below saturation, coordinate by coordinate.

    erf(x) is linear to x^2/3 = B SNR^2 / 6, below 1e-4 here; Q - T includes no diagonal.
    """
    rng = np.random.default_rng(8)
    g = np.abs(rng.normal(size=40)) * 1e-3 + 1e-4
    hessian = np.full((40, 40), 0.3) + 0.7 * np.eye(40)
    weights = np.outer(g, g) * hessian
    off = weights.sum() - np.trace(weights)
    T = np.trace(hessian)
    noise_batch = math.pi * T / (2 * off)
    eta_max = math.sqrt(noise_batch / (2 * math.pi)) * (g @ g) / T
    for batch in (1.0, 20.0):
        moments = softsign_moments(g, 1 / math.sqrt(batch), 0.0)
        curvature = moments.mean @ hessian @ moments.mean + np.diag(hessian) @ moments.variance
        law = closed_forms.surge_learning_rate(
            eta_max=eta_max, noise_batch=noise_batch, batch_size=batch
        )
        assert moments.mean @ g / curvature == pytest.approx(float(law), rel=2e-4)


def test_scalar_criterion_example_by_sampling() -> None:
    """Rung: Monte Carlo; 400000 batches of the example, ratio of rates within 4 standard errors."""
    rng, draws = np.random.default_rng(11), 400_000
    blocks = (
        (1.0, 1.0, np.array([[1, -0.6], [-0.6, 1]])),
        (0.01, 10.0, np.ones((2, 2))),
    )
    descent, curvature = 0.0, np.zeros(draws)
    for g, sigma, hessian in blocks:
        u = np.sign(g + sigma / 10 * rng.normal(size=(draws, 2)))
        descent += float(u.sum(axis=1).mean()) * g
        curvature += np.einsum("ki,ij,kj->k", u, hessian, u)
    ratio = descent / curvature.mean() / (2.02 / 4.8)
    error = ratio * curvature.std() / curvature.mean() / math.sqrt(draws)
    assert abs(ratio - 1.697) < 4 * error + 5e-4
    assert ratio > 1.6


def test_transfer_curves_and_canonical_law_are_the_closed_forms() -> None:
    """Rung: closed form; the formulas of the articles typed once more, here only."""
    B, Bn, K, Q, eps, g, sigma = 30.0, 12.0, 80.0, 5.0, 0.2, 0.1, 2.0
    rho, b = 0.1 / 1.9, 1 / math.sqrt(1 + K / B)
    assert linear_saturating(B, Bn) == pytest.approx(1 / (1 + Bn / B))
    assert surge_curve(B, Bn) == pytest.approx(2 / (math.sqrt(Bn / B) + math.sqrt(B / Bn)))
    assert surge_peak(K, Q) == pytest.approx(math.pi / 2 * K / (Q - 1))
    assert canonical_curve(B, Bn, K) == pytest.approx(math.sqrt(1 + K / B) / (1 + Bn / B))
    assert adam_ema_curve(B, K, Q, 0.9) == pytest.approx(1 / (rho / b + b * (Q - rho)))
    crossover = (math.sqrt(g**2 + sigma**2 / B) + eps) / (1 + Bn / B)
    assert epsilon_crossover_curve(B, eps, g, sigma, Bn) == pytest.approx(crossover)
    law = CanonicalLaw(1.0, Bn, K)
    assert law.log_slope(B) == pytest.approx(Bn / (B + Bn) - K / (B + K) / 2)


def test_fit_form_has_its_ends() -> None:
    """Rung: closed form at B = 0+ and B large; corrections are (B/B_N)^p / p, below 1e-6."""
    for power in (0.5, 1.0, 4.0):
        small = 1e-12 if power < 1 else 1e-6
        keywords = {"at_small_batch": 3.0, "scale_batch": 1.0, "sharpness": power}
        start = closed_forms.noise_curvature_fit(batch_size=small, **keywords)
        end = closed_forms.noise_curvature_fit(batch_size=1 / small, **keywords)
        assert float(start) == pytest.approx(3.0, rel=1e-5)
        assert float(end) / small == pytest.approx(3.0, rel=1e-5)
