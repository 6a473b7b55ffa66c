"""The small sweep on an engine of the caller's choice, here or as a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.driver import Outcome, Watch, run_sweep
from tests.sweep.tiny_sweep import two_rounds

SECONDS = 400
"""Longer than a busy machine takes to begin a job or a task."""


def until(happened: Callable[[], object]) -> None:
    """Wait for it."""
    end = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def drive_clustered(
    root: Path,
    text: Path,
    settings: ExecutorSettings,
    cells: int,
    steps: int,
    watch: Watch = lambda store, units: None,
) -> Outcome:
    """Run the sweep or go on with it; states are written often."""
    return run_sweep(
        root,
        two_rounds(cells, steps=steps),
        settings,
        text=(text,),
        seconds_between_states=0.05,
        watch=watch,
    )


def command(
    root: Path, text: Path, settings: ExecutorSettings, cells: int, steps: int
) -> list[str]:
    """The same as a process, started where `tests` can be imported."""
    arguments = [str(root), str(text), settings.model_dump_json(), str(cells), str(steps)]
    return [sys.executable, "-m", "tests.sweep.clustered", *arguments]


if __name__ == "__main__":
    chosen = ExecutorSettings.model_validate_json(sys.argv[3])
    numbers = int(sys.argv[4]), int(sys.argv[5])
    outcome = drive_clustered(Path(sys.argv[1]), Path(sys.argv[2]), chosen, *numbers)
    sys.exit(0 if outcome.complete else 1)
