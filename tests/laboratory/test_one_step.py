"""Exact one-step optima against Monte Carlo, and what they become in their limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.laboratory import (
    NoisyQuadratic,
    Optimizer,
    Step,
    adam,
    adam_limit_step,
    equicorrelated,
    momentum_noise_factor,
    rule_optimizer,
    sampled_step,
    sgd_step,
    sign_step,
    softsign_step,
)
from scaling_theory.law import NoDescent, NoMinimum
from tests.laboratory.cases import NOISES, problem

DRAWS = 400_000
"""Enough for a standard error of eta* near 0.1 % (asserted below 0.2 %): 1 % is 5 of them."""


def agree(exact: Step, measured: Step, k: float = 3.0) -> bool:
    """Whether eta* and both of its parts lie within k standard errors."""
    pairs = (
        (exact.learning_rate, measured.learning_rate),
        (exact.optimum.loss_drop, measured.optimum.loss_drop),
        (exact.descent, measured.descent),
        (exact.curvature, measured.curvature),
    )
    return all(abs(a.value - b.value) < k * b.standard_error for a, b in pairs)


def spoiled(step: Step, part: str) -> Step:
    """The step with 1 % added to one of the numbers the learning rate is made of."""
    descent, signal, noise = step.descent.value, step.signal, step.noise
    descent *= 1.01 if part == "descent" else 1.0
    signal *= 1.01 if part in ("signal", "curvature") else 1.0
    noise *= 1.01 if part in ("noise", "curvature") else 1.0
    return replace(
        step, descent=Estimate(descent, 0.0, 0), curvature=Estimate(signal + noise, 0.0, 0)
    )


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("rule", ["sgd", "signsgd"])
def test_exact_optimum_agrees_with_monte_carlo(rule: str, noise: str) -> None:
    """Rung: Monte Carlo, n = 400000 batches, within 3 standard errors (12 cases, fixed seeds)."""
    made = problem(noise)
    exact = sgd_step(made, 20.0) if rule == "sgd" else sign_step(made, 20.0)
    measured = sampled_step(
        made, rule_optimizer(rule), 20.0, chains=DRAWS, rng=np.random.default_rng(7)
    )
    assert measured.learning_rate.standard_error < 0.002 * measured.learning_rate.value
    assert agree(exact, measured)
    # Negative controls, seen in the learning rate itself: 1 % on either of its two parts.
    for part in ("descent", "curvature"):
        off = spoiled(exact, part).learning_rate.value - measured.learning_rate.value
        assert abs(off) > 3 * measured.learning_rate.standard_error


@pytest.mark.parametrize(
    ("rule", "batch_size", "part"),
    [
        ("sgd", 0.2, "noise"),
        ("signsgd", 0.2, "noise"),
        ("sgd", 1e4, "signal"),
        ("signsgd", 300.0, "signal"),
    ],
)
def test_one_percent_in_either_part_of_the_curvature_is_caught(
    rule: str, batch_size: float, part: str
) -> None:
    """Rung: Monte Carlo, n = 400000; each part is planted where it makes up the curvature."""
    made = problem("aligned")
    exact = (sgd_step if rule == "sgd" else sign_step)(made, batch_size)
    measured = sampled_step(
        made, rule_optimizer(rule), batch_size, chains=DRAWS, rng=np.random.default_rng(8)
    )
    share = exact.noise / exact.curvature.value
    assert share > 0.95 if part == "noise" else share < 0.4
    assert agree(exact, measured)
    assert not agree(spoiled(exact, part), measured)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 20.0])
@pytest.mark.parametrize("noise", ["aligned", "low rank, sharp"])
def test_softsign_quadrature_agrees_with_monte_carlo(noise: str, epsilon: float) -> None:
    """Rung: Monte Carlo, n = 200000, 3 standard errors; epsilon over rms sigma, B = 20."""
    made = problem(noise)
    width = epsilon * float(np.sqrt(made.variance.mean()))
    exact = softsign_step(made, 20.0, width)
    optimizer = rule_optimizer("softsignsgd", width)
    measured = sampled_step(made, optimizer, 20.0, chains=200_000, rng=np.random.default_rng(9))
    assert agree(exact, measured)
    assert not agree(spoiled(exact, "descent"), measured)


@pytest.mark.parametrize(
    ("exact", "optimizer"),
    [
        (lambda p: sgd_step(p, 5.0, beta1=0.8), rule_optimizer("sgd", beta1=0.8)),
        (lambda p: sign_step(p, 5.0, beta1=0.8), rule_optimizer("signsgd", beta1=0.8)),
        (
            lambda p: softsign_step(p, 5.0, 1.0, beta1=0.8),
            rule_optimizer("softsignsgd", 1.0, beta1=0.8),
        ),
    ],
    ids=["sgd", "signsgd", "softsignsgd"],
)
def test_momentum_at_a_standing_point(
    exact: Callable[[NoisyQuadratic], Step], optimizer: Optimizer
) -> None:
    """Rung: Monte Carlo of the average itself, 10000 chains, 3 standard errors."""
    made = problem("aligned")
    measured = sampled_step(made, optimizer, 5.0, chains=10_000, rng=np.random.default_rng(3))
    assert agree(exact(made), measured)
    # Negative control: without the momentum factor the noise curvature is 9 times larger.
    assert not agree(sgd_step(made, 5.0), measured)


def test_momentum_multiplies_the_batch_in_the_one_step_view() -> None:
    """Rung: closed form (beta_1 = 0.9 is a batch 19 times larger; sqrt(1/19) = 0.22942)."""
    made = problem("low rank")
    assert np.sqrt(momentum_noise_factor(0.9)) == pytest.approx(0.22942, abs=5e-6)
    for step in (sgd_step, sign_step):
        held, larger = step(made, 3.0, beta1=0.9), step(made, 57.0)
        assert held.learning_rate.value == pytest.approx(larger.learning_rate.value, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_adam_tends_to_its_limit(epsilon: float) -> None:
    """Rung: Monte Carlo of Adam itself; the gap closes like 1 - beta_2."""
    made = problem("aligned", size=6)
    limit = adam_limit_step(made, 5.0, beta1=0.5, epsilon=epsilon).learning_rate.value
    gaps = []
    for beta2 in (0.9, 0.99):
        rule = adam(0.5, beta2, epsilon)
        rng = np.random.default_rng(4)
        rate = sampled_step(made, rule, 5.0, chains=4000, records=40, rng=rng).learning_rate
        gaps.append((rate.value / limit - 1, rate.standard_error / limit))
    (near, _), (far, error) = gaps
    assert abs(far) < 0.25 * abs(near) + 3 * error
    # (1 - beta_2) times a number of order one.
    assert abs(far) < 0.02 + 3 * error


def test_adam_with_no_memory_is_the_sign() -> None:
    """Rung: closed form (beta_1 = beta_2 = 0, epsilon = 0), on the same draws."""
    made = problem("aligned")
    signs, adams = (
        sampled_step(made, rule, 5.0, chains=1000, rng=np.random.default_rng(2))
        for rule in (rule_optimizer("signsgd"), adam(0.0, 0.0, 0.0))
    )
    assert adams.learning_rate.value == pytest.approx(signs.learning_rate.value, rel=1e-12)


def test_large_epsilon_is_sgd_and_small_epsilon_is_the_sign() -> None:
    """Rung: closed form (limits of the softsign; corrections s^2 / epsilon^2, epsilon / s)."""
    made = problem("aligned")
    wide = softsign_step(made, 5.0, 1e4).learning_rate.value / 1e4
    assert wide == pytest.approx(sgd_step(made, 5.0).learning_rate.value, rel=1e-5)
    narrow = softsign_step(made, 5.0, 1e-7).learning_rate.value
    assert narrow == pytest.approx(sign_step(made, 5.0).learning_rate.value, rel=1e-5)


@pytest.mark.parametrize("rule", [sgd_step, sign_step])
def test_infinite_batches_have_no_noise(rule: Callable[[NoisyQuadratic, float], Step]) -> None:
    """Rung: closed form (the noiseless problem is the limit)."""
    made = problem("aligned")
    silent = replace(made, noise=np.zeros(made.size))
    assert rule(silent, 1.0).noise == 0.0
    assert rule(made, 1e12).learning_rate.value == pytest.approx(
        rule(silent, 1.0).learning_rate.value, rel=1e-6
    )


def test_diagonal_noise_needs_no_pairs() -> None:
    """Rung: slow brute force (the same independent noise written as a full covariance)."""
    made = problem("independent")
    full = replace(made, noise=made.noise_matrix)
    for step in (
        sgd_step,
        sign_step,
        lambda p, b: softsign_step(p, b, 0.7),
        lambda p, b: adam_limit_step(p, b, epsilon=0.7),
    ):
        assert step(made, 5.0).noise == pytest.approx(step(full, 5.0).noise, rel=1e-12)


def test_no_minimum_and_no_descent_are_refused() -> None:
    """Rung: closed form (an indefinite Hessian along u; a saddle whose sign step climbs)."""
    saddle = NoisyQuadratic(np.array([1.0, -3.0]), np.zeros(2), np.array([0.3, 1.0]), np.zeros(2))
    with pytest.raises(NoMinimum):
        _ = sgd_step(saddle, 1.0).learning_rate
    flat = NoisyQuadratic(np.ones(2), np.ones(2), np.zeros(2), np.zeros(2))
    with pytest.raises(NoDescent):
        _ = sgd_step(flat, 1.0).learning_rate


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: sgd_step(p, 0.0), "batch size is 0"),
        (lambda p: sign_step(p, -1.0), "batch size is -1"),
        (lambda p: sgd_step(p, 1.0, beta1=1.0), "beta1 is 1"),
        (lambda p: adam_limit_step(p, 1.0, epsilon=-1.0), "epsilon is -1"),
        (lambda p: rule_optimizer("lion"), "update rule 'lion'"),
        (lambda p: rule_optimizer("sgd", beta1=-0.1), "beta1 is -0.1"),
        (lambda p: adam(beta2=1.5), "beta2 is 1.5"),
        (
            lambda p: sampled_step(
                p, rule_optimizer("sgd"), 1.0, chains=1, rng=np.random.default_rng(0)
            ),
            "at least 2 chains",
        ),
    ],
    ids=["batch 0", "batch -1", "beta1", "epsilon", "rule", "momentum", "beta2", "chains"],
)
def test_wrong_use_is_refused(call: Callable[[NoisyQuadratic], object], message: str) -> None:
    """Rung: closed form (one clear line each)."""
    with pytest.raises(InputError, match=message):
        call(problem("aligned"))


def test_equal_coordinates_by_hand() -> None:
    """Rung: closed form (five coordinates, every correlation 1/2, no signal)."""
    matrix = equicorrelated(5, 0.5)
    made = NoisyQuadratic(matrix, 4.0 * matrix, np.zeros(5), np.zeros(5))
    # g = 0: Cov(sign) = (2/pi) arcsin(1/2) = 1/3 off the diagonal, 1 on it; H = 1/2 and 1 there.
    assert sign_step(made, 1.0).noise == pytest.approx(5 + 20 * 0.5 / 3, rel=1e-12)
