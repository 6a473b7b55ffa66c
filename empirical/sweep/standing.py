"""How far a sweep is: runs and optima by cell, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, nan

from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.optimum import find_optimum
from empirical.judge.optimum_record import Optimum
from empirical.sweep.cells import Cell, labels
from empirical.sweep.cost import RATES_EXPECTED, cell_cost
from empirical.sweep.plan_record import StoredRun
from empirical.sweep.planned import PlannedSweep, cells_of_runs
from empirical.sweep.rounds import replay
from empirical.sweep.trials import shared_repetitions

NEAR = 1.5 * log(2) + 1e-6
"""Distance in ln eta within which runs of a grid tell its noise level."""


@dataclass(frozen=True)
class CellStanding:
    """One cell: its runs so far, how many it will want, and what they say of its optimum.

    expected: of an adaptive sweep as far as can be said. ended: it wants nothing more.
    gave_up: it ended at a limit, its interval wider than asked.
    """

    cell: Cell
    runs: tuple[StoredRun, ...]
    expected: int
    ended: bool
    optimum: Optimum | None
    gave_up: bool = False


@dataclass(frozen=True)
class Standing:
    """How far a sweep is.

    seconds_left: of work on one worker, at the pace of the runs so far; None if not known.
    """

    cells: tuple[CellStanding, ...]
    seconds_left: float | None

    @property
    def runs(self) -> int:
        """Runs that have a result."""
        return sum(len(cell.runs) for cell in self.cells)

    @property
    def diverged(self) -> int:
        """Those of them that diverged."""
        return sum(run.diverged for cell in self.cells for run in cell.runs)

    @property
    def expected(self) -> int:
        """Runs in all."""
        return sum(cell.expected for cell in self.cells)

    @property
    def ended(self) -> int:
        """Cells that want nothing more."""
        return sum(cell.ended for cell in self.cells)

    @property
    def complete(self) -> bool:
        """Nothing is wanted any more."""
        return self.ended == len(self.cells)


def standing(planned: PlannedSweep, results: Mapping[str, StoredRun]) -> Standing:
    """How far the sweep is with these results."""
    cell_of = cells_of_runs(planned)
    held: dict[str, list[StoredRun]] = {cell.name: [] for cell in planned.cells}
    for run in results.values():
        # A folder may hold runs of an earlier plan.
        if (cell := cell_of(run.config)) is not None:
            held[cell.name].append(run)
    judge = _of_grid if planned.config.learning_rates.adaptive is None else _of_bracket
    cells = judge(planned, held, results)
    left, foreseen, spent = 0.0, 0.0, 0.0
    known = True
    for found in cells:
        each = cell_cost(planned, found.cell, 1).core_seconds
        known = known and each is not None
        left += (found.expected - len(found.runs)) * (each or 0.0)
        foreseen += len(found.runs) * (each or 0.0)
        spent += sum(run.seconds for run in found.runs)
    pace = spent / foreseen if foreseen > 0 else 1.0
    return Standing(cells, left * pace if known else None)


Held = Mapping[str, Sequence[StoredRun]]


def _of_bracket(
    planned: PlannedSweep, held: Held, results: Mapping[str, StoredRun]
) -> tuple[CellStanding, ...]:
    seen = replay(planned, results).cells
    usual = round(RATES_EXPECTED * len(planned.config.seeds))
    found = []
    for cell in planned.cells:
        runs, progress = tuple(held[cell.name]), seen.get(cell.name)
        ended = progress is not None and progress.ended
        expected = len(runs) if ended else max(usual, len(runs) + 1)
        optimum = progress.moves[-1].optimum if progress and progress.moves else None
        gave_up = progress is not None and ended and progress.moves[-1].rule == "given up"
        found.append(CellStanding(cell, runs, expected, ended, optimum, gave_up))
    return tuple(found)


def _of_grid(
    planned: PlannedSweep, held: Held, results: Mapping[str, StoredRun]
) -> tuple[CellStanding, ...]:
    noise = {
        group: shared_repetitions([_near(held[cell.name]) for cell in cells if held[cell.name]])
        for group, cells in planned.groups.items()
    }
    found = []
    for cell in planned.cells:
        runs, whole = tuple(held[cell.name]), len(cell.grid) * len(planned.config.seeds)
        optimum = find_optimum(*_columns(runs), noise=noise[cell.group]) if runs else None
        found.append(CellStanding(cell, runs, whole, len(runs) >= whole, optimum))
    return tuple(found)


def _near(runs: Sequence[StoredRun]) -> GridLosses:
    """The losses within an octave and a half of the lowest: at larger rates noise is larger."""
    whole = grid_losses(*_columns(runs))
    if not len(whole.x):
        return whole
    lowest = whole.x[whole.best]
    return grid_losses(
        *_columns([r for r in runs if abs(log(r.config.learning_rate) - lowest) < NEAR])
    )


def _columns(
    runs: Sequence[StoredRun],
) -> tuple[list[float], list[float], list[int], list[bool]]:
    """Learning rates, losses, seeds, and which runs diverged."""
    return (
        [run.config.learning_rate for run in runs],
        [nan if run.heldout_loss is None else run.heldout_loss.value for run in runs],
        [run.config.seed for run in runs],
        [run.diverged for run in runs],
    )


def table_groups(planned: PlannedSweep) -> Callable[[str, StoredRun], tuple[str, ...]]:
    """For the table: the optimizer of the sweep and what is held fixed as the batch grows."""
    cell_of = cells_of_runs(planned)
    names = labels(planned.config.optimizers)

    def groups(key: str, run: StoredRun) -> tuple[str, ...]:
        cell = cell_of(run.config)
        return () if cell is None else (f"{names[cell.place]} {cell.budget}",)

    return groups
