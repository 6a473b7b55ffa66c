"""The plan of a sweep as a pure function of its results: all of a grid, or the bracket so far."""

from __future__ import annotations

from functools import partial

from empirical.sweep.packing import packed
from empirical.sweep.plan_record import Plan, Planner
from empirical.sweep.planned import PlannedSweep, run_of
from empirical.sweep.rounds import adaptive_plan
from empirical.train.run_configuration import WorkUnit


def planner(planned: PlannedSweep) -> Planner:
    """The planner that a driver asks, of a grid or of the adaptive bracket."""
    if planned.config.learning_rates.adaptive is None:
        plan = Plan(grid_units(planned), (), complete=True)
        return lambda results: plan
    return partial(adaptive_plan, planned)


def grid_units(planned: PlannedSweep) -> tuple[WorkUnit, ...]:
    """Every learning rate of every cell with every seed."""
    units: list[WorkUnit] = []
    for group, cells in planned.groups.items():
        # By learning rate first: a stack whose runs have all diverged ends early.
        rates = sorted({rate for cell in cells for rate in cell.grid})
        runs = [
            run_of(planned, cell, rate, seed)
            for rate in rates
            for cell in cells
            for seed in planned.config.seeds
            if rate in cell.grid
        ]
        units += packed(runs, planned.computing[group])
    return tuple(units)
