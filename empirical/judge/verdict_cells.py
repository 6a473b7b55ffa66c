"""The cells of a table whose optima are judged: one batch size, epsilon and length of run each.

What a table's columns say of two runs at one group, batch size and length tells their cells apart,
beside learning rate and seed: another optimizer or weight decay is another cell. Steps are those
stated, or tokens over tokens per step; the amount of data is the tokens, or steps times batch
size where a table counts no tokens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from empirical.judge.fit_table import SAME
from empirical.judge.run_record import Run
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import GridOptimum, grids, table_optima
from scaling_theory.errors import InputError

FEWEST_RATES = 3
"""Learning rates below which a cell says nothing of its optimum."""

SETTINGS = ("model", "n_params", "beta1", "beta2", "weight_decay", "source", "loss_kind")
"""Columns that tell cells apart where they differ within one batch size."""

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """A grid of learning rates with its optimum and how long its runs are.

    optimizer: as in the table. steps, data: None where the table does not say; data in
    `data_unit`. settings: what tells it from others at this batch size, as (name, text).
    """

    found: GridOptimum
    optimizer: str
    steps: float | None
    data: float | None
    data_unit: str
    settings: Key

    @property
    def group(self) -> str:
        """The table's group."""
        return self.found.grid.group

    @property
    def batch(self) -> float:
        """Batch size in the table's unit."""
        return self.found.grid.batch.amount

    @property
    def epsilon(self) -> float | None:
        """Adam's epsilon or softsign's, unit of a gradient; None where the table is silent."""
        return self.found.grid.eps

    @property
    def identified(self) -> bool:
        """Whether the optimum is a number; else it is a bound, or unknown."""
        return self.found.optimum.ln_eta is not None

    @property
    def ln_eta(self) -> float:
        """ln eta* of an identified cell."""
        assert self.found.optimum.ln_eta is not None
        return self.found.optimum.ln_eta.value

    @property
    def variance(self) -> float:
        """Of `ln_eta`."""
        assert self.found.optimum.ln_eta is not None
        return self.found.optimum.ln_eta.standard_error**2

    @property
    def bounds(self) -> tuple[float, float]:
        """95 % of ln eta*; infinite where the grid does not bound it."""
        return self.found.optimum.bounds

    @property
    def curvature(self) -> float:
        """d^2 L / d(ln eta)^2 at the optimum of an identified cell, nats."""
        assert self.found.optimum.curvature is not None
        return self.found.optimum.curvature.value

    @property
    def run(self) -> Run:
        """One of its runs, for what they share."""
        return self.found.grid.runs[0]


def table_cells(
    table: RunTable, hold: Sequence[str] = (), noise: float | None = None
) -> tuple[tuple[Cell, ...], int]:
    """The cells with at least `FEWEST_RATES` learning rates, and how many have fewer.

    hold: names of further columns that tell cells apart. noise: of one run, nats, if known.
    """
    table = replace(table, runs=_same_lengths(table.runs))
    names = ("optimizer", "steps", *dict.fromkeys((*_varying(table.runs), *hold)))
    every = grids(table, hold=names)
    enough = [grid for grid in every if len({run.lr for run in grid.runs}) >= FEWEST_RATES]
    found = []
    for each in table_optima(enough, noise):
        run = each.grid.runs[0]
        data, unit = _data(run)
        told = each.grid.held[2:]
        bare = replace(each.grid, held=told)
        found.append(Cell(replace(each, grid=bare), run.optimizer, run.steps, data, unit, told))
    return tuple(found), len(every) - len(enough)


def levels(values: Sequence[float]) -> dict[float, float]:
    """Each value's level: values within `SAME` of the smallest of a level share it."""
    found: dict[float, float] = {}
    level = 0.0
    for value in sorted(set(values)):
        if not found or value > level * (1 + SAME):
            level = value
        found[value] = level
    return found


def _same_lengths(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Runs with steps filled in, and one number for those that agree within `SAME`."""
    steps = [_steps(run) for run in runs]
    places: dict[tuple[str, float, float | None], list[float]] = defaultdict(list)
    for run, count in zip(runs, steps, strict=True):
        if count is not None:
            places[run.group, run.batch_size, run.eps].append(count)
    one = {place: levels(counts) for place, counts in places.items()}
    return tuple(
        run if count is None else replace(run, steps=one[run.group, run.batch_size, run.eps][count])
        for run, count in zip(runs, steps, strict=True)
    )


def _steps(run: Run) -> float | None:
    if run.steps or not run.tokens:
        return run.steps or None
    try:
        return run.tokens / run.batch.tokens
    except InputError:
        return None


def _data(run: Run) -> tuple[float | None, str]:
    if run.tokens:
        return run.tokens, "tokens"
    if not run.steps:
        return None, ""
    try:
        return run.steps * run.batch.tokens, "tokens"
    except InputError:
        unit = {"seq": "sequences", "ex": "examples"}.get(run.batch.unit, "units")
        return run.steps * run.batch.amount, unit


def _varying(runs: Sequence[Run]) -> tuple[str, ...]:
    """Those of `SETTINGS` that differ between runs of one group, batch size, epsilon, length."""
    seen: dict[tuple[object, ...], Run] = {}
    found: set[str] = set()
    for run in runs:
        place = (run.group, run.batch_size, run.eps, run.optimizer, run.steps)
        first = seen.setdefault(place, run)
        found |= {name for name in SETTINGS if getattr(run, name) != getattr(first, name)}
    return tuple(name for name in SETTINGS if name in found)
