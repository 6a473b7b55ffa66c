"""One measured quantity on a (B, epsilon) grid and its value between the cells.

Softsign moments of one coordinate go roughly as powers of epsilon^2 + v with the mean-field
v = g^2 + sigma^2/B, a sum over coordinates as powers of epsilon^2 + rms(g)^2 + rms(sigma)^2/B. What
is interpolated, in (ln B, ln epsilon), is the quantity over that power. Own derivation. On test
cases of uneven coordinates, with factors of 4 in B: half-decades in epsilon keep the learning rate
within 3 % of the truth and within the error stated; whole decades within 20 %, and within the
error stated three times in four.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from scaling_theory.estimate import Estimate
from scaling_theory.interpolation import Array


@dataclass(frozen=True)
class GridQuantity:
    """One quantity over the grid: value and standard error, [number of B, number of epsilon]."""

    value: Array
    standard_error: Array


@dataclass(frozen=True)
class Interpolant:
    """A quantity made ready for one place of the grid; `at` weights its cells.

    field: [n, m], the quantity over its shape, its logarithm where `in_logs`. error: standard
    errors in the same form. shape_here: the shape at the place. samples: draws behind a cell.
    """

    field: Array
    error: Array
    in_logs: bool
    shape_here: float
    samples: int

    def at(self, row: Array, column: Array) -> Estimate:
        """The value with weights [n] over batch sizes and [m] over epsilons.

        Cells share their batches: their errors are added as if fully correlated, a bound.
        """
        inner = float(row @ self.field @ column)
        value = (exp(inner) if self.in_logs else inner) * self.shape_here
        weighted = float(np.abs(row) @ self.error @ np.abs(column))
        unit = abs(value) if self.in_logs else self.shape_here
        return Estimate(value, weighted * unit, self.samples)


def interpolant(
    quantity: GridQuantity,
    epsilons: Array,
    widths: Array,
    power: float,
    epsilon: float,
    width: float,
    samples: int,
) -> Interpolant:
    """Make a quantity that goes as (epsilon^2 + v)^-power ready for the place (width, epsilon).

    epsilons: [m], may hold 0 and infinity (where the quantity counts u times epsilon).
    widths: v at the grid's batch sizes, [n]. width: v at the place.
    """
    shape = _shape(epsilons[None, :], widths[:, None], power)
    residual, error = quantity.value / shape, quantity.standard_error / shape
    # Logarithms follow power laws between nodes, but a measured zero or negative has none.
    in_logs = bool(np.all(residual > 0))
    return Interpolant(
        field=np.log(residual) if in_logs else residual,
        error=error / residual if in_logs else error,
        in_logs=in_logs,
        shape_here=float(_shape(np.array(epsilon), np.array(width), power)),
        samples=samples,
    )


def _shape(epsilon: Array, width: Array, power: float) -> Array:
    finite = np.where(np.isfinite(epsilon), epsilon, 0.0)
    return np.where(np.isfinite(epsilon), (finite**2 + width) ** -power, 1.0)
