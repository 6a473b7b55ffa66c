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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import numpy as np

from scaling_theory.errors import InputError, require_not_negative, require_positive
from scaling_theory.estimate import Estimate, ratio_estimate, scaled_estimate, sum_estimate
from scaling_theory.grid_quantity import GridQuantity, Interpolant, interpolant
from scaling_theory.interpolation import Array, axis_weights, epsilon_weights
from scaling_theory.law import OptimalStep, optimal_step

Closure = Literal["correlated", "independent"]
CLOSURES: tuple[Closure, ...] = get_args(Closure)


@dataclass(frozen=True, eq=False)
class SurfacePrediction:
    """eta_1(B, epsilon): the one-step optimum from the statistics under one noise closure.

    step: learning rate and loss drop with their standard errors.
    strays: how far rival interpolations over batch sizes, and over epsilons, stray in descent,
    signal and noise, as relative changes of the learning rate, [rivals, 3] each. outside: what
    lies beyond the grid, one sentence each.
    """

    batch_size: float
    epsilon: float
    closure: Closure
    step: OptimalStep
    strays: tuple[Array, Array]
    outside: tuple[str, ...]

    @property
    def interpolation_error(self) -> float:
        """Relative error of the learning rate from interpolating; 0 on the grid."""
        return _astray(self.strays[0]) + _astray(self.strays[1])

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

    def eta1(self, batch_size: float, epsilon: float, closure: Closure) -> SurfacePrediction:
        """eta_1(B, epsilon) = E[u]^T g / E[u^T H u] by the one law in `scaling_theory.law`.

        B > 0 in sequences, 0 <= epsilon <= infinity. Raises the law's `NoOptimalStep` where the
        curvature along the update, or the descent, is not positive.
        """
        require_positive(batch_size, "batch size", "give it in sequences")
        if not epsilon >= 0:
            raise InputError(f"epsilon is {epsilon:g}; at least 0 is wanted: 0 means sign")
        rows = axis_weights(np.log(batch_size), np.log(self.batch_sizes))
        columns = epsilon_weights(epsilon, self.epsilons)
        parts = self._terms(batch_size, epsilon, closure)
        best = parts(rows.best, columns.best)
        step = optimal_step(best[0], sum_estimate(best[1:]))
        curvature = best[1].value + best[2].value

        def strays(rivals: list[tuple[Estimate, Estimate, Estimate]]) -> Array:
            moved = [[e.value - b.value for e, b in zip(r, best, strict=True)] for r in rivals]
            unit = np.array([best[0].value, -curvature, -curvature])
            table: Array = np.array(moved, dtype=np.float64).reshape(len(rivals), 3) / unit
            return table

        return SurfacePrediction(
            batch_size=float(batch_size),
            epsilon=float(epsilon),
            closure=closure,
            step=step,
            strays=(
                strays([parts(row, columns.best) for row in rows.rivals]),
                strays([parts(rows.best, column) for column in columns.rivals]),
            ),
            outside=tuple(self._outside(batch_size, epsilon, rows.outside, columns.outside)),
        )

    def terms(
        self, batch_size: float, epsilon: float, closure: Closure
    ) -> tuple[Estimate, Estimate, Estimate]:
        """E[u]^T g, mu^T H mu and Tr(H Cov u) there, interpolated where it is no node."""
        row = axis_weights(np.log(batch_size), np.log(self.batch_sizes)).best
        column = epsilon_weights(epsilon, self.epsilons).best
        return self._terms(batch_size, epsilon, closure)(row, column)

    def _terms(
        self, batch_size: float, epsilon: float, closure: Closure
    ) -> Callable[[Array, Array], tuple[Estimate, Estimate, Estimate]]:
        """The three terms as a function of the weights of the nodes in each direction."""
        descent, signal, noise = self._interpolants(batch_size, epsilon, closure)

        def at(row: Array, column: Array) -> tuple[Estimate, Estimate, Estimate]:
            # Noise falls as 1/B where it is linear: B times it is what varies slowly.
            scaled = scaled_estimate(noise.at(row, column), 1 / batch_size)
            return descent.at(row, column), signal.at(row, column), scaled

        return at

    def _interpolants(
        self, batch_size: float, epsilon: float, closure: Closure
    ) -> tuple[Interpolant, Interpolant, Interpolant]:
        widths = self.rms_gradient**2 + self.rms_sigma**2 / self.batch_sizes
        width = self.rms_gradient**2 + self.rms_sigma**2 / batch_size
        noise = self.noise_correlated if closure == "correlated" else self.noise_independent
        per_batch = self.batch_sizes[:, None]
        scaled = GridQuantity(noise.value * per_batch, noise.standard_error * per_batch)

        def ready(quantity: GridQuantity, power: float) -> Interpolant:
            return interpolant(quantity, self.epsilons, widths, power, epsilon, width, self.samples)

        return ready(self.descent, 0.5), ready(self.signal, 1.0), ready(scaled, 1.0)

    def _outside(
        self, batch_size: float, epsilon: float, batch_outside: bool, epsilon_outside: bool
    ) -> Iterator[str]:
        for name, value, axis, beyond in (
            ("batch size", batch_size, self.batch_sizes, batch_outside),
            ("epsilon", epsilon, self.epsilons, epsilon_outside),
        ):
            if beyond:
                yield f"{name} {value:g} is outside the measured {axis[0]:g} to {axis[-1]:g}"


def eta1_ratio(new: SurfacePrediction, old: SurfacePrediction) -> tuple[Estimate, float]:
    """eta_1 at `new` over eta_1 at `old`, and the relative interpolation error of the ratio.

    The standard errors are taken as independent, which overstates them: cells share their
    batches. At one epsilon both ends are interpolated alike in epsilon, and a rival is one for
    both.
    """
    if not isfinite(new.epsilon) and isfinite(old.epsilon):
        raise InputError("epsilon is infinite at one end only: learning rates have two units")
    if (new.batch_size, new.epsilon) == (old.batch_size, old.epsilon):
        return Estimate(1.0, 0.0, 0), 0.0
    ratio = ratio_estimate(new.step.learning_rate, old.step.learning_rate)
    if new.epsilon != old.epsilon:
        return ratio, new.interpolation_error + old.interpolation_error
    over_batches = _astray(new.strays[0]) + _astray(old.strays[0])
    return ratio, over_batches + _astray(new.strays[1] - old.strays[1])


def _astray(strays: Array) -> float:
    """The worst rival; its three changes are added in size, as the truth need not cancel them."""
    return float(np.abs(strays).sum(axis=1).max(initial=0.0))
