"""bfloat16 parameters with stochastic rounding."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from empirical.train.optimizer_configuration import AdamWConfig, SGDConfig
from empirical.train.optimizers import (
    StochasticallyRounded,
    build_optimizer,
    round_stochastically,
)
from empirical.train.randomness import private_generator
from tests.train.optimizer_cases import CASES, fresh_model, trained

SPACING = 2**-7
"""Distance of two neighbouring bfloat16 numbers between 1 and 2."""


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_mean_is_kept(share: float, sign: float) -> None:
    """Monte Carlo: between two neighbours, at `share` of the way, up in `share` of the cases."""
    n = 100_000
    values = torch.full((n,), sign * (1 + share * SPACING))
    rounded = round_stochastically(values, private_generator(0, "rounding")).float() * sign
    assert set(rounded.tolist()) <= {1.0, 1 + SPACING}
    up = (rounded > 1).double().mean().item()
    # Four standard errors of a share of n; 2^-16 of it is the resolution of the noise.
    assert up == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / n) + 2**-16)
    # Negative control: rounding to the nearest misses all shares but 0, one half by ties to even.
    nearest = (values * sign).bfloat16().double().sub(1).div(SPACING).mean().item()
    assert nearest == round(share)


def test_numbers_of_the_type_and_those_beyond_stay() -> None:
    """Closed form: bfloat16 values, zeros, infinities and NaN of any kind are what they were."""
    exact = torch.tensor([0.0, -0.0, 1.0, -3.5, 2.0**-126, 2.0**-133, math.inf, -math.inf])
    rounded = round_stochastically(exact, private_generator(0, "exact"))
    assert torch.equal(rounded.float(), exact)
    assert torch.equal(rounded.signbit(), exact.signbit())
    # All bits of the mantissa set: adding to these bits runs over into the sign.
    nans = torch.tensor([0x7FFFFFFF, -1], dtype=torch.int32).view(torch.float32)
    assert round_stochastically(nans, private_generator(0, "nan")).isnan().all()


def test_small_updates_add_up() -> None:
    """Closed form: 1000 updates of 1/1000 of a spacing are one spacing on average, else nothing."""
    n, steps = 10_000, 1000
    plain = Parameter(torch.ones(n, dtype=torch.bfloat16))
    rounded = Parameter(torch.ones(n, dtype=torch.bfloat16))
    nearest = SGD([plain], lr=1.0)
    stochastic = StochasticallyRounded(
        [rounded], lambda copies: SGD(copies, lr=1.0), private_generator(0, "rounding")
    )
    for _ in range(steps):
        plain.grad = rounded.grad = torch.full_like(plain, -SPACING / steps)
        nearest.step()
        stochastic.step()
    assert torch.equal(plain, torch.ones_like(plain))
    moved = (rounded.double().mean().item() - 1) / SPACING
    # Each entry moves a Poisson number of spacings of mean 1 (the gradient rounds to 1/256).
    assert moved == pytest.approx(1.0, abs=4 / math.sqrt(n) + 1 / 256)


def test_a_step_is_that_of_float32_but_for_the_rounding() -> None:
    """Another route: AdamW on float32 copies; each weight is a neighbour of what that gives."""
    generator = private_generator(1, "weights")
    start = torch.randn(64, 8, generator=generator).bfloat16()
    gradient = torch.randn(64, 8, generator=generator).bfloat16()
    exact, rounded = Parameter(start.float()), Parameter(start.clone())
    config = AdamWConfig(weight_decay=0.1)
    plain = build_optimizer([exact], config, 0.01)
    stochastic = build_optimizer([rounded], config, 0.01, rounding=private_generator(0, "rounding"))
    exact.grad, rounded.grad = gradient.float(), gradient.clone()
    plain.step()
    stochastic.step()
    distance = (rounded.float() - exact).abs()
    assert (distance <= 2**-7 * exact.abs() + 1e-30).all()
    assert (distance > 0).any()
    state = stochastic.state_dict()["state"][0]
    assert state["exp_avg"].dtype == torch.float32
    assert torch.equal(state["exp_avg"], plain.state_dict()["state"][0]["exp_avg"])


@pytest.mark.parametrize("name", ["adamw", "sgd-sai", "muon", "adafactor"])
def test_a_few_tensors_at_a_time_are_as_all_at_once(name: str) -> None:
    """Another route: parts of one tensor against one part of all, equal bits."""
    names = [each for each, _ in fresh_model().named_parameters()]

    def build(copies: list[Parameter]) -> Optimizer:
        return build_optimizer(list(zip(names, copies, strict=True)), CASES[name], 0.01)

    ends = []
    for at_once in (1, 30, 2**24):
        model = fresh_model(torch.bfloat16)
        optimizer = StochasticallyRounded(
            model.parameters(), build, private_generator(0, "rounding"), at_once=at_once
        )
        ends.append(trained(model, optimizer, range(4)))
    for end in ends[1:]:
        assert all(torch.equal(end[name], ends[0][name]) for name in end)


def test_the_seed_decides_the_rounding() -> None:
    """Negative control: another seed, another run; the generator is private to the optimizer."""
    ends = []
    for seed in (0, 0, 1):
        parameter = Parameter(torch.ones(100, dtype=torch.bfloat16))
        optimizer = build_optimizer(
            [parameter], SGDConfig(), 1.0, rounding=private_generator(seed, "rounding")
        )
        global_state = torch.get_rng_state()
        parameter.grad = torch.full_like(parameter, 1e-3)
        optimizer.step()
        assert torch.equal(torch.get_rng_state(), global_state)
        ends.append(parameter.detach())
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_parameters_of_other_types_are_left_to_the_optimizer() -> None:
    """Closed form: a float32 parameter beside moves exactly; no float32 copy outlives a step."""
    half = Parameter(torch.ones(1000, 1000, dtype=torch.bfloat16))
    full = Parameter(torch.ones(3))
    copies: list[Parameter] = []

    def build(given: list[Parameter]) -> AdamW:
        copies.extend(given)
        return AdamW(given, lr=0.5)

    optimizer = StochasticallyRounded([half, full], build, private_generator(0, "rounding"))
    half.grad, full.grad = torch.ones_like(half), torch.ones_like(full)
    optimizer.step()
    for copy, parameter in zip(copies, (half, full), strict=True):
        assert copy.shape == parameter.shape
        assert copy.untyped_storage().nbytes() == 4
        assert copy.grad is None
    assert full.tolist() == pytest.approx([0.495] * 3, rel=1e-6)  # decay 0.01, then a whole rate
