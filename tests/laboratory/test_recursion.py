"""Exact second moments of SGD and momentum SGD, against brute force and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, mean_estimate
from scaling_theory.laboratory import (
    NoisyQuadratic,
    expected_excess_loss,
    rule_optimizer,
    sgd_step,
    simulated_excess_loss,
    simulated_path,
    stationary_variance,
    trajectory_moments,
)
from tests.laboratory.cases import problem

# eta = 0.1, h = 1, sigma^2 / B = 1: the numbers of a published simulation, to its digits.
STATIONARY = {0.0: 0.0526, 0.5: 0.0508, 0.9: 0.0501, 0.99: 0.0500}


def one_coordinate() -> NoisyQuadratic:
    return NoisyQuadratic(np.ones(1), np.full(1, 4.0), np.zeros(1), np.zeros(1))


@pytest.mark.parametrize(("beta1", "expected"), STATIONARY.items())
def test_stationary_variance_is_the_known_one(beta1: float, expected: float) -> None:
    """Rung: closed form, and the recursion run to its limit (S = 20000)."""
    value = stationary_variance(1.0, 4.0, batch_size=4.0, learning_rate=0.1, beta1=beta1)
    assert value == pytest.approx(expected, abs=5.1e-5)
    loss = expected_excess_loss(
        one_coordinate(), np.array([0.1]), batch_size=4.0, steps=20_000, beta1=beta1
    )
    # Half of h E[e^2]; powers by squaring lose a few ulps per squaring.
    assert 2 * loss[0] == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_stationary_variance_in_simulation(beta1: float) -> None:
    """Rung: Monte Carlo, 64 chains of 6000 steps, 3 standard errors; 10 % low is caught."""
    path = simulated_path(
        one_coordinate(),
        rule_optimizer("sgd", beta1=beta1),
        np.array([0.1]),
        batch_size=4.0,
        steps=6_000,
        replicas=64,
        rng=np.random.default_rng(1),
    )
    squares = np.array([offset[:, 0, 0] ** 2 for offset, _ in path][500:])
    measured = mean_estimate(squares.mean(axis=0))
    exact = stationary_variance(1.0, 4.0, batch_size=4.0, learning_rate=0.1, beta1=beta1)
    assert abs(measured.value - exact) < 3 * measured.standard_error
    assert abs(measured.value - 0.95 * exact) > 3 * measured.standard_error


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("noise", ["independent", "aligned", "low rank"])
def test_expected_loss_against_dense_moments(noise: str, beta1: float) -> None:
    """Rung: slow brute force (the joint covariance of theta and momentum, stepped densely)."""
    made = problem(noise)
    for steps in (0, 1, 7, 40):
        dense = trajectory_moments(made, 0.4, batch_size=3.0, steps=steps, beta1=beta1)
        brute = made.excess_loss(dense.mean) + 0.5 * np.sum(made.hessian_matrix * dense.covariance)
        fast = expected_excess_loss(made, np.array([0.4]), batch_size=3.0, steps=steps, beta1=beta1)
        # Both add up a few hundred terms of order one.
        assert fast[0] == pytest.approx(brute, rel=1e-11)


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_moments_against_simulation(beta1: float) -> None:
    """Rung: Monte Carlo, 40000 runs of 12 steps; 4.5 standard errors on mean and covariance."""
    made = problem("aligned", size=4, b_simple=10.0)
    *_, (offset, _) = simulated_path(
        made,
        rule_optimizer("sgd", beta1=beta1),
        np.array([0.3]),
        batch_size=2.0,
        steps=12,
        replicas=40_000,
        rng=np.random.default_rng(2),
    )
    theta = made.optimum + offset[:, 0]
    exact = trajectory_moments(made, 0.3, batch_size=2.0, steps=12, beta1=beta1)
    spread = np.sqrt(np.diag(exact.covariance) / len(theta))
    assert np.all(np.abs(theta.mean(axis=0) - exact.mean) < 4.5 * spread)
    around = theta - exact.mean
    products = around.T @ around / len(theta)
    deviation = np.sqrt(np.diag(exact.covariance))
    scale = np.outer(deviation, deviation)
    error = np.sqrt((scale**2 + exact.covariance**2) / len(theta))
    assert np.all(np.abs(products - exact.covariance) < 4.5 * error)
    # Negative control: 5 % on the covariance (standard error of a variance 0.7 %).
    assert np.any(np.abs(products - 1.05 * exact.covariance) > 4.5 * error)


def test_expected_loss_against_simulation() -> None:
    """Rung: Monte Carlo, 100000 runs, 3 standard errors; a planted 1 % is caught."""
    made = problem("aligned")
    rates = np.array([0.1, 0.8])
    losses = simulated_excess_loss(
        made,
        rule_optimizer("sgd"),
        rates,
        batch_size=20.0,
        steps=30,
        replicas=100_000,
        rng=np.random.default_rng(3),
    )
    exact = expected_excess_loss(made, rates, batch_size=20.0, steps=30)
    for column, expected in zip(losses.T, exact, strict=True):
        measured = mean_estimate(column)
        assert measured.standard_error < 0.0022 * measured.value
        assert within(measured, expected)
        assert not within(measured, 1.01 * expected)


def within(measured: Estimate, expected: float) -> bool:
    return abs(measured.value - expected) < 3 * measured.standard_error


def test_one_step_of_the_recursion_is_the_law() -> None:
    """Rung: closed form (L - eta d + eta^2 c / 2 at three learning rates)."""
    made = problem("aligned")
    step = sgd_step(made, 5.0)
    rates = np.array([0.5, 1.0, 3.0]) * step.learning_rate.value
    start = made.excess_loss(made.theta)
    parabola = start - rates * step.descent.value + rates**2 * step.curvature.value / 2
    recursion = expected_excess_loss(made, rates, batch_size=5.0, steps=1)
    np.testing.assert_allclose(recursion, parabola, rtol=1e-12)
    best = expected_excess_loss(made, rates[1], batch_size=5.0, steps=1)[0]
    assert start - best == pytest.approx(step.optimum.loss_drop.value, rel=1e-11)


def test_divergence_is_an_infinite_loss() -> None:
    """Rung: closed form (eta h > 2 grows without bound)."""
    made = problem("aligned")
    losses = expected_excess_loss(made, np.array([0.1, 5.0]), batch_size=1.0, steps=10_000)
    assert np.isfinite(losses[0])
    assert losses[1] == np.inf
    simulated = simulated_excess_loss(
        made,
        rule_optimizer("sgd"),
        np.array([0.1, 50.0]),
        batch_size=1.0,
        steps=300,
        replicas=2,
        rng=np.random.default_rng(0),
    )
    assert np.all(np.isfinite(simulated[:, 0]))
    assert np.all(simulated[:, 1] == np.inf)


def test_wrong_use_is_refused() -> None:
    """Rung: closed form (one clear line each)."""
    made = problem("aligned")
    with pytest.raises(InputError, match="steps -1"):
        expected_excess_loss(made, np.ones(1), batch_size=1.0, steps=-1)
    with pytest.raises(InputError, match="beta1 is 1"):
        trajectory_moments(made, 0.1, batch_size=1.0, steps=1, beta1=1.0)
    with pytest.raises(InputError, match="batch size is 0"):
        expected_excess_loss(made, np.ones(1), batch_size=0.0, steps=1)
    with pytest.raises(InputError, match="stationary state"):
        stationary_variance(1.0, 1.0, batch_size=1.0, learning_rate=2.0)
