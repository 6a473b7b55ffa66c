"""Whole-run optima over batch size, steps and epsilon, beside what was measured where they branch.

A cell is one optimizer at one epsilon, batch size and number of steps; cells of one start share
its statistics and spectra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from empirical.judge.optimum_record import Optimum
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import grids, table_optima
from empirical.spectra_files import SavedSpectra
from scaling_theory.branch_point import BranchPoint, Rule
from scaling_theory.errors import InputError
from scaling_theory.run_law import ONE_STEP, RunFactors, run_factors, run_shape
from scaling_theory.schedule import Schedule, schedule_multiples
from scaling_theory.spectral_measure import FloatArray
from scaling_theory.surface import SurfaceStatistics

RULES: Mapping[str, Rule] = MappingProxyType(
    {"softsignsgd": "softsign", "adamw": "adam", "adam": "adam"}
)
"""Update rule of each optimizer that spectra are measured for."""


@dataclass(frozen=True, eq=False)
class HorizonCell:
    """One cell. start: name of the place that runs branch from. epsilon_ratio: over rms sigma.

    beta1: of the optimizer's average, 0 without one. schedule: of the runs. descent, signal,
    noise: E[u]^T g, mu^T H mu and Tr(H Cov u) of the softsign at this batch size and epsilon, with
    correlated noise. point: spectra of the optimizer's own rule, None where they were not
    measured. optimum: of the runs.
    """

    start: str
    optimizer: str
    epsilon_ratio: float
    batch_size: int
    steps: int
    beta1: float
    schedule: Schedule
    descent: float
    signal: float
    noise: float
    point: BranchPoint | None
    optimum: Optimum

    @property
    def ln_eta(self) -> float:
        """ln of the measured optimum; only cells with an identified one are judged."""
        if self.optimum.ln_eta is None:
            raise ValueError(f"the optimum of {self.label} is not identified")
        return self.optimum.ln_eta.value

    @property
    def multiples(self) -> FloatArray:
        """The schedule's share of the peak learning rate at each step, [S]."""
        return schedule_multiples(self.steps, self.schedule)

    @property
    def factors(self) -> RunFactors:
        """kappa and nu of these steps (`scaling_theory.run_law`)."""
        return run_factors(self.beta1, self.steps, self.schedule)

    def shape(self, factors: RunFactors) -> float:
        """D / (kappa Q + nu N) with these factors: a learning rate up to one number."""
        return run_shape(self.descent, self.signal, self.noise, factors)

    @property
    def one_step(self) -> float:
        """eta_1 = E[u]^T g / E[u^T H u]."""
        return self.shape(ONE_STEP)

    @property
    def run_law(self) -> float:
        """D / (kappa Q + nu N) of the run's own schedule and momentum, up to one number."""
        return self.shape(self.factors)

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
    surface: SurfaceStatistics,
    schedule: Schedule,
    spectra: SavedSpectra | None = None,
) -> Cells:
    """The cells of one start. surface: measured there. schedule: of its runs.

    Cells where the statistics give no optimum are among the others: nothing can be predicted.
    """
    found: list[HorizonCell] = []
    others: list[str] = []
    for each in table_optima(grids(table, hold=("optimizer", "steps"))):
        first = each.grid.runs[0]
        steps, epsilon = int(first.steps or 0), first.eps or 0.0
        rule = RULES.get(first.optimizer)
        if rule is None or not steps:
            others.append(f"{start}, {each.grid.label}: no softsign model, or no number of steps")
            continue
        batch_size = int(first.batch.amount)
        descent, signal, noise = surface.terms(batch_size, epsilon, "correlated")
        cell = HorizonCell(
            start=start,
            optimizer=first.optimizer,
            epsilon_ratio=float(f"{epsilon / surface.rms_sigma:.3g}"),
            batch_size=batch_size,
            steps=steps,
            beta1=first.beta1 or 0.0,
            schedule=schedule,
            descent=descent.value,
            signal=signal.value,
            noise=noise.value,
            point=spectra.at(rule, batch_size, epsilon) if spectra else None,
            optimum=each.optimum,
        )
        if each.optimum.ln_eta is None:
            others.append(f"{cell.label}: {each.optimum.describe()}")
        elif not _has_optimum(cell):
            # at initialisation a network may curve downwards along its own update
            others.append(f"{cell.label}: no optimum of one step, the curvature is not positive")
        else:
            found.append(cell)
    return Cells(tuple(found), tuple(others))


def _has_optimum(cell: HorizonCell) -> bool:
    """Whether descent and curvature are positive for one step and for the run."""
    try:
        return min(cell.one_step, cell.run_law) > 0
    except InputError:
        return False
