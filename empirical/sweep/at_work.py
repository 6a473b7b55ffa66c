"""The units that are being computed, and how far they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from empirical.sweep.contents import Contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.schema import RUNNING
from empirical.sweep.unit_progress import UnitProgress, read_progress
from empirical.train.run_configuration import RunConfig


@dataclass(frozen=True)
class UnitAtWork:
    """A unit that was handed to the executor. progress: None while it waits, or is not known.

    tokens: of its runs together.
    """

    unit: str
    runs: int
    tokens: int
    progress: UnitProgress | None

    @property
    def seconds_left(self) -> float | None:
        """Of this unit at its own pace; None where that is not known."""
        return None if self.progress is None else self.progress.seconds_left(self.tokens)


def units_at_work(
    folder: SweepFolder, units: Iterable[tuple[str, Sequence[RunConfig]]]
) -> tuple[UnitAtWork, ...]:
    """Units by key with their runs, the one that will take longest first."""
    found = [
        UnitAtWork(
            key, len(runs), sum(run.tokens for run in runs), read_progress(folder.progress(key))
        )
        for key, runs in units
    ]
    return tuple(sorted(found, key=lambda one: -(one.seconds_left or 0.0)))


def stored_at_work(folder: SweepFolder, contents: Contents) -> tuple[UnitAtWork, ...]:
    """The units that the store holds to be running."""
    runs: dict[str, list[RunConfig]] = {}
    for row in contents.runs.values():
        if row.state == RUNNING:
            run = RunConfig.model_validate(json.loads(row.config))
            runs.setdefault(row.unit, []).append(run)
    return units_at_work(folder, runs.items())
