"""The cells of a sweep in canonical order: optimizer x batch size x epsilon x budget.

A cell asks for one optimum of the learning rate. The cells of one optimizer, batch size and budget
are a group: they differ in numbers of the optimizer only, so that their runs can be stacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from empirical.errors import UsageError
from empirical.settings import FrozenModel, checked
from empirical.sweep.budget import budgets, run_length
from empirical.sweep.configuration import OptimizerSettings, SweepConfig
from empirical.sweep.learning_rate_settings import GridSettings
from empirical.train.optimizer_configuration import OPTIMIZERS, OptimizerConfig

GRID_TOLERANCE = 1e-9
"""Octaves by which the last learning rate of a grid may lie above its end: rounding errors."""


class Cell(FrozenModel):
    """One cell. batch_size in sequences.

    group: name of its group. place: of its optimizer's entry in the file. neighbour: name of the
    cell from whose optimum it starts, None for the first of a chain. predicted: the theory's
    one-step optimum, where statistics are given. start: learning rate that it starts from where it
    has no neighbour. grid: its learning rates where they are a grid.
    """

    name: str
    group: str
    place: int
    optimizer: OptimizerConfig
    epsilon: float | None
    batch_size: int
    budget: str
    steps: int
    neighbour: str | None = None
    predicted: float | None = None
    start: float | None = None
    grid: tuple[float, ...] = ()


def cells_of(
    config: SweepConfig, context: int, rms_sigma: float | None
) -> tuple[tuple[Cell, ...], tuple[str, ...]]:
    """All cells, group after group, and what had to be rounded, in words.

    context: tokens per sequence. rms_sigma: the unit of epsilon_ratio, where statistics are given.
    """
    names = labels(config.optimizers)
    found: list[Cell] = []
    said: dict[str, None] = {}
    for place, entry in enumerate(config.optimizers):
        variants = _variants(entry, names[place], rms_sigma)
        for budget in budgets(config.budget):
            for batch_size in sorted(config.batch_sizes):
                length = run_length(budget, batch_size, context, config.budget.rounding)
                if length.said:
                    said[length.said] = None
                group = f"{names[place]} B={batch_size} {budget.name}"
                for label, epsilon, optimizer in variants:
                    found.append(
                        Cell(
                            name=f"{names[place]}{label} B={batch_size} {budget.name}",
                            group=group,
                            place=place,
                            optimizer=optimizer,
                            epsilon=epsilon,
                            batch_size=batch_size,
                            budget=budget.name,
                            steps=length.steps,
                            grid=_grid(config, entry),
                        )
                    )
    _no_twins(found)
    return tuple(found), tuple(said)


def _no_twins(cells: Sequence[Cell]) -> None:
    """Refuse two cells of the same runs: a run belongs to one cell."""
    seen: dict[tuple[OptimizerConfig, int, int], str] = {}
    for cell in cells:
        first = seen.setdefault((cell.optimizer, cell.batch_size, cell.steps), cell.name)
        if first != cell.name:
            raise UsageError(
                f"got the same runs for the cells {first!r} and {cell.name!r}, wanted each once; "
                "leave one of them out"
            )


def labels(entries: Sequence[OptimizerSettings]) -> tuple[str, ...]:
    """A name per entry: that of the optimizer, counted from 1 where it comes more than once."""
    names = [entry.name for entry in entries]
    return tuple(
        name if names.count(name) == 1 else f"{name}-{names[: place + 1].count(name)}"
        for place, name in enumerate(names)
    )


def _variants(
    entry: OptimizerSettings, name: str, rms_sigma: float | None
) -> list[tuple[str, float | None, OptimizerConfig]]:
    """(label, epsilon, optimizer) for every epsilon, ascending."""
    model = OPTIMIZERS[entry.name]

    def built(settings: dict[str, object]) -> OptimizerConfig:
        # OPTIMIZERS holds the members of this union and nothing else.
        return checked(model, settings, {key: f"{key} of {name}" for key in settings})  # type: ignore[return-value]

    plain: dict[str, object] = dict(entry.settings)
    if entry.epsilon_ratio is not None:
        if rms_sigma is None:
            raise UsageError(f"got epsilon_ratio for {name} without statistics; name their folder")
        return [
            (
                f" eps={ratio:g}sigma",
                ratio * rms_sigma,
                built({**plain, "epsilon": ratio * rms_sigma}),
            )
            for ratio in sorted(entry.epsilon_ratio)
        ]
    if entry.epsilon is not None:
        return [
            (f" eps={epsilon:g}", epsilon, built({**plain, "epsilon": epsilon}))
            for epsilon in sorted(entry.epsilon)
        ]
    optimizer = built(plain)
    return [("", getattr(optimizer, "epsilon", None), optimizer)]


def _grid(config: SweepConfig, entry: OptimizerSettings) -> tuple[float, ...]:
    grid = entry.grid or config.learning_rates.grid
    return () if grid is None else grid_rates(grid)


def grid_rates(grid: GridSettings) -> tuple[float, ...]:
    """from · 2^(k / per_octave) up to `to`."""
    octaves = log2(grid.high / grid.low)
    count = int(octaves * grid.per_octave + GRID_TOLERANCE) + 1
    return tuple(grid.low * 2 ** (k / grid.per_octave) for k in range(count))
