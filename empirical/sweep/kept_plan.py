"""The plan that a folder holds: in its store and beside it once it was begun, else `plan.json`."""

from __future__ import annotations

from pathlib import Path

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings, SweepConfig
from empirical.sweep.contents import read_contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.planned import PLAN, PlannedSweep, decode_plan, read_plan


def kept_plan(root: Path) -> tuple[PlannedSweep | None, bool]:
    """The plan in a folder, None if there is none, and whether the sweep was begun.

    Raises UsageError where the plan that is there cannot be believed, and for a folder that cannot
    be looked into.
    """
    folder = SweepFolder(root)
    try:
        begun = folder.store.exists() or folder.results.exists()
    except OSError as error:  # such as a name too long for the disk
        reason = error.strerror or error
        raise UsageError(f"{root} cannot be read ({reason}); name another folder") from None
    if begun and (text := read_contents(folder).documents.get(PLAN)) is not None:
        return decode_plan(text, str(root / PLAN)), True
    return read_plan(root), begun


def same_sweep(one: SweepConfig, other: SweepConfig) -> bool:
    """Whether two files ask for the same runs: they may differ in where these are computed."""

    def asked(config: SweepConfig) -> SweepConfig:
        return config.model_copy(update={"out": Path(), "executor": ExecutorSettings()})

    return asked(one) == asked(other)
