"""Time and memory of a training step against the batch size, on this machine.

Batch sizes are timed in turn, round after round, so that a machine whose speed drifts slows all
of them; what is compared is one round's times with each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

Step = Callable[[], object]
"""One whole training step: batch, loss, gradient, update."""

SHORTEST = 0.02
"""Seconds that one sample lasts at least: shorter steps are repeated within it."""

GAIN = 1.02
FLAT = 3
"""Tokens per second have stopped to grow where so many doublings in turn gain less than this."""

ROUNDS, FEWEST = 9, 3
"""Rounds before it is asked whether the times settle anything, and where time is short."""

LOOKS = 3
"""Samples that each doubling is judged by: the fastest, as what else a machine does only adds."""


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a step at one batch size [sequences], one number per round."""

    batch_size: int
    seconds: tuple[float, ...]


def time_steps(
    step_of: Callable[[int], Step],
    *,
    largest: int,
    seconds: float,
    device: torch.device,
    settled: Callable[[Sequence[StepTimes]], bool] = lambda times: True,
    on_progress: Callable[[float], None] = lambda share: None,
) -> tuple[StepTimes, ...]:
    """Times of steps at 1, 2, 4, ... sequences: ROUNDS each, then more until they are `settled`.

    Doubling stops at `largest` sequences, where it gains nothing, or where one more would leave no
    time for three rounds; rounds stop after `seconds`, but there are three at least. step_of: batch
    size -> a step, ready to be called repeatedly. settled: asked after every third round from
    ROUNDS on.
    """
    began = time.monotonic()
    steps: dict[int, Step] = {}
    repeats: dict[int, int] = {}
    samples: dict[int, list[float]] = {}
    batch_size, flat = 1, 0
    while batch_size <= largest:
        step = step_of(batch_size)
        step()  # the first one allocates
        once = _seconds_of(step, 1, device)
        repeats[batch_size] = max(1, round(SHORTEST / max(once, 1e-6)))
        steps[batch_size] = step
        looks = (_seconds_of(step, repeats[batch_size], device) for _ in range(LOOKS))
        samples[batch_size] = [min(looks)]
        if batch_size > 1:
            before = samples[batch_size // 2][0] * 2
            flat = flat + 1 if before < GAIN * samples[batch_size][0] else 0
        spent = time.monotonic() - began
        on_progress(min(0.5, spent / seconds))
        next_round = sum(2 * taken[0] * repeats[size] for size, taken in samples.items())
        if flat == FLAT or spent + FEWEST * next_round > seconds:
            break
        batch_size *= 2
    for number in count(1):
        for batch_size, step in steps.items():
            samples[batch_size].append(_seconds_of(step, repeats[batch_size], device))
        spent = (time.monotonic() - began) / seconds
        on_progress(min(1.0, spent))
        # the first sample of each was not taken in turn with the others
        times = tuple(StepTimes(size, tuple(taken[1:])) for size, taken in samples.items())
        asked = number >= ROUNDS and number % FEWEST == 0
        if (number >= FEWEST and spent > 1) or (asked and settled(times)):
            break
    on_progress(1.0)
    return times


def saved_bytes(loss_of: Callable[[], Tensor], parameters: set[int]) -> int:
    """Bytes that a forward pass keeps for the backward pass, parameters left out.

    Storages are counted once, as they lie in memory. parameters: `data_ptr` of each parameter.
    """
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    def give(kept: Any) -> Any:
        return kept

    with saved_tensors_hooks(keep, give):
        loss = loss_of()
    del loss
    return sum(seen.values())


def _seconds_of(step: Step, repeats: int, device: torch.device) -> float:
    wait_for(device)
    began = time.perf_counter()
    for _ in range(repeats):
        step()
    wait_for(device)
    return (time.perf_counter() - began) / repeats


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
