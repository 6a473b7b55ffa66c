"""Filling the (B, epsilon) grid of `SurfaceStatistics` from a checkpoint's gradient statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, sqrt

import numpy as np

from scaling_theory.curvature import CurvatureEstimate, QuadraticForm
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.noise import CLOSURES
from scaling_theory.statistics import GradientStatistics
from scaling_theory.surface import SurfaceStatistics
from scaling_theory.updates import UPDATE_RULES


def measure_surface(
    statistics: GradientStatistics,
    batch_sizes: Sequence[float],
    epsilons: Sequence[float],
    quadratic_form: QuadraticForm,
    probes: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    *,
    variant: str = "exact",
    on_cell: Callable[[float, float], None] = lambda batch, epsilon: None,
) -> SurfaceStatistics:
    """Both noise closures at every cell, with the same probes in all of them.

    batch_sizes: sequences. epsilons: 0 for sign, infinity for SGD. probes: z [n, P] with
    E[z z^T] = 1 (random signs); sharing them makes the surface smooth in B and epsilon.
    on_cell: called before each cell, for progress. One cell costs K + 2 n + 2 directional
    curvatures, K the number of deviations. Raises InputError if sigma = 0 everywhere.
    """
    if not statistics.rms_sigma > 0:
        raise InputError("sigma is 0 in every coordinate: sequences that differ are wanted")
    noisy = statistics.variance > 0
    gradient = statistics.gradient.astype(np.float64)[noisy]
    axis_b = np.array(sorted(set(map(float, batch_sizes))))
    axis_e = np.array(sorted(set(map(float, epsilons))))
    cells: dict[str, list[CurvatureEstimate]] = {"correlated": [], "independent": []}
    for batch in axis_b:
        for epsilon in axis_e:
            on_cell(float(batch), float(epsilon))
            rule = UPDATE_RULES["softsignsgd" if isfinite(epsilon) else "sgd"]
            for closure, found in cells.items():
                found.append(
                    CLOSURES[closure](
                        statistics,
                        float(batch),
                        float(epsilon) if isfinite(epsilon) else 0.0,
                        quadratic_form,
                        variant=variant,
                        rule=rule,
                        probes=probes,
                    )
                )

    def grid(estimates: list[Estimate]) -> GridQuantity:
        shape = (axis_b.size, axis_e.size)
        values = np.array([estimate.value for estimate in estimates]).reshape(shape)
        errors = np.array([estimate.standard_error for estimate in estimates]).reshape(shape)
        return GridQuantity(values, errors)

    return SurfaceStatistics(
        batch_sizes=axis_b,
        epsilons=axis_e,
        descent=grid([cell.descent for cell in cells["correlated"]]),
        signal=grid([cell.signal for cell in cells["correlated"]]),
        noise_correlated=grid([cell.noise for cell in cells["correlated"]]),
        noise_independent=grid([cell.noise for cell in cells["independent"]]),
        rms_gradient=sqrt(float(np.mean(gradient**2))),
        rms_sigma=statistics.rms_sigma,
        samples=len(statistics.deviations),
        moments=variant,
    )
