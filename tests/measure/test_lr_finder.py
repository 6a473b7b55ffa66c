"""The learning-rate finder on losses whose best next step is known, and where it must refuse."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from empirical.errors import UsageError
from empirical.measure.lr_finder import LearningRate, lr_find

SCALES = torch.logspace(-1, 1, 12, dtype=torch.float64)


class Bowl(nn.Module):
    """L_k = sum_i h_i (theta_i - c_ki)^2 / 2 over samples c_k."""

    def __init__(self, start: float = 1.0) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((12,), start, dtype=torch.float64))

    def forward(self, batch: Tensor) -> Tensor:
        return 0.5 * ((self.theta - batch).square() * SCALES).sum(1).mean()


def bowl_loss(model: nn.Module, batch: Any) -> Tensor:
    result: Tensor = model(batch)
    return result


def samples(seed: int, count: int = 300) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(count, 12, generator=rng, dtype=torch.float64)


def optimizers(model: nn.Module) -> dict[str, torch.optim.Optimizer]:
    """Optimizers with a past: a few steps were made, then the parameters were put back."""
    found: dict[str, torch.optim.Optimizer] = {
        "sgd": torch.optim.SGD(model.parameters(), lr=0.0),
        "momentum": torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
        "adamw": torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-3),
    }
    start = deepcopy(model.state_dict())
    for optimizer in found.values():
        for seed in range(8):
            optimizer.zero_grad()
            torch.autograd.backward(bowl_loss(model, samples(500 + seed, 4)))
            optimizer.step()
            model.load_state_dict(start)
    return found


def best_rate(model: nn.Module, optimizer: torch.optim.Optimizer, batch_size: int) -> float:
    """E[u]^T g / E[u^T H u] over fresh batches, the update taken from a real step."""
    theta = model.get_parameter("theta")
    start, state = theta.detach().clone(), deepcopy(optimizer.state_dict())
    g = SCALES * start  # the samples have mean 0
    top = bottom = 0.0
    for seed in range(1500):
        optimizer.zero_grad()
        torch.autograd.backward(bowl_loss(model, samples(10_000 + seed, batch_size)))
        for group in optimizer.param_groups:
            group["lr"] = 1.0
        optimizer.step()
        update = start - theta.detach()
        top += float(update @ g)
        bottom += float((update.square() * SCALES).sum())
        with torch.no_grad():
            theta.copy_(start)
        optimizer.load_state_dict(deepcopy(state))
    return top / bottom


def find(seed: int, name: str = "sgd", **options: Any) -> LearningRate:
    model = Bowl()
    settings: dict[str, Any] = {"batch_size": 4, "loss": bowl_loss, **options}
    return lr_find(model, samples(seed), optimizers(model)[name], seed=seed, **settings)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw"])
def test_intervals_cover_the_best_next_step(name: str) -> None:
    """Planted parameters: 40 searches against a brute-force optimum over 1500 real steps."""
    model = Bowl()
    truth = best_rate(model, optimizers(model)[name], 4)
    found = [find(seed, name) for seed in range(40)]
    assert all(each.status == "ok" for each in found)
    rates = np.array([each.learning_rate for each in found])
    # mean of 40, each good to about 15 %: 2.4 %, plus 1.5 % of the brute force, times 3
    assert abs(rates.mean() / truth - 1) < 0.1
    covered = [e.interval[0] <= truth <= e.interval[1] for e in found if e.interval]
    assert len(covered) == 40
    assert np.mean(covered) >= 0.85  # 95 % less 3 binomial errors
    halved = [e.interval[0] <= truth / 1.5 <= e.interval[1] for e in found if e.interval]
    assert np.mean(halved) < 0.6  # the negative control


def test_nothing_of_the_callers_changes() -> None:
    """Closed form: model, optimizer state and learning rates stay as they came."""
    model = Bowl()
    optimizer = optimizers(model)["adamw"]
    before, state = deepcopy(model.state_dict()), deepcopy(optimizer.state_dict())
    found = lr_find(model, samples(0), optimizer, batch_size=4, loss=bowl_loss, state_steps=3)
    assert torch.equal(model.state_dict()["theta"], before["theta"])
    assert str(optimizer.state_dict()) == str(state)
    assert found.present == 1e-3
    assert "a whole run mostly wants less" in found.notes[-1]
    assert found.loss_drop is not None and found.loss_drop > 0


def test_no_descent_is_not_identified() -> None:
    """Planted parameters: at the minimum every step only adds noise, and it says so."""
    refused = 0
    for seed in range(20):
        model = Bowl(0.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        found = lr_find(model, samples(seed), optimizer, batch_size=4, loss=bowl_loss, seed=seed)
        if found.learning_rate is None:
            refused += 1
            assert "not identified" in found.status and "more samples" in found.status
            assert found.interval is None and found.loss_drop is None
    assert refused >= 17  # one-sided 2.5 % of mistakes, and some slack


def test_a_slope_without_an_end_is_not_identified() -> None:
    """Closed form: a linear loss has no best learning rate."""

    model = nn.Linear(12, 1, bias=False, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = lr_find(
        model, samples(0) + 1, optimizer, batch_size=4, loss=lambda m, batch: m(batch).mean()
    )
    assert found.learning_rate is None
    assert "no minimum" in found.status


def test_two_groups_keep_the_ratio_of_their_rates() -> None:
    """Closed form: a group at a tenth of the rate moves a tenth as far."""
    from empirical.measure.posing import pose_problem
    from empirical.measure.real_updates import stepper_of

    model = nn.Linear(2, 1, dtype=torch.float64)
    groups: list[dict[str, Any]] = [
        {"params": [model.weight]},
        {"params": [model.bias], "lr": 0.01},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    problem = pose_problem(
        model, torch.randn(4, 2, dtype=torch.float64), loss=lambda m, x: m(x).mean()
    )
    update = stepper_of(model, optimizer, problem).update(torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(update, torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64))


class RootRate(torch.optim.SGD):
    """An optimizer whose step goes as the root of its learning rate."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data -= group["lr"] ** 0.5 * parameter.grad


