"""The statistics of a study in the form that `predict`, `surge` and `audit-eps` read."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from empirical.measure.study import Cell, Study
from empirical.statistics_files import SavedStatistics, Vectors
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.estimate import Estimate, exact_estimate, scaled_estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.surface import SurfaceStatistics


def saved_statistics(study: Study, context: int, provenance: dict[str, object]) -> SavedStatistics:
    """Numbers of a studied checkpoint: scalars, and the surface over (B, epsilon).

    The column epsilon = infinity is plain SGD, see `scaling_theory.surface`.
    """
    pool, orientation = study.pool, study.orientation
    epsilons = sorted({cell.epsilon for cell in study.cells})
    gradient = pool.gradient[pool.variance > 0].double()
    norm = exact_estimate(float(pool.gradient.double().square().sum()))

    def grid(part: Callable[[Cell], Estimate], sgd: Callable[[int], Estimate]) -> GridQuantity:
        found = {(cell.batch_size, cell.epsilon): part(cell) for cell in study.cells}
        table = [
            [*(found[batch_size, epsilon] for epsilon in epsilons), sgd(batch_size)]
            for batch_size in study.batch_sizes
        ]
        return GridQuantity(
            np.array([[estimate.value for estimate in row] for row in table]),
            np.array([[estimate.standard_error for estimate in row] for row in table]),
        )

    surface = SurfaceStatistics(
        batch_sizes=np.array(study.batch_sizes, dtype=np.float64),
        epsilons=np.array([*epsilons, inf]),
        descent=grid(lambda cell: cell.predictions["correlated"].descent, lambda _: norm),
        signal=grid(
            lambda cell: cell.predictions["correlated"].signal,
            lambda _: orientation.along_gradient,
        ),
        noise_correlated=grid(
            lambda cell: cell.predictions["correlated"].noise,
            lambda batch_size: scaled_estimate(orientation.noise, 1 / batch_size),
        ),
        noise_independent=grid(
            lambda cell: cell.predictions["independent"].noise,
            lambda batch_size: scaled_estimate(orientation.diagonal_noise, 1 / batch_size),
        ),
        rms_gradient=float(gradient.square().mean().sqrt()),
        rms_sigma=pool.rms_sigma,
        samples=orientation.noise.samples,
        moments="exact",
    )
    scalars = CheckpointScalars(
        parameters=len(pool.gradient),
        pool_sequences=pool.sequences,
        sequence_length=context,
        gradient_norm_squared=pool.gradient_norm_squared,
        trace_covariance=pool.trace_covariance,
        trace_hessian=orientation.trace,
        gradient_curvature=orientation.along_gradient,
        sign_curvature=orientation.along_sign,
        hessian_noise=orientation.noise,
        excess_kurtosis=pool.excess_kurtosis,
    )
    return SavedStatistics(scalars, surface, provenance)


def vectors_of(study: Study) -> Vectors:
    """Gradient and sigma per coordinate."""
    pool = study.pool
    return Vectors(pool.gradient.cpu().numpy(), pool.variance.sqrt().cpu().numpy())
