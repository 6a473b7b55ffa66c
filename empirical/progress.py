"""Progress of long work: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN_LINES = 15.0
"""How often a task says where it is when there is no bar."""


class Advance(Protocol):
    """Say how far a task is, in its own unit, and what else is worth knowing."""

    def __call__(self, done: float, note: str, /) -> None: ...


@contextmanager
def show_progress(console: Console) -> Iterator[Callable[[str, float], Advance]]:
    """A function that starts a task, (name, total) -> Advance, for as long as the block lasts."""
    if not console.is_terminal:
        yield lambda name, total: _lines(console, name, total)
        return
    with Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    ) as progress:
        yield lambda name, total: _bar(progress, name, total)


def _bar(progress: Progress, name: str, total: float) -> Advance:
    task: TaskID = progress.add_task(name, total=total, note="")

    def advance(done: float, note: str, /) -> None:
        progress.update(task, completed=done, note=note)

    return advance


def _lines(console: Console, name: str, total: float) -> Advance:
    begun = said = time.monotonic()
    console.print(f"{name} ...", highlight=False)

    def advance(done: float, note: str, /) -> None:
        nonlocal said
        now = time.monotonic()
        finished = done >= total * (1 - 1e-9)
        if finished or now - said >= SECONDS_BETWEEN_LINES:
            said = now
            console.print(f"{name}: {note} ({now - begun:.0f} s)", highlight=False)

    return advance
