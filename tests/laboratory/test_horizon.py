"""Best learning rates of whole runs: known answers, agreement of both routes, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.laboratory import (
    NoHorizonOptimumError,
    NoisyQuadratic,
    exact_horizon_optimum,
    expected_excess_loss,
    paired_ratio,
    rule_optimizer,
    sgd_step,
    simulated_horizon_optimum,
)
from tests.laboratory.cases import problem


@pytest.mark.parametrize("noise", ["independent", "aligned", "low rank"])
@pytest.mark.parametrize("batch_size", [1.0, 30.0, 1e4])
def test_a_run_of_one_step_is_the_law(noise: str, batch_size: float) -> None:
    """Rung: closed form (S = 1; a parabola's minimum is flat, hence 1e-6, not 1e-12)."""
    made = problem(noise)
    best = exact_horizon_optimum(made, batch_size=batch_size, steps=1)
    expected = sgd_step(made, batch_size).learning_rate.value
    assert best.learning_rate.value == pytest.approx(expected, rel=2e-6)
    # Rounding of the loss moves the flat bottom by sqrt(1e-16) of the learning rate.
    assert best.interval[0] * (1 - 1e-7) < expected < best.interval[1] * (1 + 1e-7)


def test_one_coordinate_without_noise_is_solved_at_once() -> None:
    """Rung: closed form (eta = 1 / h for every S >= 1)."""
    made = NoisyQuadratic(np.full(1, 4.0), np.zeros(1), np.ones(1), np.zeros(1))
    best = exact_horizon_optimum(made, batch_size=1.0, steps=3)
    assert best.learning_rate.value == pytest.approx(0.25, rel=1e-2)
    assert best.excess_loss.value < 1e-12


@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_exact_optimum_against_a_fine_grid(beta1: float) -> None:
    """Rung: slow brute force (4001 learning rates, 0.17 % apart)."""
    made = problem("aligned")
    grid = np.geomspace(1e-3, 1.0, 4001)
    losses = expected_excess_loss(made, grid, batch_size=10.0, steps=50, beta1=beta1)
    best = exact_horizon_optimum(made, batch_size=10.0, steps=50, beta1=beta1)
    assert best.learning_rate.value == pytest.approx(grid[np.argmin(losses)], rel=2e-3)
    assert best.excess_loss.value <= losses.min()


@pytest.mark.parametrize(
    ("beta1", "batch_size"), [(0.0, 10.0), (0.9, 10.0), (0.0, 1e5)], ids=["sgd", "momentum", "edge"]
)
def test_simulated_optimum_agrees_with_the_exact_one(beta1: float, batch_size: float) -> None:
    """Rung: Monte Carlo, 2000 replicas, 3 standard errors plus 1 % for the parabola's shape.

    At B = 1e5 the optimum lies beside the edge of stability, where the loss is steep on one side.
    """
    made = problem("aligned")
    exact = exact_horizon_optimum(made, batch_size=batch_size, steps=20, beta1=beta1)
    measured = simulated_horizon_optimum(
        made,
        rule_optimizer("sgd", beta1=beta1),
        batch_size=batch_size,
        steps=20,
        replicas=2000,
        seed=1,
    )
    rate = measured.learning_rate
    assert rate.standard_error < 0.02 * rate.value
    gap = abs(rate.value - exact.learning_rate.value)
    assert gap < 3 * rate.standard_error + 0.01 * rate.value
    assert measured.interval[0] < rate.value < measured.interval[1]
    # The loss beside the vertex is within a fraction of a percent of the lowest.
    assert measured.excess_loss.value == pytest.approx(exact.excess_loss.value, rel=0.05)


def test_standard_error_covers_seeds() -> None:
    """Rung: Monte Carlo (the spread over 12 seeds against the mean jackknife error)."""
    made = problem("aligned")
    runs = [
        simulated_horizon_optimum(
            made, rule_optimizer("signsgd"), batch_size=10.0, steps=20, replicas=32, seed=seed
        ).learning_rate
        for seed in range(12)
    ]
    spread = np.std([run.value for run in runs], ddof=1)
    claimed = np.mean([run.standard_error for run in runs])
    # chi^2 with 11 degrees of freedom: a factor 0.5 to 1.7 holds with probability 0.998.
    assert 0.5 < spread / claimed < 1.7


def test_common_noise_cancels_in_a_paired_ratio() -> None:
    """Rung: closed form (a softsign with a huge epsilon is SGD: ratio epsilon, error near 0)."""
    made = problem("aligned")
    found = [
        simulated_horizon_optimum(made, rule, batch_size=10.0, steps=10, replicas=8, seed=3)
        for rule in (rule_optimizer("softsignsgd", 1e4), rule_optimizer("sgd"))
    ]
    ratio = paired_ratio(found[0], found[1])
    # The two searches start from guesses that are not one grid: a parabola moves by 1e-3.
    assert ratio.value == pytest.approx(1e4, rel=5e-3)
    assert ratio.standard_error < 0.1 * found[1].learning_rate.standard_error * 1e4 / (
        found[1].learning_rate.value
    )
    exact = exact_horizon_optimum(made, batch_size=10.0, steps=10)
    with pytest.raises(InputError, match="8 and 0 replicas"):
        paired_ratio(found[0], exact)


def test_no_minimum_is_refused() -> None:
    """Rung: closed form (at the optimum with noise, any step makes it worse)."""
    made = NoisyQuadratic(np.ones(2), np.ones(2), np.zeros(2), np.zeros(2))
    with pytest.raises(NoHorizonOptimumError, match="edge of the learning rates") as caught:
        exact_horizon_optimum(made, batch_size=1.0, steps=5)
    assert caught.value.learning_rates.shape == caught.value.losses.shape
    with pytest.raises(NoHorizonOptimumError):
        simulated_horizon_optimum(
            made, rule_optimizer("signsgd"), batch_size=1.0, steps=5, replicas=4, seed=0
        )


def test_one_replica_is_refused() -> None:
    """Rung: closed form (no standard error from one)."""
    with pytest.raises(InputError, match="at least 2"):
        simulated_horizon_optimum(
            problem("aligned"), rule_optimizer("sgd"), batch_size=1.0, steps=5, replicas=1, seed=0
        )
