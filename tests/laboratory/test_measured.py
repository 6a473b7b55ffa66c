"""What the closures predict from a problem, against the problem's exact answer."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.estimate import mean_estimate
from scaling_theory.laboratory import (
    exact_statistics,
    predicted_curvature,
    predicted_step,
    sampled_statistics,
    sgd_step,
    sign_step,
    softsign_step,
)
from scaling_theory.noise import CLOSURES
from tests.laboratory.cases import problem


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 20.0])
def test_every_closure_is_exact_for_independent_noise(epsilon: float) -> None:
    """Rung: closed form (no correlation: the exact curvature is the diagonal sum)."""
    made = problem("independent")
    exact = softsign_step(made, 5.0, epsilon)
    for closure in ("independent", "correlated"):
        predicted = predicted_curvature(made, 5.0, epsilon, closure=closure)
        assert predicted.total.value == pytest.approx(exact.curvature.value, rel=1e-10)
        assert predicted.descent.value == pytest.approx(exact.descent.value, rel=1e-12)


@pytest.mark.parametrize("noise", ["aligned", "strongly aligned", "low rank, sharp"])
def test_correlated_closure_becomes_sgd_at_large_epsilon(noise: str) -> None:
    """Rung: closed form (epsilon -> infinity; corrections of order s^2 / epsilon^2 = 1e-7)."""
    made = problem(noise)
    predicted = predicted_step(made, 2.0, 1e5).learning_rate.value / 1e5
    assert predicted == pytest.approx(sgd_step(made, 2.0).learning_rate.value, rel=1e-6)
    # Negative control: the independent closure is not SGD.
    alone = predicted_step(made, 2.0, 1e5, closure="independent").learning_rate.value / 1e5
    assert alone > 1.5 * predicted


def test_weak_signal_sign_noise_is_first_order_in_the_correlation() -> None:
    """Rung: closed form ((2/pi) Tr(H R) + (1 - 2/pi) Tr H at small signal-to-noise)."""
    made = problem("aligned", b_simple=1e9)
    predicted = predicted_curvature(made, 1.0, 0.0).noise.value
    share = 2 / np.pi
    form = np.sum(made.hessian_matrix * made.correlation)
    # Corrections of order (g / s)^2, at most 1e-7 here.
    assert predicted == pytest.approx(share * form + (1 - share) * made.trace, rel=1e-6)
    exact = np.sum(made.hessian_matrix * share * np.arcsin(made.correlation))
    assert sign_step(made, 1.0).noise == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 1.0])
@pytest.mark.parametrize("noise", ["strongly aligned", "low rank, sharp"])
def test_gaussian_simulation_has_no_error_of_the_expansion(noise: str, epsilon: float) -> None:
    """Rung: Monte Carlo, 20 simulations of 10000 draws, 3 standard errors of their mean.

    The closure's own standard error counts the spread of its deviations, which here are exact.
    """
    made = problem(noise)
    exact = softsign_step(made, 2.0, epsilon)
    rng = np.random.default_rng(5)
    simulated = mean_estimate(
        [
            CLOSURES["gaussian_simulated"](
                exact_statistics(made),
                2.0,
                epsilon,
                made,
                probes=rng.standard_normal((10_000, made.size)),
            ).noise.value
            for _ in range(20)
        ]
    )
    assert abs(simulated.value - exact.noise) < 3 * simulated.standard_error
    # Negative control: at epsilon = 0 the first order in the correlation is visibly low.
    if epsilon == 0.0:
        first = predicted_curvature(made, 2.0, epsilon).noise.value
        assert first < exact.noise - 3 * simulated.standard_error


def test_sampled_deviations_recover_the_exact_closure() -> None:
    """Rung: recovery (4000 micro-batches of 4 sequences; 3 standard errors of the estimate)."""
    made = problem("aligned")
    measured = sampled_statistics(made, 4000, np.random.default_rng(6), micro_batch=4)
    estimate = CLOSURES["correlated"](
        measured, 20.0, 0.5, made, probes=np.sqrt(made.size) * np.eye(made.size)
    )
    exact = predicted_curvature(made, 20.0, 0.5)
    gap = abs(estimate.noise.value - exact.noise.value)
    assert gap < 3 * estimate.noise.standard_error
    assert estimate.noise.standard_error < 0.1 * exact.noise.value


def test_exact_statistics_hold_the_covariance() -> None:
    """Rung: closed form (mean outer product of the deviations is Sigma)."""
    for noise in ("independent", "low rank"):
        made = problem(noise)
        rows = exact_statistics(made).deviations
        np.testing.assert_allclose(rows.T @ rows / len(rows), made.noise_matrix, atol=1e-12)
        assert exact_statistics(made).simple_noise_batch == pytest.approx(30.0, rel=1e-12)
