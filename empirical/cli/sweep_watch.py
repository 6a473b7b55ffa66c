"""Live progress of a sweep: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from empirical.cli.sweep_progress import unit_record, unit_words
from empirical.cli.sweep_units import duration
from empirical.progress import Advance, show_progress
from empirical.sweep.at_work import UnitAtWork, units_at_work
from empirical.sweep.planned import PlannedSweep
from empirical.sweep.result_files import keys_of
from empirical.sweep.standing import Standing, standing

if TYPE_CHECKING:
    from empirical.sweep.store import Store
    from empirical.train.run_configuration import WorkUnit

SECONDS_BETWEEN_COUNTS = 2.0
"""Counting replays the plan: not at every look of the driver."""

LAST = 0.999
"""The last report is that of the command itself."""


@contextmanager
def watching(
    console: Console, planned: PlannedSweep
) -> Iterator[Callable[[Store, tuple[WorkUnit, ...]], None]]:
    """A function for the driver to call with its store and the units that the executor has.

    Beside the sweep as a whole it shows the unit that will take longest, once one has been at work
    for some seconds.
    """
    workers = planned.config.executor.workers
    with show_progress(console) as task:
        advance: Advance = task(f"{len(planned.cells)} cells", 1.0)
        longest: Advance | None = None
        counted = 0.0

        def watch(store: Store, units: tuple[WorkUnit, ...]) -> None:
            nonlocal counted, longest
            now = time.monotonic()
            if now - counted < SECONDS_BETWEEN_COUNTS:
                return
            counted = now
            at_work = units_at_work(store.folder, ((keys_of(u)[0], u.runs) for u in units))
            known = [unit for unit in at_work if unit.progress is not None]
            found = standing(planned, store.results())
            under_way = sum(u.runs * u.progress.share for u in known if u.progress)
            parts = [f"{found.runs} of about {found.expected} runs"]
            parts += [f"{found.ended} of {len(found.cells)} cells"]
            parts += [f"{found.diverged} diverged"] if found.diverged else []
            parts += [f"{len(store.failed())} units failed"] if store.failed() else []
            left = _seconds_left(found, under_way, known, max(workers or len(units), 1))
            parts += [f"{duration(left)} left"] if left else []
            done = (found.runs + under_way) / max(found.expected, 1)
            advance(min(done, LAST), ", ".join(parts))
            if known:
                longest = longest or task("longest at work", 1.0)
            if longest is not None:
                longest(*_longest(known))

        yield watch


def _seconds_left(
    found: Standing, under_way: float, known: Sequence[UnitAtWork], at_once: int
) -> float | None:
    """Of the whole sweep, with so many units at once: no less than of its longest unit."""
    longest = known[0].seconds_left if known else None
    if found.seconds_left is None:
        return None
    waiting = max(found.expected - found.runs, 1)
    shared = found.seconds_left * max(1 - under_way / waiting, 0.0) / at_once
    return max(shared, longest or 0.0)


def _longest(known: Sequence[UnitAtWork]) -> tuple[float, str]:
    """Share and words of the unit that will take longest."""
    if not known or known[0].progress is None:
        return 0.0, "none for now"
    more = f"; {len(known) - 1} more at work" if len(known) > 1 else ""
    return min(known[0].progress.share, LAST), unit_words(unit_record(known[0])) + more
