"""Update rules against their formulas, one step at a time."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Adafactor

from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SignumConfig,
    SoftSignSGDConfig,
)
from empirical.train.optimizers import SignSGD, SoftSignSGD, build_optimizer, softsign
from scaling_theory.updates import UPDATE_RULES

Array = NDArray[np.float64]
LEARNING_RATE = 0.1
STEPS = 6
CASES: dict[str, OptimizerConfig] = {
    "adamw": AdamWConfig(),
    "adamw-decay": AdamWConfig(first_decay=0.8, second_decay=0.9, epsilon=0.3, weight_decay=0.5),
    "adam-decay": AdamConfig(first_decay=0.8, second_decay=0.9, epsilon=0.3, weight_decay=0.5),
    "sgd": SGDConfig(),
    "sgd-momentum-decay": SGDConfig(momentum=0.7, weight_decay=0.5),
    "signsgd": SignSGDConfig(),
    "signsgd-decay": SignSGDConfig(weight_decay=0.5),
    "signum-decay": SignumConfig(momentum=0.7, weight_decay=0.5),
    "softsignsgd": SoftSignSGDConfig(epsilon=0.7),
    "softsignsgd-decay": SoftSignSGDConfig(epsilon=0.7, weight_decay=0.5),
    "softsignsgd-average": SoftSignSGDConfig(epsilon=0.7, first_decay=0.6),
    "softsignsgd-0": SoftSignSGDConfig(epsilon=0),
}


def _gradient(step: int, x: float) -> float:
    """Some gradient of some loss; 0 at x = 0."""
    return x * math.cos(step) + 0.3 * math.sin(2 * x)


def _reference(config: OptimizerConfig, x: float) -> float:
    """One number after all steps, by the textbook formula of each rule."""
    first = second = 0.0
    for step in range(1, STEPS + 1):
        g = _gradient(step, x)
        match config:
            case AdamWConfig() | AdamConfig():
                if isinstance(config, AdamWConfig):
                    x -= LEARNING_RATE * config.weight_decay * x
                else:
                    g += config.weight_decay * x
                first = config.first_decay * first + (1 - config.first_decay) * g
                second = config.second_decay * second + (1 - config.second_decay) * g**2
                mean = first / (1 - config.first_decay**step)
                root = math.sqrt(second / (1 - config.second_decay**step))
                x -= LEARNING_RATE * (mean / (root + config.epsilon) if mean else 0.0)
            case SGDConfig():
                first = config.momentum * first + g + config.weight_decay * x
                x -= LEARNING_RATE * first
            case SignSGDConfig():
                x -= LEARNING_RATE * config.weight_decay * x
                x -= LEARNING_RATE * math.copysign(g != 0, g)
            case SignumConfig():
                first = config.momentum * first + (1 - config.momentum) * g
                x -= LEARNING_RATE * config.weight_decay * x
                x -= LEARNING_RATE * math.copysign(first != 0, first)
            case SoftSignSGDConfig():
                first = config.first_decay * first + (1 - config.first_decay) * g
                mean = first / (1 - config.first_decay**step)
                x -= LEARNING_RATE * config.weight_decay * x
                x -= LEARNING_RATE * (mean / math.hypot(mean, config.epsilon) if mean else 0.0)
    return x


def _trained(config: OptimizerConfig, start: Tensor) -> Tensor:
    parameter = Parameter(start.clone())
    optimizer = build_optimizer([parameter], config, LEARNING_RATE)
    for step in range(1, STEPS + 1):
        parameter.grad = torch.tensor(
            [_gradient(step, x) for x in parameter.tolist()], dtype=start.dtype
        )
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_rules_follow_their_formulas(config: OptimizerConfig) -> None:
    """Closed form: six steps from six starts, g = 0 included; a 1 % error is seen."""
    starts = [-2.0, -0.5, 0.0, 1e-3, 0.9, 3.0]
    ends = _trained(config, torch.tensor(starts, dtype=torch.float64))
    expected = [_reference(config, x) for x in starts]
    # float64 and some dozens of roundings of numbers of order one.
    np.testing.assert_allclose(ends.numpy(), expected, rtol=1e-12, atol=1e-14)
    if isinstance(config, AdamWConfig | SoftSignSGDConfig) and config.epsilon > 0.1:
        off = config.model_copy(update={"epsilon": 1.01 * config.epsilon})
        assert np.abs(ends.numpy() - [_reference(off, x) for x in starts]).max() > 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("ratio", [0.0, 1e-3, 1.0, 1e3])
@pytest.mark.parametrize("size", [1e-35, 1e-12, 1.0, 1e30])
def test_softsign_over_its_range(dtype: torch.dtype, ratio: float, size: float) -> None:
    """Closed form: r / √(1 + r²) for r = g / ε, however large or small both are."""
    gradient = torch.tensor([-ratio * size, ratio * size], dtype=dtype)
    expected = ratio / math.sqrt(1 + ratio**2)
    # g and ε, their root and the quotient are rounded once each; sizes below the smallest
    # normal number (float32 and bfloat16: 1e-38) keep few digits.
    subnormal = 0.01 if ratio * size < 1e-37 and dtype != torch.float64 else 0.0
    tolerance = 4 * torch.finfo(dtype).eps + subnormal
    np.testing.assert_allclose(
        softsign(gradient, size).double().numpy(), [-expected, expected], rtol=tolerance
    )


@pytest.mark.parametrize(
    "config",
    [SGDConfig(), SignSGDConfig(), SoftSignSGDConfig(epsilon=0.3), SoftSignSGDConfig(epsilon=0)],
    ids=["sgd", "signsgd", "softsignsgd", "softsignsgd-0"],
)
def test_the_theory_means_the_same_rules(config: OptimizerConfig) -> None:
    """Another library: one step in torch is one step of the theory's rule of the same name."""
    gradient = np.array([-3.0, -1e-3, 0.0, 0.2, 5.0])
    parameter = Parameter(torch.zeros(5, dtype=torch.float64))
    parameter.grad = torch.from_numpy(gradient)
    build_optimizer([parameter], config, LEARNING_RATE).step()
    epsilon = config.epsilon if isinstance(config, SoftSignSGDConfig) else 0.0
    expected = -LEARNING_RATE * UPDATE_RULES[config.name].apply(gradient, epsilon)
    # Both are rounded a few times, at 1e-16 each.
    np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("epsilon", [0.0, 1e-60])
