"""One checkpoint, whole: its statistics, what the theories predict, and the truth twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from queue import SimpleQueue
from typing import TypeVar

from empirical.measure.curvature import Surroundings, surroundings_of
from empirical.measure.effort import Effort
from empirical.measure.gradients import sequence_gradients
from empirical.measure.landscape import Landscape
from empirical.measure.line_search import LineSearch, search_line
from empirical.measure.one_step import measure_one_step
from empirical.measure.orientation import Orientation, orient
from empirical.measure.prediction import (
    MeanField,
    Prediction,
    gather_statistics,
    predict_cell,
    predict_mean_field,
)
from empirical.measure.statistics import PoolStatistics, pool_statistics
from empirical.measure.truth import OneStepTruth

T = TypeVar("T")

CLOSURES = ("correlated", "independent")
"""Noise closures that every study predicts with."""


@dataclass(frozen=True)
class Grid:
    """Where to look: batch sizes in sequences, epsilon in units of the rms sigma."""

    batch_sizes: tuple[int, ...]
    epsilon_ratios: tuple[float, ...]


@dataclass(frozen=True)
class Cell:
    """One batch size and epsilon: measured by the ratio and by line search, and predicted."""

    batch_size: int
    epsilon: float
    epsilon_ratio: float
    truth: OneStepTruth
    line_search: LineSearch
    predictions: dict[str, Prediction]


@dataclass(frozen=True)
class Study:
    """All of one checkpoint; `mean_fields` by epsilon ratio, over the grid's batch sizes."""

    pool: PoolStatistics
    batch_sizes: tuple[int, ...]
    orientation: Orientation
    cells: tuple[Cell, ...]
    mean_fields: dict[float, MeanField]


@dataclass(frozen=True)
class Workbench:
    """Surroundings to borrow, one per thread: a torch module serves one thread at a time."""

    free: SimpleQueue[Surroundings]

    @contextmanager
    def borrow(self) -> Iterator[Surroundings]:
        """One set of surroundings, for as long as the block lasts."""
        around = self.free.get()
        try:
            yield around
        finally:
            self.free.put(around)


class Countdown:
    """Reports the share of tasks that are done, from 0.05 to 1."""

    def __init__(self, tasks: int, report: Callable[[float], None]) -> None:
        self._tasks, self._report, self._done = tasks, report, count(1)

    def watch(self, future: Future[T]) -> Future[T]:
        """Count this task when it ends."""
        share = 0.95 / self._tasks
        future.add_done_callback(lambda _: self._report(0.05 + share * next(self._done)))
        return future


def study_checkpoint(
    make_landscape: Callable[[], Landscape],
    grid: Grid,
    *,
    effort: Effort,
    seed: int,
    workers: int = 1,
    max_memory: int | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Study:
    """Measure and predict everything on the grid at one checkpoint.

    The result depends on the seed, not on the number of workers: every cell has generators of
    its own.

    Args:
        make_landscape: builds the network's landscape, a new copy of the network at each call.
        grid: batch sizes and epsilon ratios.
        effort: how much to measure.
        seed: of every random choice.
        workers: threads; each gets its own copy of the network.
        max_memory: bytes for the gradients of the pool before they go to disk.
        on_progress: told the share of the work that is done, 0 to 1.
    """
    scape = make_landscape()
    gradients = sequence_gradients(scape, max_memory=max_memory)
    first = surroundings_of(scape, gradients)
    free: SimpleQueue[Surroundings] = SimpleQueue()
    free.put(first)
    for _ in range(workers - 1):
        free.put(replace(first, landscape=make_landscape()))
    bench = Workbench(free)
    pool = pool_statistics(gradients)
    statistics = gather_statistics(first, pool, effort, seed)
    epsilons = {ratio: ratio * pool.rms_sigma for ratio in grid.epsilon_ratios}
    on_progress(0.05)

    def truths(batch_size: int) -> list[OneStepTruth]:
        with bench.borrow() as around:
            wanted = list(epsilons.values())
            return measure_one_step(around, pool.gradient, batch_size, wanted, effort, seed)

    def search(truth: OneStepTruth) -> LineSearch:
        with bench.borrow() as around:
            return search_line(around, truth, effort, seed)

    def predict(batch_size: int, epsilon: float) -> dict[str, Prediction]:
        with bench.borrow() as around:
            return predict_cell(around, statistics, batch_size, epsilon, CLOSURES, effort, seed)

    def scalars() -> tuple[Orientation, dict[float, MeanField]]:
        with bench.borrow() as around:
            found = orient(around, pool, statistics, effort, seed)
            fields = {
                ratio: predict_mean_field(
                    around, statistics, found.trace, grid.batch_sizes, epsilon
                )
                for ratio, epsilon in epsilons.items()
            }
            return found, fields

    with ThreadPoolExecutor(workers) as threads:
        done = Countdown(len(grid.batch_sizes) * (1 + 2 * len(epsilons)), on_progress)
        measured = {b: done.watch(threads.submit(truths, b)) for b in grid.batch_sizes}
        predicted = {
            (b, ratio): done.watch(threads.submit(predict, b, epsilon))
            for b in grid.batch_sizes
            for ratio, epsilon in epsilons.items()
        }
        orienting = threads.submit(scalars)
        searched = {
            (b, ratio): done.watch(threads.submit(search, truth))
            for b in grid.batch_sizes
            for ratio, truth in zip(epsilons, measured[b].result(), strict=True)
        }
        cells = tuple(
            Cell(
                b, epsilon, ratio, truth, searched[b, ratio].result(), predicted[b, ratio].result()
            )
            for b in grid.batch_sizes
            for (ratio, epsilon), truth in zip(epsilons.items(), measured[b].result(), strict=True)
        )
        orientation, mean_fields = orienting.result()
    return Study(pool, grid.batch_sizes, orientation, cells, mean_fields)
