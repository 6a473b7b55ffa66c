"""Where the experiment's data lie: runs under way, and what of them is in the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.horizon_league import Start
from empirical.spectra_files import NAME
from empirical.statistics_files import NUMBERS
from empirical.sweep.configuration import SweepConfig
from empirical.sweep.sweep_file import read_sweep
from scaling_theory.schedule import Schedule

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "notebooks" / "data"
EXPERIMENT = ("fresh", "step100", "step1000")
PLACES = (*EXPERIMENT, "prose")
"""The three starts of the experiment, and the one that the law was tried on afterwards."""

CONSTANT = {"fixed steps": "branch_steps.csv", "fixed tokens": "branch_tokens.csv"}
"""Sweeps at a constant learning rate from the checkpoint of 1,000 steps."""
TABLE = "runs.csv"


def sweep_of(place: str) -> SweepConfig:
    """The sweep that branches from this place."""
    return read_sweep(HERE / f"{place}.toml")


def start_of(place: str, data: Path = DATA) -> Start:
    """The collected runs of a place, learning rates falling."""
    folder = data / "horizon" / place
    return Start(place, folder / TABLE, folder, sweep_of(place).schedule.shape)


def constant_starts(data: Path = DATA) -> tuple[Start, ...]:
    """The two sweeps at a constant learning rate."""
    measured = data / "branch_statistics"
    return tuple(
        Start(name, data / table, measured, Schedule()) for name, table in CONSTANT.items()
    )


def collect(place: str, data: Path = DATA) -> Path:
    """Copy a place's exported table, statistics and spectra into the repository."""
    sweep = sweep_of(place)
    if sweep.statistics is None:
        raise UsageError(f"the sweep of {place} names no statistics; they are wanted")
    folder = data / "horizon" / place
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        sweep.out / "table.csv": TABLE,
        sweep.statistics / NUMBERS: NUMBERS,
        sweep.statistics / NAME: NAME,
    }
    for source, name in wanted.items():
        if name == NAME and place not in EXPERIMENT and not source.exists():
            continue
        if not source.exists():
            raise UsageError(f"{source} is not there: measure, run and export {place} first")
        shutil.copyfile(source, folder / name)
    return folder