def test_wrong_use_is_refused() -> None:
    """Closed form: a table of wrong uses."""
    model, other = Bowl(), Bowl()
    plain = torch.optim.SGD(model.parameters(), lr=0.1)
    cases: list[tuple[torch.optim.Optimizer, dict[str, Any], str]] = [
        (plain, {"batch_size": 0}, "at least 1"),
        (plain, {"batch_size": 200}, "at least 400 are wanted"),
        (torch.optim.SGD(other.parameters(), lr=0.1), {}, "does not hold 'theta'"),
        (torch.optim.LBFGS(model.parameters()), {}, "plain step"),
        (RootRate(model.parameters(), lr=0.1), {}, "not proportional"),
        (torch.optim.SparseAdam(list(model.parameters())), {}, "does not support dense gradients"),
        (plain, {"batch_size": 4.5}, "batch_size is 4.5; a whole number"),
        (plain, {"samples": 100.5}, "samples is 100.5; a whole number"),
    ]
    for optimizer, options, words in cases:
        settings = {"batch_size": 4, "loss": bowl_loss, **options}
        with pytest.raises(UsageError, match=words):
            lr_find(model, samples(0), optimizer, **settings)


def test_an_optimizer_that_climbs_is_said_to_climb() -> None:
    """Planted parameter: the sign of the update turned, no learning rate can lower the loss."""
    model = Bowl()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, maximize=True)
    found = lr_find(model, samples(0), optimizer, batch_size=4, loss=bowl_loss)
    assert found.learning_rate is None
    assert found.descent.value < 0
    assert "the updates climb" in found.status and "maximize" in found.status
    assert "more samples" not in found.status


@pytest.mark.parametrize("scale", [1e-6, 1e-9, 1e-12])
def test_the_unit_of_the_loss_does_not_matter(scale: float) -> None:
    """Identity: a loss of other units has the learning rate in those, also where a step of the
    optimizer's own rate is lost in the rounding of float32."""
    model = Bowl().float()

    def rate(scale: float) -> float:
        found = lr_find(
            model,
            samples(0).float(),
            torch.optim.SGD(model.parameters(), lr=0.1),
            batch_size=4,
            loss=lambda m, batch: scale * bowl_loss(m, batch),
        )
        assert found.status == "ok" and found.learning_rate is not None
        return found.learning_rate

    # Updates are known to 1e-3 of their size, and so is their curvature.
    assert rate(scale) * scale == pytest.approx(rate(1.0), rel=5e-3)


def test_updates_of_nothing_are_said_to_be() -> None:
    """Closed form: an optimizer that never moves has no descent, however many samples come."""

    class Still(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            return None

    model = Bowl()
    found = lr_find(
        model, samples(0), Still(model.parameters(), lr=0.1), batch_size=4, loss=bowl_loss
    )
    assert "every update, or every gradient, is 0" in found.status
