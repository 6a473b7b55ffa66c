"""Each optimizer of the laboratory against a plain loop written from its definition."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.laboratory import (
    NoisyQuadratic,
    Optimizer,
    adam,
    rule_optimizer,
    simulated_excess_loss,
)
from tests.laboratory.cases import problem

RULES = {
    "sgd": rule_optimizer("sgd"),
    "sgd momentum": rule_optimizer("sgd", beta1=0.8),
    "sgd momentum corrected": rule_optimizer("sgd", beta1=0.8, bias_correction=True),
    "signsgd": rule_optimizer("signsgd"),
    "softsignsgd": rule_optimizer("softsignsgd", 0.3),
    "softsignsgd momentum": rule_optimizer("softsignsgd", 0.3, beta1=0.8),
    "adam": adam(0.8, 0.95, 0.1),
    "adam uncorrected": adam(0.8, 0.95, 0.1, bias_correction=False),
}


def plain_average(values: list[np.ndarray], beta: float, corrected: bool) -> np.ndarray:
    """The exponential average from zero, written out as a sum (over the weights, if corrected)."""
    weights = np.array([(1 - beta) * beta**k for k in reversed(range(len(values)))])
    total = np.asarray(np.tensordot(weights, np.array(values), axes=1))
    return total / float(weights.sum()) if corrected else total


def plain_direction(name: str, past: list[np.ndarray]) -> np.ndarray:
    """The update from all gradients so far."""
    if name.startswith("adam"):
        corrected = name == "adam"
        first = plain_average(past, 0.8, corrected)
        second = plain_average([g * g for g in past], 0.95, corrected)
        return np.asarray(first / (np.sqrt(second) + 0.1))
    average = past[-1]
    if "momentum" in name:
        average = plain_average(past, 0.8, "corrected" in name)
    if name.startswith("signsgd"):
        return np.asarray(np.sign(average))
    if name.startswith("softsignsgd"):
        return np.asarray(average / np.sqrt(average**2 + 0.09))
    return average


@pytest.mark.parametrize("noise", ["independent", "aligned"])
@pytest.mark.parametrize("name", RULES)
def test_runs_against_a_plain_loop(name: str, noise: str) -> None:
    """Rung: slow brute force (one run at a time, full matrices, the same random numbers)."""
    made = problem(noise, size=5)
    rates, steps = np.array([0.05, 0.4]), 9
    fast = simulated_excess_loss(
        made,
        RULES[name],
        rates,
        batch_size=3.0,
        steps=steps,
        replicas=2,
        rng=np.random.default_rng(11),
    )
    normal = np.random.default_rng(11).standard_normal((steps, 2, 1, 5))
    root = np.diag(made.noise_factor) if made.noise.ndim == 1 else made.noise_factor
    for replica in range(2):
        for column, rate in enumerate(rates):
            theta, past = made.theta.copy(), []
            for step in range(steps):
                noise_now = root @ normal[step, replica, 0] / np.sqrt(3.0)
                past.append(made.hessian_matrix @ (theta - made.optimum) + noise_now)
                theta = theta - rate * plain_direction(name, past)
            left = theta - made.optimum
            plain = 0.5 * left @ made.hessian_matrix @ left
            assert fast[replica, column] == pytest.approx(plain, rel=1e-9)


def test_adam_does_not_move_without_gradient() -> None:
    """Rung: closed form (0 / 0 at epsilon = 0 is no step)."""
    still = NoisyQuadratic(np.ones(2), np.zeros(2), np.array([1.0, 0.0]), np.zeros(2))
    rule: Optimizer = adam(0.9, 0.99, 0.0)
    update, _ = rule.direction(still.gradient, rule.start((2,)), 1)
    np.testing.assert_allclose(update, [1.0, 0.0])


def test_names_say_what_they_are() -> None:
    """Rung: closed form (records name the optimizer and its settings)."""
    assert RULES["softsignsgd momentum"].name == "softsignsgd(epsilon=0.3) beta1=0.8"
    assert RULES["adam"].name == "adam beta1=0.8 beta2=0.95 epsilon=0.1"
