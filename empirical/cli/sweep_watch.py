"""Live progress of a sweep: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from empirical.cli.sweep_text import duration
from empirical.progress import Advance, show_progress
from empirical.sweep.planned import PlannedSweep
from empirical.sweep.standing import standing

if TYPE_CHECKING:
    from empirical.sweep.store import Store
    from empirical.train.run_configuration import WorkUnit

SECONDS_BETWEEN_COUNTS = 2.0
"""Counting replays the plan: not at every look of the driver."""


@contextmanager
def watching(
    console: Console, planned: PlannedSweep
) -> Iterator[Callable[[Store, tuple[WorkUnit, ...]], None]]:
    """A function for the driver to call with its store and the units at work."""
    workers = planned.config.executor.workers
    with show_progress(console) as task:
        advance: Advance = task(f"{len(planned.cells)} cells", 1.0)
        counted = 0.0

        def watch(store: Store, units: tuple[WorkUnit, ...]) -> None:
            nonlocal counted
            now = time.monotonic()
            if now - counted < SECONDS_BETWEEN_COUNTS:
                return
            counted = now
            found = standing(planned, store.results())
            left = found.seconds_left
            parts = [f"{found.runs} of about {found.expected} runs"]
            parts += [f"{found.ended} of {len(found.cells)} cells"]
            parts += [f"{found.diverged} diverged"] if found.diverged else []
            parts += [f"{len(store.failed())} units failed"] if store.failed() else []
            at_once = max(workers or len(units), 1)
            parts += [f"{duration(left / at_once)} left"] if left else []
            # The last report is that of the command itself.
            advance(min(found.runs / max(found.expected, 1), 0.999), ", ".join(parts))

        yield watch
