"""A published claim set against measured numbers: reproduced, not reproduced, or inconclusive.

A claim is an inequality that was written down before the runs. It is reproduced where a whole 95 %
interval satisfies it, not reproduced where none of the interval does, and inconclusive between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from scipy.special import stdtrit

from empirical.errors import UsageError

TAIL = 0.025


class Verdict(StrEnum):
    """What became of a claim."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval, in the unit of the number."""

    value: float
    low: float
    high: float

    def below(self, limit: float) -> Verdict:
        """Whether it is at most `limit`."""
        if self.high <= limit:
            return Verdict.REPRODUCED
        return Verdict.NOT_REPRODUCED if self.low > limit else Verdict.INCONCLUSIVE

    def above(self, limit: float) -> Verdict:
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


def both(*verdicts: Verdict) -> Verdict:
    """A claim of several parts: reproduced if each is, not reproduced if any is not."""
    if Verdict.NOT_REPRODUCED in verdicts:
        return Verdict.NOT_REPRODUCED
    if all(verdict is Verdict.REPRODUCED for verdict in verdicts):
        return Verdict.REPRODUCED
    return Verdict.INCONCLUSIVE


def agreed(verdicts: Sequence[Verdict]) -> Verdict:
    """One claim on several texts: what all of them say, inconclusive where they differ."""
    return verdicts[0] if len(set(verdicts)) == 1 else Verdict.INCONCLUSIVE
