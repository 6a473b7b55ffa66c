"""Learning-rate schedules: the multiple of the peak learning rate at each step of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from empirical.train.configuration import FrozenModel

Share = Annotated[float, Field(ge=0, le=1)]


class ScheduleConfig(FrozenModel):
    """A schedule in shares of the run, so that it means the same at every number of steps.

    warmup_share: of the steps, rising linearly from 0. decay_share: of the steps at the end of
    `warmup_stable_decay`, falling linearly; cosine and linear fall all the way after the warm-up.
    final_share: of the peak, reached at the last step (not by `constant`).
    """

    name: Literal["constant", "cosine", "linear", "warmup_stable_decay"] = "constant"
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    decay_share: Share = 0.2
    final_share: Share = 0.0


def schedule_multiple(step: int, steps: int, config: ScheduleConfig) -> float:
    """The multiple of the peak learning rate used at `step`, counted from 1 to `steps`.

    Warm-up of w = round(warmup_share · steps) steps: min(1, step / w), as in a run whose peak
    comes at step w; then the shape by name over x = (step - w) / (steps - w) in (0, 1].
    """
    warmup = round(config.warmup_share * steps)
    if step <= warmup:
        return step / warmup
    return SHAPES[config.name]((step - warmup) / (steps - warmup), config)


def _constant(x: float, config: ScheduleConfig) -> float:
    return 1.0


def _cosine(x: float, config: ScheduleConfig) -> float:
    return config.final_share + (1 - config.final_share) * (1 + math.cos(math.pi * x)) / 2


def _linear(x: float, config: ScheduleConfig) -> float:
    return config.final_share + (1 - config.final_share) * (1 - x)


def _warmup_stable_decay(x: float, config: ScheduleConfig) -> float:
    left = 1 - x
    if left >= config.decay_share:
        return 1.0
    return config.final_share + (1 - config.final_share) * left / config.decay_share


SHAPES: dict[str, Callable[[float, ScheduleConfig], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "warmup_stable_decay": _warmup_stable_decay,
}
