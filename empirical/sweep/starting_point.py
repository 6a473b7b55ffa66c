"""Where a cell without a neighbour starts: the theory's prediction, a number, a rule of thumb."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from empirical.statistics_files import SavedStatistics
from empirical.sweep.cells import Cell
from empirical.sweep.chain import chained
from empirical.sweep.configuration import SweepConfig
from scaling_theory.law import NoOptimalStep
from scaling_theory.stand_ins import has_softsign, softsign_epsilon
from scaling_theory.surface import SurfaceStatistics

RULES_OF_THUMB = MappingProxyType(
    {
        "adamw": 1e-3,
        "adam": 1e-3,
        "adafactor": 1e-2,
        "muon": 1e-3,
        "sgd": 0.1,
        "sgd-sai": 0.03,
        "sqrt-numel-sgd": 0.03,
        "signsgd": 3e-4,
        "signum": 3e-4,
        "softsignsgd": 3e-4,
    }
)
"""A guess per optimizer, from common practice, for networks of ordinary size: only a beginning."""

RUN_OVER_STEP = 0.5
"""Optimum of a whole run over that of its first step: a guess in the middle of what was measured on
a small transformer, 0.1 to 0.9 (docs/results.md)."""


def started(
    cells: Sequence[Cell], config: SweepConfig, statistics: SavedStatistics | None
) -> tuple[Cell, ...]:
    """The cells of an adaptive sweep with neighbours, predictions and starts; of a grid as is."""
    adaptive = config.learning_rates.adaptive
    if adaptive is None:
        return tuple(cells)
    surface = statistics.surface if statistics else None
    cells = [c.model_copy(update={"predicted": one_step_rate(c, surface)}) for c in cells]
    if adaptive.start != "statistics":
        cells = list(chained(cells))
    found = []
    for cell in cells:
        given = config.optimizers[cell.place].start
        if isinstance(adaptive.start, float):
            given = given or adaptive.start
        start = None if cell.neighbour else given or _rule(cell)
        if adaptive.start == "statistics" and cell.predicted is not None:
            start = RUN_OVER_STEP * cell.predicted
        found.append(cell.model_copy(update={"start": start}))
    return tuple(found)


def one_step_rate(cell: Cell, surface: SurfaceStatistics | None) -> float | None:
    """eta_1 of the softsign model of the optimizer at the cell's batch size and epsilon.

    None without statistics, for an optimizer that no such model stands for, and where the
    statistics give no optimum.
    """
    name = cell.optimizer.name
    epsilon = softsign_epsilon(name, cell.epsilon)
    if surface is None or not has_softsign(name) or epsilon is None:
        return None
    try:
        return surface.eta1(cell.batch_size, epsilon, "correlated").step.learning_rate.value
    except NoOptimalStep:
        return None


def _rule(cell: Cell) -> float:
    if cell.predicted is not None:
        return RUN_OVER_STEP * cell.predicted
    return RULES_OF_THUMB[cell.optimizer.name]
