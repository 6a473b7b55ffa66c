"""Cells set against each other, with intervals: losses, widths, exponents of the learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, sqrt

import numpy as np

from empirical.judge.seed_spread import (
    Interval,
    Spread,
    difference,
    mean_over_seeds,
    pooled_spread,
)
from examples.small_batch.cells import Cell, width

RISE = 0.1
"""Nats above the lowest loss, within which a learning rate counts as good."""

FEWEST_POOLED = 16
"""Batch sizes up to this one are pooled for every spread."""

Key = tuple[str, int]
Cells = Mapping[Key, Cell]
"""Cells by optimizer and batch size."""


def spread_of(name: str, upto: int, like: Sequence[Cells]) -> Spread:
    """The spread of an optimizer's best loss between seeds, pooled over batches and tables.

    The spread grows with the batch, as steps become fewer: batch sizes up to the one in question
    are pooled, at least up to FEWEST_POOLED. like: the tables of all texts.
    """
    return pooled_spread(
        [
            cell.losses
            for cells in like
            for (own, batch), cell in cells.items()
            if own == name and batch <= max(FEWEST_POOLED, upto)
        ]
    )


def best_loss(cells: Cells, key: Key, like: Sequence[Cells]) -> Interval:
    """L of one cell."""
    return mean_over_seeds(cells[key].losses, spread_of(*key, like))


def gap(cells: Cells, first: Key, second: Key, like: Sequence[Cells] = ()) -> Interval:
    """L(first) - L(second); spreads are pooled over `like`, over the same table without it.

    At one batch size runs of one seed saw the same batches: differences are taken within seeds,
    and it is their spread that is pooled. Else the larger spread of the two stands for both.
    """
    like, upto = like or (cells,), max(first[1], second[1])
    if first[1] == second[1]:
        pairs = [_paired(one, first[0], second[0], upto) for one in like]
        spread = pooled_spread([values for found in pairs for values in found.values()])
        return mean_over_seeds(_paired(cells, first[0], second[0], upto)[upto], spread)
    spread = max(
        (spread_of(name, upto, like) for name in (first[0], second[0])),
        key=lambda each: each.standard_deviation,
    )
    return difference(cells[first].losses, cells[second].losses, spread)


def _paired(cells: Cells, first: str, second: str, upto: int) -> dict[int, tuple[float, ...]]:
    """Differences within seeds by batch size, where both have the same number of seeds."""
    found = {}
    for (name, batch), cell in cells.items():
        other = cells.get((second, batch))
        if name != first or other is None or batch > max(FEWEST_POOLED, upto):
            continue
        if len(cell.losses) == len(other.losses):
            found[batch] = tuple(a - b for a, b in zip(cell.losses, other.losses, strict=True))
    return found


def rate_exponent(cells: Cells, name: str, sizes: Sequence[int]) -> Interval:
    """Slope of ln eta* over ln B by weighted least squares; errors grow with the misfit."""
    points = [(log(b), cells[name, b].optimum.ln_eta) for b in sizes]
    known = [(x, y.value, y.standard_error) for x, y in points if y is not None]
    x, y, error = (np.array(each) for each in zip(*known, strict=True))
    design = np.stack([np.ones_like(x), x], axis=1) / error[:, None]
    inverse = np.linalg.inv(design.T @ design)
    fitted = inverse @ design.T @ (y / error)
    misfit = float(np.sum((y / error - design @ fitted) ** 2)) / max(1, len(x) - 2)
    reach = 1.96 * sqrt(inverse[1, 1] * max(1.0, misfit))
    slope = float(fitted[1])
    return Interval(slope, slope - reach, slope + reach)


def wider(cells: Cells, first: Key, second: Key, like: Sequence[Cells]) -> Interval:
    tables = like or (cells,)
    spread = pooled_spread([widths(cell) for table in tables for cell in table.values()])
    return difference(widths(cells[first]), widths(cells[second]), spread)


def less(first: Interval, second: Interval) -> Interval:
    """first - second of independent intervals."""
    value = first.value - second.value
    reach = sqrt((first.high - first.value) ** 2 + (second.high - second.value) ** 2)
    return Interval(value, value - reach, value + reach)


def widths(cell: Cell) -> tuple[float, ...]:
    """Octaves within RISE of the best, one per seed."""
    seeds = sorted({seed for by_seed in cell.runs.values() for seed in by_seed})
    return tuple(width(cell, seed, RISE) for seed in seeds)
