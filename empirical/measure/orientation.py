"""Scalars of the curvature at a checkpoint: traces, and curvature along the gradient and its sign.

They decide nothing by themselves; laws with one number for all noise are fed with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.measure.curvature import (
    Surroundings,
    curvature_samples,
    second_differences,
    steps_along,
)
from empirical.measure.effort import Effort
from empirical.measure.statistics import PoolStatistics
from empirical.train.randomness import private_generator
from scaling_theory.estimate import Estimate, exact_estimate, mean_estimate, scaled_estimate
from scaling_theory.statistics import GradientStatistics


@dataclass(frozen=True)
class Orientation:
    """Curvature scalars, with the standard errors of the sequences and directions sampled.

    Attributes:
        trace: T = tr H, over all coordinates.
        along_gradient: g^T H g.
        along_sign: sign(g)^T H sign(g).
        noise: Tr(H Sigma) per sequence, by deviations.
        diagonal_noise: sum_i H_ii sigma_i^2 per sequence: what noise would be if independent.
    """

    trace: Estimate
    along_gradient: Estimate
    along_sign: Estimate
    noise: Estimate
    diagonal_noise: Estimate


def orient(
    around: Surroundings,
    pool: PoolStatistics,
    statistics: GradientStatistics,
    effort: Effort,
    seed: int,
) -> Orientation:
    """Measure the scalars: two curvatures on the whole pool, and a few hundred on parts of it."""
    rng = private_generator(seed, "orientation")
    point = around.landscape.point

    def over(directions: Tensor) -> Estimate:
        on_device = directions.to(dtype=point.dtype, device=point.device)
        samples = curvature_samples(around, on_device, subset=effort.subset, rng=rng)
        return mean_estimate(samples.numpy())

    signs = 2 * torch.randint(
        0, 2, (4 * effort.probes, len(point)), generator=rng, dtype=torch.int8, device=rng.device
    )
    signs = (signs - 1).to(dtype=point.dtype, device=point.device)
    deviations = torch.tensor(np.asarray(statistics.deviations))
    return Orientation(
        trace=over(signs),
        along_gradient=_along(around, pool.gradient),
        along_sign=_along(around, pool.gradient.sign()),
        noise=scaled_estimate(over(deviations), statistics.micro_batch),
        diagonal_noise=over(signs[: effort.probes] * pool.variance.sqrt()),
    )


def _along(around: Surroundings, direction: Tensor) -> Estimate:
    """v^T H v over the pool, with the standard error of its sequences."""
    if not direction.any():
        return exact_estimate(0.0)
    step = steps_along(around, direction[None])[0]
    return mean_estimate(second_differences(around, direction, step).cpu().numpy())
