"""The one-step truth of any model: closed forms, enumeration, and the demo's own route."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.adam_state import read_adam
from empirical.measure.measured_step import Rule, measure_steps, softsign_rule
from empirical.measure.measurement import Measurement, measure
from empirical.train.optimizers import softsign
from tests.measure.plain import TiedModel, next_token_loss, quadratic_loss, randomised, token_batch

SIZE = 6


@dataclass(frozen=True)
class Known:
    """A noisy quadratic pool: gradients of its samples are H (theta - c_k), to the last digit."""

    found: Measurement
    hessian: Tensor
    rows: Tensor


@pytest.fixture(scope="module")
def known() -> Known:
    rng = torch.Generator().manual_seed(3)
    factor = torch.randn(SIZE, SIZE, generator=rng, dtype=torch.float64)
    hessian = factor @ factor.T / SIZE + 0.2 * torch.eye(SIZE, dtype=torch.float64)
    centres = torch.randn(9, SIZE, generator=rng, dtype=torch.float64)
    theta = torch.full((SIZE,), 0.6, dtype=torch.float64)
    found = measure(
        quadratic_loss(hessian), centres, parameters={"theta": theta}, curvature="none", blocks=9
    )
    return Known(found, hessian, (theta - centres) @ hessian)


def exact_rate(known: Known, batch_size: int, epsilon: float) -> float:
    """E[u]^T g / E[u^T H u] over all N^B equally likely batches."""
    picks = torch.tensor(list(product(range(len(known.rows)), repeat=batch_size)))
    update = softsign(known.rows[picks].mean(1), epsilon)
    bent = (update @ known.hessian * update).sum(1).mean()
    return float((update @ known.rows.mean(0)).mean() / bent)


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_softsign_by_enumeration(known: Known, batch_size: int) -> None:
    """Slow brute force: all batches there are, for sign, softsign and SGD-like epsilon."""
    epsilons = [0.0, 0.5, 1e4]
    rules = [softsign_rule(epsilon) for epsilon in epsilons]
    truths = measure_steps(known.found.point, batch_size, rules, batches=1000, subset=9)
    for epsilon, truth in zip(epsilons, truths, strict=True):
        exact = exact_rate(known, batch_size, epsilon)
        rate = truth.learning_rate
        assert rate is not None and truth.interval is not None
        assert abs(rate.value - exact) < 4 * rate.standard_error
        assert rate.standard_error < 0.03 * exact
        assert abs(1.15 * rate.value - exact) > 4 * rate.standard_error  # negative control
        assert truth.interval[0] < rate.value < truth.interval[1]
        assert truth.batches.shape == (1000, batch_size)


def test_intervals_cover(known: Known) -> None:
    """Repetition: 95 % intervals of 40 seeds hold the exact value in 33 or more (p < 0.004)."""
    exact, held, halved = exact_rate(known, 2, 0.5), 0, 0
    for seed in range(40):
        rule = [softsign_rule(0.5)]
        truth = measure_steps(known.found.point, 2, rule, batches=64, subset=4, seed=seed)[0]
        assert truth.interval is not None and truth.learning_rate is not None
        held += truth.interval[0] <= exact <= truth.interval[1]
        error = truth.learning_rate.standard_error
        halved += abs(truth.learning_rate.value - exact) < 0.7 * error
    assert held >= 33
    assert halved < 32  # the negative control: much narrower intervals do not


def test_a_padded_transformer_by_enumeration() -> None:
    """Slow brute force: unequal weights, where the gradient of a batch is a ratio of sums."""
    model = randomised(TiedModel(vocabulary=5, width=2, context=3), size=0.4)
    x, y = (part % 5 for part in token_batch(6, context=3))
    y = y.clone()
    y[::2, -1] = -100
    found = measure(model, (x, y), loss=next_token_loss, curvature="none", blocks=6)
    parameters = list(model.parameters())
    updates = []
    for pick in product(range(6), repeat=2):
        loss = next_token_loss(model, (x[list(pick)], y[list(pick)]))
        pieces = torch.autograd.grad(loss, parameters)
        updates.append(softsign(torch.cat([p.reshape(-1) for p in pieces]), 0.05))
    # the curvature of each by another route: the loss of the whole pool at five points
    theta, step = torch.cat([p.detach().reshape(-1) for p in parameters]), 1e-3

    def loss_at(point: Tensor) -> float:
        torch.nn.utils.vector_to_parameters(point, parameters)
        return float(next_token_loss(model, (x, y)).detach())

    bent = []
    for u in updates:
        values = [loss_at(theta + k * step * u) for k in (-2, -1, 0, 1, 2)]
        bent.append(np.dot([-1, 16, -30, 16, -1], values) / 12 / step**2)
    loss_at(theta)
    gradient = torch.autograd.grad(next_token_loss(model, (x, y)), parameters)
    g = torch.cat([p.reshape(-1) for p in gradient])
    exact = float(torch.stack(updates).mean(0) @ g) / float(np.mean(bent))
    truth = measure_steps(found.point, 2, [softsign_rule(0.05)], batches=1000, subset=6)[0]
    assert truth.learning_rate is not None
    rate = truth.learning_rate
    assert abs(rate.value - exact) < 4 * rate.standard_error
    assert rate.standard_error < 0.05 * exact


def test_the_next_step_of_adam(known: Known) -> None:
    """Slow brute force: any rule, here AdamW's own update from its state, over all batches."""

    class Bowl(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.theta = torch.nn.Parameter(known.found.point.problem.point.clone())

    model = Bowl()
    optimizer = torch.optim.AdamW(model.parameters(), eps=0.1, betas=(0.5, 0.9))
    model.theta.grad = known.rows.mean(0)
    optimizer.step()
    with torch.no_grad():
        model.theta.copy_(known.found.point.problem.point)
    state = read_adam(optimizer, model, known.found.point.problem)

    def apply(gradient: Tensor) -> Tensor:
        return state.update(gradient, known.found.point.problem.point)

    truth = measure_steps(known.found.point, 2, [Rule(0.1, apply)], batches=800, subset=9)[0]
    picks = torch.tensor(list(product(range(9), repeat=2)))
    update = torch.stack([apply(row) for row in known.rows[picks].mean(1)])
    bent = (update @ known.hessian * update).sum(1).mean()
    exact = float((update @ known.rows.mean(0)).mean() / bent)
    assert truth.learning_rate is not None
    assert abs(truth.learning_rate.value - exact) < 4 * truth.learning_rate.standard_error
    assert truth.learning_rate.standard_error < 0.02 * exact


def test_what_cannot_be_measured_is_refused(known: Known) -> None:
    """Closed form: too few batches, no descent."""
    at = known.found.point
    for batch_size, batches, subset in ((0, 10, 1), (1, 2, 1), (1, 10, 0)):
        with pytest.raises(UsageError, match="are wanted"):
            measure_steps(at, batch_size, [softsign_rule(0.1)], batches=batches, subset=subset)
    uphill = Rule(0.0, lambda gradient: -gradient)
    truth = measure_steps(at, 2, [uphill], batches=16)[0]
    assert truth.learning_rate is None and "no descent" in truth.status
