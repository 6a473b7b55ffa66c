"""What a training step costs here: seconds by batch size, seconds of the update, bytes kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from statistics import median

import torch

from empirical.measure.throughput import Step, StepTimes, saved_bytes, time_steps, wait_for
from empirical.train.optimizer_configuration import OptimizerConfig
from empirical.train.optimizers import build_optimizer
from empirical.train.workload import Workload

RATE = 1e-9
"""Learning rate while timing: updates that leave the network what it was."""

UPDATES = 9


@dataclass(frozen=True)
class StepCost:
    """Measured on a copy of the network.

    Attributes:
        times: seconds of whole steps by batch size.
        update_seconds: of the optimizer's update alone, median.
        bytes_per_sequence: what the forward pass keeps for the backward pass, per sequence.
        bytes_fixed: and whatever the batch.
        shapes: (name, shape) of the parameters. bytes_per_number: of a parameter.
    """

    times: tuple[StepTimes, ...]
    update_seconds: float
    bytes_per_sequence: float
    bytes_fixed: float
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    bytes_per_number: int


def measure_step_cost(
    workload: Workload,
    optimizer: OptimizerConfig,
    *,
    largest: int,
    limit_bytes: int,
    seconds: float,
    settled: Callable[[Sequence[StepTimes]], bool] = lambda times: True,
    on_progress: Callable[[float], None] = lambda share: None,
) -> StepCost:
    """Cost of steps at 1, 2, 4, ... sequences up to `largest` and to what `limit_bytes` hold.

    seconds, settled: how long to go on, as in `time_steps`.
    limit_bytes: for parameters, gradients, two numbers of state each, and what is kept for the
    backward pass; at least one sequence is timed whatever it says.
    """
    model = deepcopy(workload.model).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    device = parameters[0].device
    rule = build_optimizer(model, optimizer, RATE, tokens_per_step=workload.tokens)
    pointers = {p.data_ptr() for p in model.parameters()}

    def kept(sequences: int) -> int:
        batch = workload.batch(sequences)
        return saved_bytes(lambda: workload.loss(model, batch), pointers)

    def step_of(sequences: int) -> Step:
        batch = workload.batch(sequences)

        def step() -> None:
            rule.zero_grad()
            torch.autograd.backward(workload.loss(model, batch))
            rule.step()

        return step

    one, two = kept(1), kept(2)
    each, fixed = float(two - one), float(max(2 * one - two, 0))
    size = sum(p.numel() * p.element_size() for p in parameters)
    room = (limit_bytes - 4 * size - fixed) / max(each, 1.0)
    times = time_steps(
        step_of,
        largest=max(1, min(largest, int(room))),
        seconds=seconds,
        device=device,
        settled=settled,
        on_progress=on_progress,
    )
    return StepCost(
        times=times,
        update_seconds=_update_seconds(rule.step, parameters),
        bytes_per_sequence=each,
        bytes_fixed=fixed,
        shapes=tuple((name, tuple(p.shape)) for name, p in model.named_parameters()),
        bytes_per_number=parameters[0].element_size(),
    )


def _update_seconds(update: Step, parameters: list[torch.nn.Parameter]) -> float:
    """The gradients of the last step are still there: an update alone can be repeated."""
    device = parameters[0].device
    found = []
    for _ in range(UPDATES):
        wait_for(device)
        began = time.perf_counter()
        update()
        wait_for(device)
        found.append(time.perf_counter() - began)
    return median(found)
