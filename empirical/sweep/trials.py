"""The runs of one cell as the bracket sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from empirical.errors import UsageError
from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.misfit import pooled_repetitions
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum import find_optimum
from empirical.judge.optimum_record import Optimum
from empirical.sweep.lattice import learning_rate

FEWEST, ENOUGH = 4, 12
"""Degrees of freedom from repetitions: fewer are not used; with as many no further cell is asked.
The noise level is then good to a third and to a fifth."""


@dataclass(frozen=True)
class Trial:
    """A run at a position of the lattice. loss: held-out, nats per token; None: it diverged."""

    position: int
    seed: int
    loss: float | None


def judged(trials: Sequence[Trial], noise: NoiseLevel | None) -> Optimum:
    """The optimum of a cell; without a noise level, what the cell itself says of it is used."""
    return find_optimum(*_columns(trials), noise=noise)


def grid_of(trials: Sequence[Trial]) -> GridLosses:
    """One loss per learning rate, seed effects taken out."""
    return grid_losses(*_columns(trials))


Layer = tuple[tuple[Trial, ...], ...]
"""The trials of several cells that are asked together."""


def shared_noise(layers: Sequence[Layer]) -> NoiseLevel | None:
    """The noise level from the repetitions of cells that differ little; nearest layer first.

    Layers are taken in until they have enough degrees of freedom together. None where all of them
    have too few: each cell is then judged by itself.
    """
    grids: list[GridLosses] = []
    for layer in layers:
        if sum(grid.replicates.degrees_of_freedom for grid in grids) >= ENOUGH:
            break
        grids += [grid_of(trials) for trials in layer if trials]
    return shared_repetitions(grids)


def shared_repetitions(grids: Sequence[GridLosses]) -> NoiseLevel | None:
    """The noise level from the repetitions of all grids; None where they have none in common.

    They have none where repetitions are too few, and where grids differ so much that no level
    fits most of them: short runs from fresh weights do.
    """
    left = [grid.replicates for grid in grids]
    freedom = sum(each.degrees_of_freedom for each in left)
    squares = sum(each.sum_of_squares for each in left)
    if freedom < FEWEST or not squares > 0:
        return None
    try:
        return pooled_repetitions(left)
    except UsageError:
        return None


def _columns(
    trials: Sequence[Trial],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([learning_rate(trial.position) for trial in trials]),
        np.array([np.nan if trial.loss is None else trial.loss for trial in trials]),
        np.array([trial.seed for trial in trials]),
        np.array([trial.loss is None for trial in trials]),
    )