def test_softsign_without_epsilon_is_the_sign(epsilon: float) -> None:
    """Closed form: at ε = 0, and at an ε that float32 cannot hold, also where g = 0."""
    gradient = torch.tensor([-1e-30, 0.0, 2.0, 1e38])
    assert softsign(gradient, epsilon).tolist() == [-1.0, 0.0, 1.0, 1.0]


def test_softsignsgd_is_an_optimizer_of_torch() -> None:
    """Closed form: closure called once, groups with options, no gradient no change, state saved."""
    moved, faster, still = (Parameter(torch.ones(2)) for _ in range(3))
    groups: list[dict[str, Any]] = [
        {"params": [moved, still]},
        {"params": [faster], "lr": 0.5, "eps": 1.0},
    ]
    optimizer = SoftSignSGD(groups, lr=0.1, eps=0.0)
    calls = []

    def closure() -> float:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = (2 * moved + faster).sum()
        torch.autograd.backward(loss)
        return loss.item()

    assert optimizer.step(closure) == 6.0
    assert calls == [True]
    torch.testing.assert_close(moved.detach(), torch.full((2,), 0.9))
    torch.testing.assert_close(faster.detach(), torch.full((2,), 1 - 0.5 / math.sqrt(2)))
    assert still.tolist() == [1.0, 1.0]
    assert optimizer.step() is None
    copy = SoftSignSGD([{"params": [moved, still]}, {"params": [faster]}], lr=1.0, eps=9.0)
    copy.load_state_dict(optimizer.state_dict())
    assert [(group["lr"], group["eps"]) for group in copy.param_groups] == [(0.1, 0.0), (0.5, 1.0)]


def test_signum_is_the_softsign_of_the_average_at_epsilon_0() -> None:
    """Another route: SignSGD with momentum against SoftSignSGD, whose unbiasing has no sign."""
    one, other = Parameter(torch.ones(9)), Parameter(torch.ones(9))
    signum = SignSGD([one], lr=0.1, momentum=0.9)
    soft = SoftSignSGD([other], lr=0.1, eps=0.0, first_decay=0.9)
    for step in range(5):
        one.grad = other.grad = torch.linspace(-1, 1, 9) * math.cos(2 * step)
        signum.step()
        soft.step()
    assert torch.equal(one, other)


def test_a_sparse_gradient_is_refused() -> None:
    """Closed form: it is named, with what to do."""
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    torch.autograd.backward(embedding(torch.tensor([1])).sum())
    with pytest.raises(ValueError, match="sparse or complex gradient for SignSGD"):
        SignSGD(embedding.parameters(), lr=0.1).step()


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_decays_out_of_range_are_refused(value: float) -> None:
    """Closed form: an average keeps a share in [0, 1) of its past."""
    with pytest.raises(ValueError, match=f"momentum={value}; wanted at least 0 and below 1"):
        SignSGD([Parameter(torch.ones(1))], lr=0.1, momentum=value)


@pytest.mark.parametrize("option", ["lr", "eps", "weight_decay"])
@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_options_out_of_range_are_refused(option: str, value: float) -> None:
    """Closed form: a negative or undefined option is named, of any group."""
    options: dict[str, Any] = {"lr": 0.1, "eps": 0.1, "weight_decay": 0.1}
    with pytest.raises(ValueError, match=f"{option}={value}"):
        SoftSignSGD([Parameter(torch.ones(1))], **(options | {option: value}))
    with pytest.raises(ValueError, match=f"{option}={value}"):
        SoftSignSGD([{"params": [Parameter(torch.ones(1))], option: value}], **options)


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e-7])
def test_adafactor_does_not_see_the_size_of_the_gradient(size: float) -> None:
    """Closed form: v scales with g², so that g / √v does not; the default epsilon stays away."""
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(32, 16, generator=generator)
    weights = torch.randn(32, 16, generator=generator)

    def moved(optimizer_of: Any, size: float) -> Tensor:
        """By a second step, whose gradient is a tenth of the first."""
        parameter = Parameter(weights.clone())
        optimizer = optimizer_of(parameter)
        for share in (1.0, 0.1):
            before = parameter.detach().clone()
            parameter.grad = share * size * gradient
            optimizer.step()
        return parameter.detach() - before

    def ours(parameter: Parameter) -> Any:
        return build_optimizer([parameter], AdafactorConfig(), LEARNING_RATE)

    def torchs(parameter: Parameter) -> Any:
        return Adafactor([parameter], lr=LEARNING_RATE)

    # A dozen float32 roundings of 6e-8.
    torch.testing.assert_close(moved(ours, size), moved(ours, 1.0), rtol=1e-5, atol=1e-7)
    # Another library, wrong: torch's own default bounds the mean of a row of v by the 1.2e-7 that
    # is meant for a root. Small gradients get a v too small; all their updates are then clipped.
    off = (moved(torchs, size) - moved(ours, 1.0)).abs().max() / moved(ours, 1.0).abs().max()
    assert (off > 0.1) == (size < 3e-4)
