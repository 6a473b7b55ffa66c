"""The optimizer that fits into the memory: the one that keeps most of Adam's behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from empirical.advise.memory import TRAININGS, Memory, Precision, training_memory
from empirical.advise.memory_shapes import ModelShape

PRECISIONS: dict[int, Precision] = {2: "bfloat16", 4: "float32", 8: "float64"}

PREFERENCE = ("adam", "muon", "adafactor", "sgd-sai", "sgdm", "sgd")
"""Best first where memory is no question; below Adam by what each keeps, most first."""


@dataclass(frozen=True)
class Fit:
    """One optimizer at the batch size in question: its memory [bytes], and whether it fits."""

    optimizer: str
    memory: Memory
    fits: bool


def optimizers_that_fit(
    shapes: Sequence[tuple[str, tuple[int, ...]]],
    bytes_per_number: int,
    activation_bytes: float,
    limit_bytes: int,
) -> tuple[Fit, ...]:
    """Every optimizer of `PREFERENCE`, in that order."""
    model = ModelShape("network", tuple(shapes))
    precision = PRECISIONS[bytes_per_number]
    found = []
    for name in PREFERENCE:
        plain = training_memory(model, TRAININGS[name], precision=precision)
        memory = Memory(
            plain.parameters, plain.gradients, plain.state, round(activation_bytes), plain.unknown
        )
        fits = memory.total is not None and memory.total <= limit_bytes
        found.append(Fit(name, memory, fits))
    return tuple(found)
