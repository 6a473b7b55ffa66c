"""Learning-rate schedules: the multiple of the peak learning rate at each step of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError

FloatArray = NDArray[np.float64]

ScheduleName = Literal["constant", "cosine", "linear", "warmup_stable_decay"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)


@dataclass(frozen=True)
class Schedule:
    """A schedule in shares of the run, so that it means the same at every number of steps.

    warmup_share: of the steps, rising linearly from 0. decay_share: of the steps at the end of
    `warmup_stable_decay`, falling linearly; cosine and linear fall all the way after the warm-up.
    final_share: of the peak, reached at the last step (not by `constant`). Raises InputError for
    an unknown name and shares outside [0, 1].
    """

    name: ScheduleName = "constant"
    warmup_share: float = 0.0
    decay_share: float = 0.2
    final_share: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in SCHEDULES:
            raise InputError(
                f"the schedule is '{self.name}'; one of {', '.join(SCHEDULES)} is wanted"
            )
        shares = {
            "warm-up": self.warmup_share,
            "decay": self.decay_share,
            "final": self.final_share,
        }
        for name, share in shares.items():
            if not 0 <= share <= 1 or (name == "warm-up" and share == 1):
                raise InputError(
                    f"the {name} share of the schedule is {share:g}; a share from 0 to 1 is wanted"
                )


def schedule_multiple(step: int, steps: int, schedule: Schedule) -> float:
    """The multiple of the peak learning rate used at `step`, counted from 1 to `steps`.

    Warm-up of w = round(warmup_share · steps) steps: min(1, step / w), as in a run whose peak
    comes at step w; then the shape by name over x = (step - w) / (steps - w) in (0, 1].
    """
    warmup = round(schedule.warmup_share * steps)
    if step <= warmup:
        return step / warmup
    return SHAPES[schedule.name]((step - warmup) / (steps - warmup), schedule)


def schedule_multiples(steps: int, schedule: Schedule) -> FloatArray:
    """s_t for t = 1 to S, [S]."""
    return np.array([schedule_multiple(step, steps, schedule) for step in range(1, steps + 1)])


def _constant(x: float, schedule: Schedule) -> float:
    return 1.0


def _cosine(x: float, schedule: Schedule) -> float:
    final = schedule.final_share
    return final + (1 - final) * (1 + math.cos(math.pi * x)) / 2


def _linear(x: float, schedule: Schedule) -> float:
    return schedule.final_share + (1 - schedule.final_share) * (1 - x)


def _warmup_stable_decay(x: float, schedule: Schedule) -> float:
    left = 1 - x
    if left >= schedule.decay_share:
        return 1.0
    return schedule.final_share + (1 - schedule.final_share) * left / schedule.decay_share


SHAPES: Mapping[str, Callable[[float, Schedule], float]] = MappingProxyType(
    {
        "constant": _constant,
        "cosine": _cosine,
        "linear": _linear,
        "warmup_stable_decay": _warmup_stable_decay,
    }
)
