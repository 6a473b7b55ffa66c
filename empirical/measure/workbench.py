"""Many tasks at one measured point, shared out among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from queue import SimpleQueue
from typing import TypeVar

from empirical.measure.measurement import Measurement
from empirical.measure.point import Point
from empirical.measure.problem import Problem

T = TypeVar("T")


@dataclass(frozen=True)
class Workbench:
    """The measured point to borrow, one per thread: a torch module serves one thread at a time."""

    free: SimpleQueue[Measurement]

    @contextmanager
    def borrow(self) -> Iterator[Measurement]:
        """One of them, for as long as the block lasts."""
        found = self.free.get()
        try:
            yield found
        finally:
            self.free.put(found)


def workbench(first: Measurement, pose: Callable[[], Problem], workers: int) -> Workbench:
    """One measurement for each of so many threads; pose: the problem with a network of its own."""
    free: SimpleQueue[Measurement] = SimpleQueue()
    free.put(first)
    for _ in range(workers - 1):
        free.put(replace(first, point=Point(pose(), first.point.spread, first.point.rows)))
    return Workbench(free)


class Countdown:
    """Reports the share of tasks that are done, from 0.05 to 1."""

    def __init__(self, tasks: int, report: Callable[[float], None]) -> None:
        self._tasks, self._report, self._done = tasks, report, count(1)

    def watch(self, future: Future[T]) -> Future[T]:
        """Count this task when it ends."""
        share = 0.95 / self._tasks
        future.add_done_callback(lambda _: self._report(0.05 + share * next(self._done)))
        return future
