"""Whole-run optima over batch size, steps and epsilon, beside what was measured where they branch.

A cell is one optimizer at one epsilon, batch size and number of steps; cells of one start share
its statistics and spectra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType

from empirical.judge.optimum_record import Optimum
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import grids, table_optima
from empirical.spectra_files import SavedSpectra
from scaling_theory.branch_point import BranchPoint, Rule
from scaling_theory.spectral_measure import FloatArray

RULES: Mapping[str, Rule] = MappingProxyType(
    {"softsignsgd": "softsign", "adamw": "adam", "adam": "adam"}
)
"""Update rule of each optimizer that spectra are measured for."""


@dataclass(frozen=True, eq=False)
class HorizonCell:
    """One cell. start: name of the place that runs branch from. epsilon_ratio: over rms sigma.

    multiples: of the schedule, [S]. point: measured at the start for this rule, batch size and
    epsilon. optimum: of the runs.
    """

    start: str
    optimizer: str
    epsilon_ratio: float
    batch_size: int
    steps: int
    multiples: FloatArray
    point: BranchPoint
    optimum: Optimum

    @property
    def ln_eta(self) -> float:
        """ln of the measured optimum; only cells with an identified one are judged."""
        if self.optimum.ln_eta is None:
            raise ValueError(f"the optimum of {self.label} is not identified")
        return self.optimum.ln_eta.value

    @property
    def over_one_step(self) -> float:
        """ln(eta* / eta_1)."""
        return self.ln_eta - log(self.point.one_step)

    @property
    def label(self) -> str:
        """Short text for people."""
        return (
            f"{self.start}, {self.optimizer}, eps {self.epsilon_ratio:g} rms sigma, "
            f"B {self.batch_size}, {self.steps} steps"
        )


@dataclass(frozen=True)
class Cells:
    """identified: cells that can be judged. others: labels of the rest, with the reason."""

    identified: tuple[HorizonCell, ...]
    others: tuple[str, ...]


def horizon_cells(
    start: str,
    table: RunTable,
    spectra: SavedSpectra,
    rms_sigma: float,
    multiples: Callable[[int], FloatArray],
) -> Cells:
    """The cells of one start. rms_sigma: of one sequence there. multiples: of the schedule."""
    found: list[HorizonCell] = []
    others: list[str] = []
    for each in table_optima(grids(table, hold=("optimizer", "steps"))):
        first = each.grid.runs[0]
        steps, epsilon = int(first.steps or 0), first.eps or 0.0
        batch_size = int(first.batch.amount)
        rule = RULES.get(first.optimizer)
        point = spectra.at(rule, batch_size, epsilon) if rule else None
        if point is None or not steps:
            others.append(f"{start}, {each.grid.label}: no spectra were measured for it")
            continue
        cell = HorizonCell(
            start,
            first.optimizer,
            round(epsilon / rms_sigma, 6),
            batch_size,
            steps,
            multiples(steps),
            point,
            each.optimum,
        )
        if each.optimum.ln_eta is None:
            others.append(f"{cell.label}: {each.optimum.describe()}")
        else:
            found.append(cell)
    return Cells(tuple(found), tuple(others))
