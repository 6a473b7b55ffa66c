"""The optimum of every grid of a table: one per group, batch size and epsilon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.group_noise import noise_by_group
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum import Method, find_optimum
from empirical.judge.optimum_record import Optimum
from empirical.judge.run_record import Run
from empirical.judge.run_table import RunTable
from scaling_theory.units import BatchSize


@dataclass(frozen=True)
class Grid:
    """Runs that differ in learning rate and seed only.

    held: further things that were held fixed, as (name, text).
    """

    group: str
    batch: BatchSize
    eps: float | None
    held: tuple[tuple[str, str], ...]
    runs: tuple[Run, ...]

    @property
    def label(self) -> str:
        """Short text for people."""
        parts = [self.group, str(self.batch)]
        parts += [f"eps {self.eps:g}"] if self.eps is not None else []
        return ", ".join([*parts, *(f"{name} {text}" for name, text in self.held)])


@dataclass(frozen=True)
class GridOptimum:
    """A grid and what it says."""

    grid: Grid
    optimum: Optimum


def grids(table: RunTable, hold: Sequence[str] = (), fewest: int = 1) -> tuple[Grid, ...]:
    """The grids of a table, by group and then by batch size and epsilon.

    Args:
        hold: names of extras or of fields of a run that also tell grids apart, such as "warmup".
        fewest: learning rates that a grid must have, diverged ones counted.
    """
    found: dict[tuple[object, ...], list[Run]] = {}
    for run in table.runs:
        held = tuple((name, _text(run, name)) for name in hold)
        found.setdefault((run.group, run.batch.amount, run.eps, held), []).append(run)
    made = [
        Grid(
            runs[0].group,
            runs[0].batch,
            runs[0].eps,
            tuple((n, _text(runs[0], n)) for n in hold),
            tuple(runs),
        )
        for runs in found.values()
        if len({run.lr for run in runs}) >= fewest
    ]
    place = {group: at for at, group in enumerate(table.groups)}
    return tuple(sorted(made, key=lambda g: (place[g.group], g.batch.amount, g.eps or 0.0, g.held)))


def losses_of(grid: Grid) -> GridLosses:
    """The losses of a grid by learning rate; runs are paired where all of them name a seed."""
    read = _columns(grid.runs)
    return grid_losses(
        read.rates, read.losses, read.seeds, read.censored, standard_errors=read.standard_errors
    )


def table_noise(grids: Sequence[Grid]) -> dict[str, NoiseLevel | None]:
    """The noise level of each group: from repetitions, else from how smooth the curves are.

    Runs at one learning rate of a grid that name no seed count as repetitions: what else differs
    between them is noise then, unless `grids` holds it. None where nothing tells.
    """
    groups: dict[str, list[GridLosses]] = {}
    for grid in grids:
        groups.setdefault(grid.group, []).append(losses_of(grid))
    return noise_by_group(groups)


def table_optima(
    grids: Sequence[Grid],
    noise: NoiseLevel | float | None = None,
    *,
    method: Method = "quadratic",
) -> tuple[GridOptimum, ...]:
    """The optimum of every grid.

    noise: of one run; None: where every row is a mean over several runs (n_seeds > 1) and states
    its standard error, that; else the noise of each group (`table_noise`).
    """
    read = [_columns(grid.runs) for grid in grids]
    stated = all(each.standard_errors is not None for each in read)
    levels = table_noise(grids) if noise is None and not stated else {}
    return tuple(
        GridOptimum(
            grid,
            find_optimum(
                each.rates,
                each.losses,
                each.seeds,
                each.censored,
                levels.get(grid.group, noise),
                standard_errors=each.standard_errors,
                method=method,
            ),
        )
        for grid, each in zip(grids, read, strict=True)
    )


@dataclass(frozen=True)
class _Columns:
    rates: list[float]
    losses: list[float]
    seeds: list[str] | None
    censored: list[bool]
    standard_errors: list[float] | None


def _columns(runs: Sequence[Run]) -> _Columns:
    """What `find_optimum` takes; seeds and standard errors only where every run states them."""
    seeds = [run.seed for run in runs]
    # Of a single run it is the error of its evaluation, which all learning rates share: the spread
    # between runs is another, and is measured from the runs themselves.
    means = [run.n_seeds is not None and run.n_seeds > 1 for run in runs]
    errors = [run.loss_standard_error or 0.0 for run in runs] if all(means) else [0.0]
    return _Columns(
        rates=[run.lr for run in runs],
        losses=[nan if run.loss is None else run.loss for run in runs],
        seeds=seeds if all(seeds) else None,
        censored=[run.diverged for run in runs],
        standard_errors=errors if all(error > 0 for error in errors) else None,
    )


def _text(run: Run, name: str) -> str:
    value = getattr(run, name) if name in Run.__dataclass_fields__ else run.extra(name)
    return "" if value is None else str(value)
