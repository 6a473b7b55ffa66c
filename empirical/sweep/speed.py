"""How fast runs of one shape are computed here, alone and as stacks of several sizes: measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median

import torch
from torch import Tensor

from empirical.measure.throughput import wait_for
from empirical.sweep.planned import Computing
from empirical.train.batches import distinct_sequences
from empirical.train.devices import resolve_device
from empirical.train.randomness import private_generator
from empirical.train.run_batches import BatchDraw
from empirical.train.run_configuration import KernelPath, RunConfig, WorkUnit
from empirical.train.run_execution import build_trainee
from empirical.train.stacked import can_stack, compiled_path_missing
from empirical.train.text import Corpus

SECONDS_PER_TRY = 0.2
FEWEST_STEPS = 3
STACKS = (1, 4, 8, 16)
"""Sizes of stacks that are tried. On a CPU with a C compiler its kernels serve one run too;
elsewhere torch.compile would have to be paid for anew at every size."""

WORTH_IT = 0.9
"""A larger stack has to save a tenth: small units share out better over workers, and less is lost
with one."""

Way = tuple[KernelPath, int]
"""How runs are computed: path, and replicas together."""

SINGLE: Way = ("single", 1)

EVALUATED = 64
"""Held-out sequences that the speed of an evaluation is measured on."""


def measure_computing(
    run: RunConfig,
    corpus: Corpus,
    weights: Mapping[str, Tensor],
    *,
    replicas: int | str,
    together: int,
) -> Computing:
    """The fastest way to compute runs like `run` on one core, or on the device.

    replicas: "off", "auto" or the size of the stacks. together: runs that a round of a group
    holds; larger stacks are not tried. Learning rates are scaled down, so that nothing diverges.
    """
    stacking = replicas != "off" and can_stack(run.optimizer) and run.dtype != "bfloat16"
    missing = compiled_path_missing(resolve_device(run.device)) if stacking else None
    tries = _ways(run, replicas, together, compiled=missing is None) if stacking else (SINGLE,)
    found: dict[Way, tuple[float, float]] = {}
    for path, size in tries:
        unit = WorkUnit(
            runs=tuple(run.model_copy(update={"seed": seed}) for seed in range(size)), path=path
        )
        found[path, size] = _speed(unit, corpus, weights)
    least = min(seconds for seconds, _ in found.values())
    best = next(way for way in tries if WORTH_IT * found[way][0] <= least)
    return Computing(
        path=best[0],
        replicas=best[1],
        seconds=found[best][0],
        evaluation=found[best][1],
        tried={f"{path} {size}": seconds for (path, size), (seconds, _) in found.items()},
        compiled_missing=missing,
    )


def _ways(run: RunConfig, replicas: int | str, together: int, *, compiled: bool) -> tuple[Way, ...]:
    """What is tried of runs that can be stacked. compiled: whether kernels can be had."""
    compiled = compiled and resolve_device(run.device).type == "cpu"
    path: KernelPath = "stacked-compiled" if compiled else "stacked"
    if isinstance(replicas, int):
        return ((path, replicas),) if compiled or replicas > 1 else (SINGLE,)
    sizes = [size for size in STACKS if size <= together and (compiled or size > 1)]
    return (SINGLE, *((path, size) for size in sizes))


def _speed(unit: WorkUnit, corpus: Corpus, weights: Mapping[str, Tensor]) -> tuple[float, float]:
    """Seconds of a step and of an evaluation of all held-out sequences, per run."""
    first, size = unit.runs[0], len(unit.runs)
    device = resolve_device(first.device)
    trainee = build_trainee(unit, [weights] * size)
    draw = BatchDraw(unit.runs, corpus, device)
    # The weights hardly move: a step costs what it costs at any learning rate.
    rates: Sequence[float] = [1e-12] * size

    def step() -> None:
        trainee.step(*draw(), rates)
        wait_for(device)

    heldout = distinct_sequences(
        corpus.heldout,
        min(EVALUATED, first.heldout_sequences),
        first.network.context,
        private_generator(0, "speed of evaluation"),
        device=device,
    )
    # On a CPU the processor time of one thread, as in a worker: busy neighbours are not in it.
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    with _one_thread():
        seconds = _median_seconds(step, clock)
        evaluation = _median_seconds(lambda: trainee.heldout_losses(*heldout), clock)
    return seconds / size, evaluation * first.heldout_sequences / len(heldout[0]) / size


def _median_seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    work()
    taken: list[float] = []
    while len(taken) < FEWEST_STEPS or sum(taken) < SECONDS_PER_TRY:
        began = clock()
        work()
        taken.append(clock() - began)
    return median(taken)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
