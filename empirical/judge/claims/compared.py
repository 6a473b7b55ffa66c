"""Measured optima beside a prediction: deviations, a common factor, what following it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from empirical.judge.claims.claim import Known
from empirical.judge.claims.predictions import Prediction, Silence
from empirical.judge.fit_data import Array
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import Cost, Scatter, common_factor, cost, scatter


@dataclass(frozen=True)
class Compared:
    """Identified cells of one slice, or of several, that a prediction speaks of.

    where: label. deviations: ln eta* measured less predicted, [n]. variances: of the measured and
    of the predicted together, [n]; those of different cells count as independent, which overstates
    the error of their differences where one measurement made all predictions. predicted: ln eta,
    [n]. bounded: cells of the slice whose optimum is a bound or unknown, not used.
    """

    where: str
    cells: tuple[Cell, ...]
    deviations: Array
    variances: Array
    predicted: Array
    bounded: int

    def __len__(self) -> int:
        return len(self.cells)

    def scatter(self, *, free_factor: bool) -> Scatter:
        """See `verdict_spread`."""
        return scatter(self.deviations, self.variances, free_factor=free_factor)

    @property
    def factor(self) -> float:
        """Measured over predicted, the weighted geometric mean."""
        return exp(common_factor(self.deviations, self.variances)[0])

    def cost(self, *, free_factor: bool) -> Cost:
        """Of following the prediction: as it is, or from the best-known cell to all others."""
        curvatures = np.array([cell.curvature for cell in self.cells])
        if not free_factor:
            return cost(-self.deviations, np.diag(self.variances), curvatures)
        return carried_cost(self.deviations, self.variances, curvatures)


def carried_cost(deviations: Array, variances: Array, curvatures: Array) -> Cost:
    """Of carrying the best-known optimum to the other cells by the prediction's ratios."""
    start = int(np.argmin(variances))
    others = np.arange(len(deviations)) != start
    misses = deviations[start] - deviations[others]
    covariance = np.diag(variances[others]) + variances[start]
    return cost(misses, covariance, curvatures[others])


def compared(each: Slice, prediction: Prediction, known: Known) -> Compared | Silence:
    """One slice beside a prediction; why not, where it says nothing of any of its cells."""
    answers = [(cell, prediction.ln_eta(cell, known)) for cell in each.measured]
    reasons = [answer.reason for _, answer in answers if isinstance(answer, Silence)]
    told = [(cell, a) for cell, a in answers if not isinstance(a, Silence)]
    if not told:
        return Silence(reasons[0] if reasons else "no optimum of the slice is a number")
    predicted = np.array([answer.value for _, answer in told])
    errors = np.array([answer.standard_error for _, answer in told])
    return Compared(
        each.label,
        tuple(cell for cell, _ in told),
        np.array([cell.ln_eta for cell, _ in told]) - predicted,
        np.array([cell.variance for cell, _ in told]) + errors**2,
        predicted,
        len(each.cells) - len(told),
    )


def joined(parts: Sequence[Compared], where: str) -> Compared:
    """Cells of several slices as one, for a factor that they share."""
    return Compared(
        where,
        tuple(cell for part in parts for cell in part.cells),
        np.concatenate([part.deviations for part in parts]),
        np.concatenate([part.variances for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        sum(part.bounded for part in parts),
    )
