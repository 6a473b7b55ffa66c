"""Numbers that an optimizer keeps between two steps, counted from the shapes of the parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from empirical.advise.memory_shapes import ModelShape, Tensors
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
from empirical.train.parameter_roles import is_hidden_matrix


@dataclass(frozen=True)
class OptimizerState:
    """numbers: in the type of the state. counters: step counts of torch, float32 each."""

    numbers: int
    counters: int = 0

    def bytes(self, bytes_per_number: int) -> int:
        """The memory of both."""
        return self.numbers * bytes_per_number + 4 * self.counters


def optimizer_state(config: OptimizerConfig, tensors: Tensors) -> OptimizerState:
    """What the optimizer of this configuration keeps for these parameters after its first step.

    One buffer per parameter for momentum, two for Adam, a row and a column per matrix for
    Adafactor (of its last two axes), one buffer for Muon's hidden matrices and two for the rest.
    The scales of SGD-SaI are two Python numbers per tensor and not counted.
    """
    every = sum(prod(shape) for _, shape in tensors)
    match config:
        case SignSGDConfig():
            return OptimizerState(0)
        case SGDConfig() | SignumConfig() | SGDSaIConfig() | SqrtNumelSGDConfig():
            averaged = config.momentum > 0 or config.momentum_half_life_tokens is not None
            return OptimizerState(every if averaged else 0)
        case SoftSignSGDConfig():
            averaged = config.first_decay > 0 or config.first_half_life_tokens is not None
            return OptimizerState(every if averaged else 0)
        case AdamWConfig() | AdamConfig():
            return OptimizerState(2 * every, len(tensors))
        case AdafactorConfig():
            return OptimizerState(sum(_factored(shape) for _, shape in tensors), len(tensors))
        case MuonConfig():
            rest = tuple(part for part in tensors if not is_hidden_matrix(*part))
            others = sum(prod(shape) for _, shape in rest)
            return OptimizerState(every - others + 2 * others, len(rest))


def _factored(shape: tuple[int, ...]) -> int:
    if len(shape) < 2:
        return prod(shape)
    return prod(shape) // shape[-1] + prod(shape) // shape[-2]


def needs_shapes(config: OptimizerConfig) -> bool:
    """Whether the number of parameters alone does not decide the state."""
    return isinstance(config, AdafactorConfig | MuonConfig)


def adapters(model: ModelShape, rank: int) -> Tensors:
    """LoRA's two factors, [rank, columns] and [rows, rank], for every hidden matrix.

    arXiv 2106.09685 adapts some of the attention's matrices only; this is its memory at most.
    """
    return tuple(_adapters(model.tensors, rank))


def _adapters(tensors: Tensors, rank: int) -> Iterable[tuple[str, tuple[int, ...]]]:
    for name, shape in tensors:
        if is_hidden_matrix(name, shape):
            yield f"{name}.lora_A", (rank, shape[1])
            yield f"{name}.lora_B", (shape[0], rank)
