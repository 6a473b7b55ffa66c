"""Where the optimal learning rate falls at large batches: eta*(B) over its large-B value.

The verdict at each epsilon is the operational one of `surge`; the ridge is the batch size of the
peak, as far as there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from scaling_theory.dimensionless import DimensionlessNetwork
from scaling_theory.errors import InputError
from scaling_theory.law import NoOptimalStep
from scaling_theory.surface import Closure, SurfaceStatistics
from scaling_theory.surge_curve import SurgeCurve, judged_curve

Array = NDArray[np.float64]

POINTS = 121
"""Batch sizes of a curve."""


@dataclass(frozen=True)
class SurgeMap:
    """Curves at several epsilons over the same batch sizes.

    epsilon_unit: what epsilon is counted in. sigma: rms sigma of one sequence in that unit.
    reference: what the ratio is over. source: what made the numbers. measured_batches,
    measured_epsilons: the measured grid, empty for a model. vanishes_at: the epsilon at which the
    surge ends, where it was solved for.
    """

    curves: tuple[SurgeCurve, ...]
    epsilon_unit: str
    sigma: float
    reference: str
    source: str
    measured_batches: tuple[float, ...] = ()
    measured_epsilons: tuple[float, ...] = ()
    vanishes_at: float | None = None

    @property
    def vanishes_between(self) -> tuple[float, float] | None:
        """The last epsilon with a surge and the next without; None if there is no such pair."""
        outcomes = [
            (curve.epsilon, curve.verdict.outcome.value) for curve in self.curves if curve.verdict
        ]
        for (low, first), (high, second) in reversed(list(pairwise(outcomes))):
            if first == "yes" and second == "no":
                return low, high
        return None


def map_of_network(
    network: DimensionlessNetwork,
    epsilons: Sequence[float],
    rng: np.random.Generator,
    points: int = POINTS,
) -> SurgeMap:
    """From four pure numbers: epsilon in units of sigma, B from one sequence to 10^4 B_simple."""
    batches = _model_batches(network, points)
    curves = []
    for epsilon in epsilons:
        rates = network.learning_rates([*batches, inf], epsilon)
        curves.append(judged_curve(epsilon, batches, rates[:-1], np.zeros(points), rates[-1], rng))
    source = (
        f"signal-to-noise {network.signal_to_noise:.3g}, Q/T {network.curvature_ratio:.3g}, "
        f"noise correlation {network.noise_correlation:.3g}"
    )
    return SurgeMap(tuple(curves), "sigma", 1.0, "its value at infinite batch", source)


def map_of_surface(
    surface: SurfaceStatistics,
    closure: Closure,
    epsilons: Sequence[float],
    rng: np.random.Generator,
    points: int = POINTS,
) -> SurgeMap:
    """From measured statistics; the large-B value is that at the largest measured batch size.

    The verdict is judged at the measured batch sizes, the curve drawn between them.
    """
    measured = surface.batch_sizes
    if measured.size < 3:
        raise InputError(
            f"the statistics hold {measured.size} batch sizes; at least 3 are wanted for a surge "
            "verdict: measure at more"
        )
    each = max(points // (measured.size - 1), 2)
    parts = [np.geomspace(low, high, each, endpoint=False) for low, high in pairwise(measured)]
    # Of the measured sizes themselves, not of their rounded logarithms: they are looked up below.
    for part, low in zip(parts, measured, strict=False):
        part[0] = low
    batches = np.concatenate([*parts, measured[-1:]])
    curves = []
    for epsilon in epsilons:
        rates, errors = np.full(batches.shape, np.nan), np.zeros(batches.shape)
        status = ""
        for i, batch in enumerate(batches):
            try:
                found = surface.eta1(float(batch), epsilon, closure)
            except NoOptimalStep as failure:
                status = f"{failure} (batch size {batch:.4g})"
                continue
            rates[i] = found.step.learning_rate.value
            relative = found.interpolation_error * rates[i]
            errors[i] = np.hypot(found.step.learning_rate.standard_error, relative)
        judged = np.isin(batches, measured)
        curves.append(judged_curve(epsilon, batches, rates, errors, rates[-1], rng, judged, status))
    return SurgeMap(
        curves=tuple(curves),
        epsilon_unit="gradient",
        sigma=surface.rms_sigma,
        reference=f"its value at {measured[-1]:g} sequences, the largest measured",
        source=f"measured statistics, {closure} noise",
        measured_batches=tuple(measured.tolist()),
        measured_epsilons=tuple(surface.epsilons.tolist()),
    )


def vanishing_epsilon(
    network: DimensionlessNetwork, low: float, high: float, margin: float, steps: int = 30
) -> float:
    """The epsilon between `low` (surge) and `high` (none) where the peak is 1 + margin.

    Judged as `map_of_network` does, over the largest batch. Bisection in ln epsilon: the relative
    error is (high/low)^(2^-steps) - 1. Raises `InputError` if no surge ends between the two.
    """
    batches = _model_batches(network, POINTS)

    def surges(epsilon: float) -> bool:
        rates = network.learning_rates(batches.tolist(), epsilon)
        return bool(np.nanmax(rates) > (1 + margin) * rates[-1])

    if not surges(low) or surges(high):
        raise InputError(f"no surge ends between epsilon {low:g} and {high:g}: give a wider range")
    for _ in range(steps):
        middle = sqrt(low * high)
        low, high = (middle, high) if surges(middle) else (low, middle)
    return sqrt(low * high)


def _model_batches(network: DimensionlessNetwork, points: int) -> Array:
    return np.geomspace(1.0, 1e4 * max(network.simple_batch, 1.0), points)
