"""The schedule of a run, read from a table as sweeps export it and as people write it."""

from __future__ import annotations

import pytest

from empirical.judge.run_record import Run
from empirical.judge.schedule_columns import schedule_of
from empirical.sweep.export import export_csv
from empirical.sweep.plan_record import StoredRun
from empirical.train.run_configuration import WorkUnit
from empirical.train.schedule import ScheduleConfig
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.schedule import Schedule
from scaling_theory.units import BatchSize
from tests.sweep.test_export import rows
from tests.sweep.tiny_sweep import tiny_run

SCHEDULES = (
    ScheduleConfig(),
    ScheduleConfig(name="linear", final_share=0.1),
    ScheduleConfig(name="cosine", warmup_share=0.25),
    ScheduleConfig(name="warmup_stable_decay", decay_share=0.5, final_share=0.2),
)


def run(**extras: str) -> Run:
    batch = BatchSize(4.0, "seq", 64)
    return Run("", 2, "g", batch, 1e-3, 2.0, diverged=False, extras=extras)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.name)
def test_the_export_of_a_sweep_states_it(schedule: ScheduleConfig) -> None:
    """Round trip: what the run had, from the row of the table; unused shares are left empty."""
    config = tiny_run(0.01).model_copy(update={"schedule": schedule})
    unit, loss = WorkUnit(runs=(config,)), Estimate(1.0, 0.1, 16)
    stored = StoredRun(unit.key, 0, "single", config, None, loss, loss, loss, 1.0)
    (row,) = rows(export_csv({unit.run_key(0): stored}))
    assert schedule_of(run(**row)) == schedule.shape
    assert (row["decay_share"] == "") == (schedule.name != "warmup_stable_decay")


def test_a_silent_table_has_constant_learning_rates() -> None:
    """Edge: no column, and an empty one."""
    assert schedule_of(run()) == schedule_of(run(schedule="")) == Schedule()


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"schedule": "one-cycle"}, "one of constant"),
        ({"schedule": "linear", "final_share": "a tenth"}, "final_share is 'a tenth'"),
        ({"schedule": "cosine", "warmup_share": "10"}, "warm-up share"),
    ],
)
def test_a_schedule_that_is_none_is_refused(columns: dict[str, str], said: str) -> None:
    """Caller's mistakes, each in one line."""
    with pytest.raises(InputError, match=said):
        schedule_of(run(**columns))
