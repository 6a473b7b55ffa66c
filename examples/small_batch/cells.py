"""Cells of exported tables: the loss at the best learning rate, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, log2, nan
from pathlib import Path

import numpy as np

from empirical.judge.optimum_record import Optimum, Status
from empirical.judge.run_record import Run
from empirical.judge.run_table import read_run_table
from empirical.judge.table_optima import Grid, grids, table_optima


@dataclass(frozen=True)
class Cell:
    """One optimizer at one batch size.

    optimum: of the learning rate. losses: at the best learning rate, one per seed, nats per token:
    the learning rate of the lowest mean over the seeds. Losses at large learning rates are too
    rough for the minimum of a fitted curve to be better. runs: {learning rate: {seed: loss}}, a run
    that diverged as infinite.
    """

    optimum: Optimum
    losses: tuple[float, ...]
    runs: Mapping[float, Mapping[str, float]]

    @property
    def interior(self) -> bool:
        """Whether the best learning rate has worse ones on both sides."""
        return self.optimum.status is Status.IDENTIFIED


def cells_of(path: Path) -> dict[tuple[str, int], Cell]:
    """Every cell of a table by (optimizer as the sweep names it, batch size)."""
    every = grids(read_run_table(path))
    found = {}
    for grid, judged in zip(every, table_optima(every), strict=True):
        name = grid.group.partition(" tokens=")[0]
        found[name, round(grid.batch.amount)] = _cell(grid, judged.optimum)
    return found


def runs_of(runs: Sequence[Run]) -> dict[float, dict[str, float]]:
    """{learning rate: {seed: loss}}, ascending; a run that diverged as infinite."""
    found: dict[float, dict[str, float]] = {}
    for run in sorted(runs, key=lambda run: run.lr):
        lost = run.diverged or run.loss is None
        found.setdefault(run.lr, {})[run.seed] = inf if lost or run.loss is None else run.loss
    return found


def _cell(grid: Grid, optimum: Optimum) -> Cell:
    runs = runs_of(grid.runs)
    seeds = sorted({run.seed for run in grid.runs})
    whole = {
        rate: [by_seed[seed] for seed in seeds]
        for rate, by_seed in runs.items()
        if len(by_seed) == len(seeds) and np.isfinite(list(by_seed.values())).all()
    }
    if not whole:
        return Cell(optimum, (nan,) * len(seeds), runs)
    best = min(whole, key=lambda rate: float(np.mean(whole[rate])))
    return Cell(optimum, tuple(whole[best]), runs)


def width(cell: Cell, seed: str, rise: float) -> float:
    """Octaves of the learning rate over which the loss is within `rise` nats of the lowest.

    The loss is a line between learning rates (in their logarithm); the grid's ends are ends.
    """
    rates = [rate for rate in cell.runs if seed in cell.runs[rate]]
    loss = [cell.runs[rate][seed] for rate in rates]
    best = int(np.argmin(loss))
    limit = loss[best] + rise
    return _reach(rates, loss, best, limit, 1) + _reach(rates, loss, best, limit, -1)


def _reach(rates: list[float], loss: list[float], best: int, limit: float, way: int) -> float:
    at = best
    while 0 <= at + way < len(rates) and loss[at + way] <= limit:
        at += way
    octaves = abs(log2(rates[at] / rates[best]))
    if not 0 <= at + way < len(rates) or loss[at + way] == inf:
        return octaves
    share = (limit - loss[at]) / (loss[at + way] - loss[at])
    return octaves + share * abs(log2(rates[at + way] / rates[at]))
