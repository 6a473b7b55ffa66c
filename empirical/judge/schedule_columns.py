"""The schedule of a run's learning rate, from the columns of a table."""

from __future__ import annotations

from typing import cast

from empirical.judge.run_record import Run
from scaling_theory.errors import InputError
from scaling_theory.schedule import Schedule, ScheduleName

SHARES = ("warmup_share", "decay_share", "final_share")
"""Columns beside "schedule"; an empty one is that of `Schedule`."""


def schedule_of(run: Run) -> Schedule:
    """A table without the column "schedule" is taken as one of constant learning rates.

    Raises InputError for a schedule or a share that is none.
    """
    name = run.extra("schedule")
    if not name:
        return Schedule()
    shares = {}
    for column in SHARES:
        if text := run.extra(column):
            try:
                shares[column] = float(text)
            except ValueError:
                raise InputError(f"{column} is '{text}'; a share from 0 to 1 is wanted") from None
    return Schedule(cast(ScheduleName, name), **shares)
