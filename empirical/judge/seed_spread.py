"""Means over seeds and their differences, by Student's t with a spread pooled over cells.

A published claim is an inequality that was written down before the runs: they agree where the
whole 95 % interval satisfies it, disagree where none of it does, and cannot tell between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import stdtrit

from empirical.errors import UsageError
from empirical.judge.verdict import Outcome

TAIL = 0.025


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval, in the unit of the number."""

    value: float
    low: float
    high: float

    def below(self, limit: float) -> Outcome:
        """Whether it is at most `limit`."""
        if self.high <= limit:
            return Outcome.AGREES
        return Outcome.DISAGREES if self.low > limit else Outcome.CANNOT_TELL

    def above(self, limit: float) -> Outcome:
        """Whether it is more than `limit`."""
        return Interval(-self.value, -self.high, -self.low).below(-limit)


@dataclass(frozen=True)
class Spread:
    """Standard deviation of a number between seeds, pooled over cells, and how well it is known."""

    standard_deviation: float
    degrees_of_freedom: int

    def of_mean(self, seeds: int) -> float:
        """Standard error of a mean over so many seeds."""
        return self.standard_deviation / sqrt(seeds)


def pooled_spread(cells: Sequence[Sequence[float]]) -> Spread:
    """The spread between seeds of cells [cells, seeds] that differ in their mean only.

    s² = Σ_cells Σ_seeds (y - mean of the cell)² / Σ_cells (seeds - 1).

    Raises UsageError where no cell has two seeds.
    """
    freedom = sum(len(cell) - 1 for cell in cells if len(cell) > 1)
    if not freedom:
        raise UsageError(f"got {len(cells)} cells and no repetition; repeat runs with another seed")
    squares = sum(float(np.var(cell)) * len(cell) for cell in cells if len(cell) > 1)
    return Spread(sqrt(squares / freedom), freedom)


def mean_over_seeds(values: Sequence[float], spread: Spread) -> Interval:
    """Mean of `values` [seeds], such as differences within a seed, by Student's t."""
    return _interval(float(np.mean(values)), spread.of_mean(len(values)), spread)


def difference(first: Sequence[float], second: Sequence[float], spread: Spread) -> Interval:
    """Mean of `first` less mean of `second` [seeds each], none of them paired, by Student's t."""
    error = float(np.hypot(spread.of_mean(len(first)), spread.of_mean(len(second))))
    return _interval(float(np.mean(first) - np.mean(second)), error, spread)


def _interval(value: float, error: float, spread: Spread) -> Interval:
    reach = float(stdtrit(spread.degrees_of_freedom, 1 - TAIL)) * error
    return Interval(value, value - reach, value + reach)
