"""Where the files of a sweep lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = ("sweep.toml", "plan.json")
"""Files about the sweep as a whole; the store keeps a second copy of each."""


@dataclass(frozen=True)
class SweepFolder:
    """The folder of one sweep.

    store.sqlite           what is known about every run; written by the driver alone
    results/<unit>.json    what a unit gave; written by the worker that computed it
    curves/<run>.csv       training loss by step, one file per run
    state/<unit>.*         the state of a unit that has not ended, and how far it is
    sweep.toml, plan.json  the sweep as it was asked for, and as it was planned
    lock                   held by the driver while it lives
    stop                   there while workers are asked to leave their state and end
    """

    root: Path

    @property
    def store(self) -> Path:
        """The run store."""
        return self.root / "store.sqlite"

    @property
    def results(self) -> Path:
        """Folder of the result files."""
        return self.root / "results"

    @property
    def curves(self) -> Path:
        """Folder of the training curves."""
        return self.root / "curves"

    @property
    def states(self) -> Path:
        """Folder of the states within runs."""
        return self.root / "state"

    @property
    def lock(self) -> Path:
        """Locked by the driver."""
        return self.root / "lock"

    @property
    def stop(self) -> Path:
        """Asks workers to stop by being there."""
        return self.root / "stop"

    def result(self, unit: str) -> Path:
        """The result file of a unit, by its key."""
        return self.results / f"{unit}.json"

    def curve(self, run: str) -> Path:
        """The training curve of a run, by its key."""
        return self.curves / f"{run}.csv"

    def state(self, unit: str) -> Path:
        """The state of a unit that has not ended."""
        return self.states / f"{unit}.safetensors"

    def progress(self, unit: str) -> Path:
        """How far a unit is that has not ended, as its worker says."""
        return self.states / f"{unit}.json"
