"""A small model, and every optimizer in every mode that it has, for the tests of optimizers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    AdamWConfig,
    MuonConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SignSGDConfig,
    SignumConfig,
    SoftSignSGDConfig,
    SqrtNumelSGDConfig,
)
from empirical.train.optimizers import build_optimizer
from empirical.train.randomness import private_generator

CASES: dict[str, OptimizerConfig] = {
    "adamw": AdamWConfig(epsilon=1e-3, weight_decay=0.1),
    "adam": AdamConfig(second_half_life_tokens=5e3, weight_decay=0.1),
    "sgd": SGDConfig(),
    "sgd-momentum": SGDConfig(momentum_half_life_tokens=5e3, weight_decay=0.1),
    "signsgd": SignSGDConfig(weight_decay=0.1),
    "signum": SignumConfig(momentum=0.8, weight_decay=0.1),
    "softsignsgd": SoftSignSGDConfig(epsilon=0.1, weight_decay=0.1),
    "softsignsgd-average": SoftSignSGDConfig(epsilon=0.1, first_decay=0.8),
    "adafactor": AdafactorConfig(weight_decay=0.1),
    "muon": MuonConfig(weight_decay=0.1),
    "muon-original": MuonConfig(scale="original", nesterov=False),
    "sgd-sai": SGDSaIConfig(weight_decay=0.1),
    "sgd-sai-0": SGDSaIConfig(momentum=0.0),
    "sgd-sai-code": SGDSaIConfig(variant="code", weight_decay=0.1),
    "sqrt-numel-sgd": SqrtNumelSGDConfig(weight_decay=0.1),
}
TOKENS_PER_STEP = 512.0


class Model(nn.Module):
    """Six symbols to three values: an embedding, a hidden matrix, a vector and a lone number."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 5)
        self.hidden = nn.Linear(5, 7)
        self.head = nn.Linear(7, 3, bias=False)
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, symbols: Tensor) -> Tensor:
        hidden = torch.tanh(self.hidden(self.embedding(symbols)))
        return functional.linear(hidden, self.head.weight) + self.shift


def fresh_model(dtype: torch.dtype = torch.float64) -> Model:
    """The same weights at every call."""
    model = Model()
    generator = private_generator(3, "weights")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return model.to(dtype)


def loss_at(model: Model, step: int) -> Tensor:
    """Of a batch of its own at every step."""
    generator = private_generator(step, "batch")
    symbols = torch.randint(0, 6, (16,), generator=generator)
    noise = torch.randn(16, 3, generator=generator)
    targets = torch.stack([symbols.sin(), symbols.cos(), symbols.double()], 1) + 0.1 * noise
    return functional.mse_loss(model(symbols), targets.to(model.shift.dtype))


def optimizer_of(
    model: Model,
    config: OptimizerConfig,
    *,
    learning_rate: float = 0.01,
    foreach: bool | None = None,
    rounding: torch.Generator | None = None,
) -> Optimizer:
    """Built as a run builds it."""
    return build_optimizer(
        model,
        config,
        learning_rate,
        tokens_per_step=TOKENS_PER_STEP,
        foreach=foreach,
        rounding=rounding,
    )


def trained(model: Model, optimizer: Optimizer, steps: range) -> dict[str, Tensor]:
    """The weights after these steps, in place and as copies."""
    for step in steps:
        optimizer.zero_grad()
        torch.autograd.backward(loss_at(model, step))
        optimizer.step()
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def closure_of(model: Model, optimizer: Optimizer, calls: list[bool]) -> Callable[[], float]:
    """A closure as torch's optimizers take them, which notes whether gradients were enabled."""

    def closure() -> float:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = loss_at(model, 0)
        torch.autograd.backward(loss)
        return loss.item()

    return closure
