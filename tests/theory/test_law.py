"""The law: closed forms, errors, and the two ways in which there is no optimum."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, exact_estimate, mean_covariance, mean_estimate
from scaling_theory.law import NoDescent, NoMinimum, NoOptimalStep, optimal_step


def test_minimum_of_a_parabola() -> None:
    """Rung: brute force. -3 eta + 4 eta^2 / 2 has its minimum 9/8 below 0, at 3/4."""
    step = optimal_step(exact_estimate(3), exact_estimate(4))
    grid = np.linspace(0, 2, 200_001)
    loss = -3 * grid + 2 * grid**2
    assert step.learning_rate.value == pytest.approx(grid[loss.argmin()])
    assert step.loss_drop.value == pytest.approx(-loss.min())
    assert step.learning_rate.standard_error == step.loss_drop.standard_error == 0


def test_sgd_on_a_quadratic() -> None:
    """Rung: closed form (arXiv 1812.06162): eta_max / (1 + B_noise / B) with a dense Hessian."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(5, 5))
    hessian, g, noise = root @ root.T, rng.normal(size=5), np.diag(rng.random(5))
    signal = g @ hessian @ g
    scale = np.trace(noise @ hessian) / signal
    for batch in (1, 7, 1000):
        curvature = signal + np.trace(noise @ hessian) / batch
        step = optimal_step(exact_estimate(float(g @ g)), exact_estimate(curvature))
        assert step.learning_rate.value == pytest.approx(g @ g / signal / (1 + scale / batch))
        drop = (g @ g) ** 2 / (2 * signal)
        assert step.loss_drop.value == pytest.approx(drop / (1 + scale / batch))


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_errors_of_the_delta_method(shared: float) -> None:
    """Rung: Monte Carlo. 20,000 repetitions; the spread is known to 1/sqrt(40,000) = 0.5 %.

    Four of those plus the second order of the delta method, (error / value)^2 = 0.25 %.
    """
    rng = np.random.default_rng(4)
    common, top, bottom = rng.standard_normal((3, 20_000))
    descents = 2 + 0.05 * (math.sqrt(1 - shared**2) * top + shared * common)
    curvatures = 5 + 0.25 * (math.sqrt(1 - shared**2) * bottom + shared * common)
    step = optimal_step(
        Estimate(2, 0.05, 30), Estimate(5, 0.25, 40), covariance=shared**2 * 0.05 * 0.25
    )
    rates, drops = descents / curvatures, descents**2 / (2 * curvatures)
    assert step.learning_rate.standard_error == pytest.approx(rates.std(), rel=0.025)
    assert step.loss_drop.standard_error == pytest.approx(drops.std(), rel=0.025)
    assert step.learning_rate.samples == step.loss_drop.samples == 30


def test_paired_samples() -> None:
    """Rung: closed form. Curvature proportional to descent: the learning rate has no error."""
    samples = np.random.default_rng(6).normal(3, 1, 50)
    step = optimal_step(
        mean_estimate(samples),
        mean_estimate(2 * samples),
        covariance=mean_covariance(samples, 2 * samples),
    )
    assert step.learning_rate.value == 0.5
    assert step.learning_rate.standard_error < 1e-8  # sqrt of rounding


@pytest.mark.parametrize("curvature", [0.0, -2.0])
def test_no_minimum(curvature: float) -> None:
    """Rung: closed form. Curvature <= 0 is an outcome with its numbers, never a learning rate."""
    with pytest.raises(NoMinimum, match="no minimum along this direction") as caught:
        optimal_step(exact_estimate(1), Estimate(curvature, 0.5, 12))
    assert caught.value.curvature == Estimate(curvature, 0.5, 12)
    assert caught.value.descent == exact_estimate(1)
    assert isinstance(caught.value, NoOptimalStep) and not isinstance(caught.value, ValueError)


@pytest.mark.parametrize("descent", [0.0, -1.0])
def test_no_descent(descent: float) -> None:
    """Rung: closed form. An update that points uphill has no positive optimal step."""
    with pytest.raises(NoDescent, match="no descent along this direction") as caught:
        optimal_step(Estimate(descent, 0.1, 5), exact_estimate(1))
    assert caught.value.descent.value == descent


def test_infinities_are_refused() -> None:
    """Rung: closed form. An overflowed loss is the caller's to look at."""
    with pytest.raises(InputError, match="finite numbers are wanted"):
        optimal_step(exact_estimate(1), exact_estimate(math.inf))
