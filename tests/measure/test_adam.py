"""Adam's two forms against torch's own steps and dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from empirical.errors import UsageError
from empirical.measure.adam import adam_next_step, adam_stationary, audit_measured
from empirical.measure.adam_state import read_adam
from empirical.measure.groups import optimizer_groups
from empirical.measure.measurement import Measurement, measure
from tests.measure.test_lr_finder import SCALES, Bowl, best_rate, bowl_loss, samples


def with_past(optimizer: Optimizer, model: nn.Module, steps: int = 5) -> Optimizer:
    """The optimizer after a few real steps."""
    for seed in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(bowl_loss(model, samples(100 + seed, 4)))
        optimizer.step()
    return optimizer


def measured(model: nn.Module, count: int = 2000) -> Measurement:
    pool = samples(0, count)
    # exactly the mean that the brute force takes for granted
    return measure(model, pool - pool.mean(0), loss=bowl_loss, curvature="none", blocks=200)


CASES: dict[str, Any] = {
    "adam": lambda p: Adam(p, lr=0.01),
    "adamw": lambda p: AdamW(p, lr=0.01, betas=(0.8, 0.9), eps=1e-2, weight_decay=0.1),
    "adam with decay": lambda p: Adam(p, lr=0.01, weight_decay=0.3, eps=0.1),
    "amsgrad": lambda p: AdamW(p, lr=0.01, amsgrad=True, betas=(0.5, 0.5)),
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("steps", [0, 5], ids=["first step", "sixth step"])
def test_the_next_update_is_the_optimizers(make: Any, steps: int) -> None:
    """Another library: torch makes the step, and the parameters have moved by lr times u."""
    model = Bowl()
    optimizer = with_past(make(model.parameters()), model, steps)
    found = measured(model, 50 * 8)
    state = read_adam(optimizer, model, found.point.problem)
    before = model.theta.detach().clone()
    optimizer.zero_grad()
    torch.autograd.backward(bowl_loss(model, samples(7, 4)))
    assert model.theta.grad is not None
    update = state.update(model.theta.grad.clone(), before)
    optimizer.step()
    torch.testing.assert_close(before - model.theta.detach(), 0.01 * update, rtol=1e-9, atol=1e-14)
    assert not torch.allclose(before - model.theta.detach(), 0.0101 * update, rtol=1e-3)


@pytest.mark.parametrize("batch_size", [2, 16])
@pytest.mark.parametrize("name", ["adamw", "adam with decay"])
def test_the_best_rate_of_the_next_step(name: str, batch_size: int) -> None:
    """Slow brute force: E[u]^T g / E[u^T H u] over 1500 real steps on fresh batches."""
    model = Bowl(2.0)
    optimizer = with_past(CASES[name](model.parameters()), model)
    found = measured(model)
    state = read_adam(optimizer, model, found.point.problem)
    step = adam_next_step(found, state, batch_size, draws=600, subset=4)
    assert step.learning_rate is not None
    truth = best_rate(model, optimizer, batch_size)
    # 1500 and 600 draws of updates that spread by less than their mean: 3 % and 4 %, times 2.5
    assert step.learning_rate.value == pytest.approx(truth, rel=0.1)
    assert step.present == 0.01


def test_stationary_form_against_dense_matrices() -> None:
    """Dense algebra: A g, (A g)^T H (A g) and rho Tr(H A Sigma A) / B, entry by entry."""
    model = Bowl()
    found = measured(model)
    step = adam_stationary(found, 8, beta1=0.8, epsilon=0.05)
    g, variance, h = (x.numpy() for x in (found.gradient, found.variance, SCALES))
    scale = 1 / (np.sqrt(g**2 + variance / 8) + 0.05)
    assert step.descent.value == pytest.approx(float(scale @ g**2), rel=1e-9)
    # second differences: losses of 500 rounded to 1e-13 over h^2 v^T H v of 1e-8
    assert step.signal.value == pytest.approx(float((scale * g) ** 2 @ h), rel=5e-5)
    away = found.deviations.numpy()
    exact = (0.2 / 1.8) * found.block_size / 8 * float(((scale * away) ** 2 @ h).mean())
    assert step.noise.value == pytest.approx(exact, rel=5e-5)
    assert step.noise.value != pytest.approx(1.01 * exact, rel=1e-3)
    # and the deviations stand for Sigma within their error
    whole = (0.2 / 1.8) / 8 * float(scale**2 * variance @ h)
    assert abs(exact - whole) < 4 * step.noise.standard_error
    ratio = step.descent.value / (step.signal.value + step.noise.value)
    assert step.learning_rate is not None
    assert step.learning_rate.value == pytest.approx(ratio)


def test_noise_scale_under_the_optimizers_own_second_moment() -> None:
    """Closed form: sum A sigma^2 / (sum A g^2 - sum A sigma^2 / N), A from the optimizer's v."""
    model = Bowl()
    optimizer = with_past(AdamW(model.parameters(), lr=0.01, eps=0.05), model)
    state = read_adam(optimizer, model, measured(model, 400).point.problem)
    pool = samples(3, 400)
    found = measure(
        model, pool, loss=bowl_loss, curvature="none", second_moment=state.second, epsilon=0.05
    )
    scale = 1 / (state.second.sqrt() + 0.05)
    noise = float(scale @ found.variance)
    exact = noise / (float(scale @ found.gradient.square()) - noise / 400)
    assert found.whole.adam.estimate is not None
    assert found.whole.adam.estimate.value == pytest.approx(exact, rel=1e-12)
    with pytest.raises(UsageError, match="second_moment has shape"):
        measure(model, pool, loss=bowl_loss, second_moment=torch.ones(3))


