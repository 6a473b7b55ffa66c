"""A small exact checkpoint: correlated noise, uneven sigma, statistics free of sampling error."""

from __future__ import annotations

from functools import cache
from math import inf

import numpy as np
from numpy.typing import NDArray

from empirical.statistics_files import SavedStatistics
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.estimate import exact_estimate
from scaling_theory.statistics import GradientStatistics
from scaling_theory.surface import SurfaceStatistics
from scaling_theory.surface_grid import measure_surface

Array = NDArray[np.float64]
SIZE = 40
BATCHES = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)


def checkpoint(seed: int = 0) -> tuple[GradientStatistics, Array]:
    """Statistics and Hessian [P, P]; the deviations reproduce Sigma exactly (b = 1)."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((SIZE, SIZE)))[0]
    hessian = rotation @ np.diag(np.geomspace(0.02, 3.0, SIZE)) @ rotation.T
    scale = np.exp(0.7 * rng.standard_normal(SIZE))
    covariance = scale[:, None] * (0.3 * hessian + 0.5 * np.eye(SIZE)) * scale[None, :]
    root = np.linalg.cholesky(covariance)
    statistics = GradientStatistics(
        gradient=0.15 * rng.standard_normal(SIZE) * scale,
        variance=np.diag(covariance).copy(),
        deviations=np.sqrt(SIZE) * root.T,
        micro_batch=1,
        sequences=1 << 20,
    )
    return statistics, hessian


@cache
def surface(
    epsilons: tuple[float, ...] = (0.0, 0.01, 0.1, 1.0, 10.0, inf),
    batches: tuple[float, ...] = BATCHES,
    seed: int = 0,
) -> SurfaceStatistics:
    """The surface of `checkpoint`, exact probes; epsilons in units of its rms sigma."""
    statistics, hessian = checkpoint(seed)
    scaled = [epsilon * statistics.rms_sigma for epsilon in epsilons]

    def form(directions: Array) -> Array:
        return np.asarray(np.einsum("ni,ij,nj->n", directions, hessian, directions), float)

    probes = np.sqrt(SIZE) * np.eye(SIZE)
    return measure_surface(statistics, batches, scaled, form, probes)


@cache
def saved(seed: int = 0) -> SavedStatistics:
    """`checkpoint` as it would lie on disk, scalars exact; sequences of 64 tokens."""
    statistics, hessian = checkpoint(seed)
    g = statistics.gradient
    covariance = statistics.deviations.T @ statistics.deviations / SIZE
    scalars = CheckpointScalars(
        parameters=SIZE,
        pool_sequences=statistics.sequences,
        sequence_length=64,
        gradient_norm_squared=exact_estimate(float(g @ g)),
        trace_covariance=exact_estimate(float(np.trace(covariance))),
        trace_hessian=exact_estimate(float(np.trace(hessian))),
        gradient_curvature=exact_estimate(float(g @ hessian @ g)),
        sign_curvature=exact_estimate(float(np.sign(g) @ hessian @ np.sign(g))),
        hessian_noise=exact_estimate(float(np.trace(hessian @ covariance))),
        excess_kurtosis=2.0,
    )
    grid = surface((0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, inf), seed=seed)
    return SavedStatistics(scalars, grid, {"model": "noisy quadratic", "seed": seed})
