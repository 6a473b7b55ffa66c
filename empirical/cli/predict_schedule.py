"""The length and the schedule of the tuned run, from the options of `predict`."""

from __future__ import annotations

from typing import cast

from empirical.errors import UsageError
from scaling_theory.schedule import Schedule, ScheduleName


def schedule_of(
    name: str | None, final_share: float | None, steps: float | None, warmup_steps: float | None
) -> Schedule | None:
    """The schedule, None where it is unstated. steps, warmup_steps: of the tuned run.

    Raises UsageError for a share without a schedule that has one, for steps that are not whole and
    for a warm-up that is longer than the run; InputError for a name or a share that is none.
    """
    _check_length(steps, warmup_steps)
    if name is None and final_share is not None:
        raise UsageError("--final-share came without its schedule: add --schedule linear or cosine")
    if name == "constant" and final_share is not None:
        raise UsageError("--schedule constant ends where it began: leave --final-share out")
    if name is None:
        return None
    warmup = 0.0
    if warmup_steps and steps:
        warmup = warmup_steps / steps
    # An unknown name is refused by the schedule itself.
    return Schedule(cast(ScheduleName, name), warmup_share=warmup, final_share=final_share or 0.0)


def _check_length(steps: float | None, warmup_steps: float | None) -> None:
    for option, value in (("--steps", steps), ("--warmup-steps", warmup_steps)):
        if value is not None and value % 1 != 0:  # also of infinity, which leaves no number
            raise UsageError(f"{option} is {value:g}; a whole number of steps is wanted: round it")
    if warmup_steps and steps and warmup_steps >= steps > 0:
        raise UsageError(
            f"the warm-up has {warmup_steps:g} steps and the run {steps:g}: state --steps of "
            "the whole run, or a shorter --warmup-steps"
        )