def test_groups_of_an_optimizer() -> None:
    """Closed form: every group of the optimizer is measured under its number."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
    slow: dict[str, Any] = {"params": [model[0].bias, model[1].bias], "lr": 0.01}
    fast: dict[str, Any] = {"params": [model[0].weight, model[1].weight]}
    optimizer = AdamW([fast, slow])
    found = measure(
        model,
        samples(0, 60)[:, :3],
        loss=lambda m, batch: m(batch).square().mean(),
        groups=optimizer_groups(optimizer, model),
        curvature="none",
    )
    sizes = {name: noise.parameters for name, noise in found.noise.items()}
    assert sizes == {"all": 11, "group 0": 8, "group 1": 3}


def test_audit_of_what_was_measured() -> None:
    """Closed form: every coordinate is sign-like for a tiny epsilon, none for a huge one."""
    found = measured(Bowl(), 400)
    assert audit_measured(found, 1e-9, [4.0]).places[0].regime == "sign-like"
    assert audit_measured(found, 1e6, [4.0]).places[0].regime == "SGD-like"


def test_wrong_use_is_refused() -> None:
    """Closed form: other optimizers, unequal groups, another model's state."""
    model = Bowl()
    found = measured(model, 400)
    problem = found.point.problem
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(UsageError, match="use lr_find"):
        read_adam(sgd, model, problem)
    with pytest.raises(UsageError, match="maximize"):
        read_adam(Adam(model.parameters(), maximize=True), model, problem)
    with pytest.raises(UsageError, match="does not hold 'theta'"):
        read_adam(Adam(Bowl().parameters()), model, problem)
    with pytest.raises(UsageError, match="beta1 1"):
        adam_stationary(found, 4, beta1=1.0)
    state = read_adam(Adam(model.parameters()), model, problem)
    with pytest.raises(UsageError, match="at least 4"):
        adam_next_step(found, state, 4, draws=1)
    with pytest.raises(UsageError, match=r"400 were measured; fewer .* pass unseen=False"):
        adam_next_step(found, state, 400)
    assert adam_next_step(found, state, 400, draws=4, unseen=False).batch_size == 400
