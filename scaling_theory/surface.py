"""Measured curvature and descent on a grid of (B, epsilon), and eta_1(B, epsilon) between them.

What is stored per cell (own derivation; arXiv 2405.14578, lemma 1, for the law they enter):
    descent             E[u]^T g
    signal              mu^T H mu
    noise, correlated   Tr(H A Sigma A)/B + sum_i H_ii (V_i - A_i^2 s_i^2)
    noise, independent  sum_i H_ii V_i
with u = x / sqrt(x^2 + epsilon^2), x the gradient of a batch of B sequences. In the column
epsilon = infinity, u is epsilon times that, x itself: g.g, g^T H g and Tr(H Sigma)/B of SGD, whose
learning rate is that of the softsign over epsilon.

Between the cells see `grid_quantity`; noise is interpolated as B times itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, get_args

import numpy as np

from scaling_theory.errors import InputError, require_not_negative, require_positive
from scaling_theory.estimate import Estimate, ratio_estimate, scaled_estimate, sum_estimate
from scaling_theory.grid_quantity import Between, GridQuantity, between
from scaling_theory.interpolation import Array, axis_weights, epsilon_weights
from scaling_theory.law import OptimalStep, optimal_step

Closure = Literal["correlated", "independent"]
CLOSURES: tuple[Closure, ...] = get_args(Closure)


@dataclass(frozen=True)
class SurfacePoint:
    """The quantities at one (B, epsilon).

    Standard errors are of the measurement. interpolation: relative error of descent and absolute
    errors of signal and noise, in that order, that interpolating adds. outside: what lies beyond
    the measured grid, one sentence each; empty inside.
    """

    descent: Estimate
    signal: Estimate
    noise: Estimate
    interpolation: tuple[float, float, float]
    outside: tuple[str, ...]


@dataclass(frozen=True)
class SurfacePrediction:
    """eta_1(B, epsilon): the one-step optimum from the statistics under one noise closure.

    step: learning rate and loss drop with their standard errors.
    interpolation_error: relative error of the learning rate from interpolating, 0 on the grid.
    outside: what lies beyond the grid, one sentence each.
    """

    batch_size: float
    epsilon: float
    closure: Closure
    step: OptimalStep
    interpolation_error: float
    outside: tuple[str, ...]

    def interval(self, standard_errors: float = 1.96) -> tuple[float, float]:
        """Interval of the learning rate: statistical and interpolation errors in quadrature."""
        rate = self.step.learning_rate
        half = standard_errors * np.hypot(
            rate.standard_error, self.interpolation_error * rate.value
        )
        return rate.value - float(half), rate.value + float(half)


@dataclass(frozen=True)
class SurfaceStatistics:
    """The four quantities on a grid, with what scales them.

    batch_sizes: sequences, ascending, [n]. epsilons: unit of a gradient, ascending, [m]; the
    first may be 0 (sign), the last infinite (SGD). rms_gradient, rms_sigma: root mean g^2 and
    sigma^2 per sequence over the coordinates with sigma > 0. samples: draws behind a cell.
    moments: name of the moment variant.
    """

    batch_sizes: Array
    epsilons: Array
    descent: GridQuantity
    signal: GridQuantity
    noise_correlated: GridQuantity
    noise_independent: GridQuantity
    rms_gradient: float
    rms_sigma: float
    samples: int
    moments: str

    def __post_init__(self) -> None:
        require_not_negative(self.rms_gradient, "rms gradient of the statistics", "measure again")
        require_positive(self.rms_sigma, "rms sigma of the statistics", "measure again")
        for name, axis in (("batch sizes", self.batch_sizes), ("epsilons", self.epsilons)):
            if axis.ndim != 1 or not axis.size or np.any(np.diff(axis) <= 0):
                raise InputError(f"{name} of the statistics are {axis}; ascending numbers wanted")
        if not (self.batch_sizes[0] > 0 and np.all(np.isfinite(self.batch_sizes))):
            raise InputError(
                f"batch sizes of the statistics are {self.batch_sizes}; all > 0 wanted"
            )
        if not self.epsilons[0] >= 0:
            raise InputError(f"epsilons of the statistics are {self.epsilons}; all >= 0 wanted")
        shape = (self.batch_sizes.size, self.epsilons.size)
        for name in ("descent", "signal", "noise_correlated", "noise_independent"):
            quantity: GridQuantity = getattr(self, name)
            if quantity.value.shape != shape or quantity.standard_error.shape != shape:
                raise InputError(f"{name} has shape {quantity.value.shape}; {shape} was wanted")
            if not np.all(np.isfinite(quantity.value)) or not np.all(quantity.standard_error >= 0):
                raise InputError(f"{name} has a value that is not a number: measure again")

    def point(self, batch_size: float, epsilon: float, closure: Closure) -> SurfacePoint:
        """The quantities at (B, epsilon), B > 0 in sequences, 0 <= epsilon <= infinity."""
        require_positive(batch_size, "batch size", "give it in sequences")
        if not epsilon >= 0:
            raise InputError(f"epsilon is {epsilon:g}; at least 0 is wanted: 0 means sign")
        rows = axis_weights(np.log(batch_size), np.log(self.batch_sizes))
        columns = epsilon_weights(epsilon, self.epsilons)
        noise = self.noise_correlated if closure == "correlated" else self.noise_independent
        width = self.rms_gradient**2 + self.rms_sigma**2 / self.batch_sizes
        here = self.rms_gradient**2 + self.rms_sigma**2 / batch_size

        def at(quantity: GridQuantity, power: float) -> Between:
            return between(
                quantity, self.epsilons, power, width, rows, columns, here, epsilon, self.samples
            )

        descent, signal = at(self.descent, 0.5), at(self.signal, 1)
        # Noise falls as 1/B where it is linear: B times it is what varies slowly.
        per_batch = self.batch_sizes[:, None]
        scaled = GridQuantity(noise.value * per_batch, noise.standard_error * per_batch)
        times_batch = at(scaled, 1)
        outside = []
        if rows.outside:
            low, high = self.batch_sizes[[0, -1]]
            outside.append(f"batch size {batch_size:g} is outside the measured {low:g} to {high:g}")
        if columns.outside:
            low, high = self.epsilons[[0, -1]]
            outside.append(f"epsilon {epsilon:g} is outside the measured {low:g} to {high:g}")
        if descent.estimate.value == 0:
            relative = inf
        else:
            relative = descent.interpolation_error / abs(descent.estimate.value)
        return SurfacePoint(
            descent=descent.estimate,
            signal=signal.estimate,
            noise=scaled_estimate(times_batch.estimate, 1 / batch_size),
            interpolation=(
                relative,
                signal.interpolation_error,
                times_batch.interpolation_error / batch_size,
            ),
            outside=tuple(outside),
        )

    def eta1(self, batch_size: float, epsilon: float, closure: Closure) -> SurfacePrediction:
        """eta_1(B, epsilon) = E[u]^T g / E[u^T H u] by the one law in `scaling_theory.law`.

        Raises its `NoMinimum` where the curvature along the update is not positive.
        """
        point = self.point(batch_size, epsilon, closure)
        curvature = sum_estimate((point.signal, point.noise))
        step = optimal_step(point.descent, curvature)
        relative, s_error, n_error = point.interpolation
        error = relative + (s_error + n_error) / curvature.value
        return SurfacePrediction(
            float(batch_size), float(epsilon), closure, step, error, point.outside
        )


def eta1_ratio(new: SurfacePrediction, old: SurfacePrediction) -> tuple[Estimate, float]:
    """eta_1 at `new` over eta_1 at `old`, and the relative interpolation error of the ratio.

    The two are taken as independent, which overstates the error: cells share their batches.
    """
    if not isfinite(new.epsilon) and isfinite(old.epsilon):
        raise InputError("epsilon is infinite at one end only: learning rates have two units")
    if (new.batch_size, new.epsilon) == (old.batch_size, old.epsilon):
        return Estimate(1.0, 0.0, 0), 0.0
    ratio = ratio_estimate(new.step.learning_rate, old.step.learning_rate)
    return ratio, new.interpolation_error + old.interpolation_error
