"""Memory of training: parameters, gradients, optimizer state and activations of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Literal

from empirical.advise.memory_shapes import ModelShape
from empirical.advise.memory_state import adapters, needs_shapes, optimizer_state
from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    MuonConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SignSGDConfig,
    SignumConfig,
)

GIB = 2**30

Precision = Literal["float32", "bfloat16", "float64"]
BYTES: Mapping[str, int] = MappingProxyType({"float32": 4, "bfloat16": 2, "float64": 8})


@dataclass(frozen=True)
class Training:
    """How a model is trained: its optimizer, and the rank of LoRA's adapters where these alone are.

    lora_rank None: all parameters are trained.
    """

    optimizer: OptimizerConfig
    lora_rank: int | None = None


LORA_RANK = 16

TRAININGS: Mapping[str, Training] = MappingProxyType(
    {
        "sgd": Training(SGDConfig()),
        "sgdm": Training(SGDConfig(momentum=0.9)),
        "sgd-sai": Training(SGDSaIConfig()),
        "adam": Training(AdamConfig()),
        "adafactor": Training(AdafactorConfig()),
        "muon": Training(MuonConfig()),
        "lora-adam": Training(AdamConfig(), LORA_RANK),
        "signsgd": Training(SignSGDConfig()),
        "signum": Training(SignumConfig()),
    }
)
"""Rows of the table by name; Adam and AdamW keep the same."""

USUAL = ("sgd", "sgdm", "sgd-sai", "adam", "adafactor", "muon", "lora-adam")


@dataclass(frozen=True)
class Memory:
    """Bytes of one training. None where it cannot be told, with the reason in `unknown`.

    parameters: with LoRA's adapters. gradients: of what is trained. state: what the optimizer
    keeps between steps. activations: what one micro-batch keeps for its backward pass; 0 where no
    batch was given. Not in it: temporary buffers, the gradient of the logits, the allocator.
    """

    parameters: int
    gradients: int | None
    state: int | None
    activations: int | None
    unknown: str = ""

    @property
    def total(self) -> int | None:
        """The sum, where every part is known."""
        parts = (self.parameters, self.gradients, self.state, self.activations)
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None


def training_memory(
    model: ModelShape,
    training: Training,
    *,
    sequences: float = 0,
    context: int | None = None,
    precision: Precision = "float32",
    state_precision: Precision | None = None,
) -> Memory:
    """What training a model takes.

    Args:
        model: its shapes.
        training: its optimizer.
        sequences: of one micro-batch on one device; 0 leaves activations out. Accumulated
            micro-batches come one after the other and take no more.
        context: tokens per sequence, the model's own if None.
        precision: of parameters, gradients and activations.
        state_precision: of the optimizer's state, that of the parameters if None.
    """
    size, state_size = BYTES[precision], BYTES[state_precision or precision]
    activations, why = _activations(model, sequences, context, size)
    everything = model.parameters * size
    if (needs_shapes(training.optimizer) or training.lora_rank) and not model.shapes_known:
        why = "needs the shapes of the model's matrices: name a model or give its module"
        gradients = None if training.lora_rank else everything
        return Memory(everything, gradients, None, activations, why)
    trained = model.tensors if training.lora_rank is None else adapters(model, training.lora_rank)
    numbers = sum(prod(shape) for _, shape in trained)
    state = optimizer_state(training.optimizer, trained).bytes(state_size)
    if training.lora_rank is not None:
        everything += numbers * size
    return Memory(everything, numbers * size, state, activations, why)


def _activations(
    model: ModelShape, sequences: float, context: int | None, size: int
) -> tuple[int | None, str]:
    if sequences == 0:
        return 0, ""
    tokens = context or model.context
    if model.activations is None or tokens is None:
        return None, "activations need the model's shape: name a model or give its module"
    kept = model.activations
    floats = sequences * (tokens * kept.floats_per_token + kept.floats_per_sequence)
    return round(floats * size + sequences * tokens * kept.index_bytes_per_token), ""
