"""The spectrum that a run meets: of A^1/2 H A^1/2, seen from the gradient and from the noise.

u = A g + noise to first order (A the gain of the update, diagonal), so that a step moves theta by
-eta A (H theta + ...) and in the coordinates A^-1/2 theta the Hessian is M = A^1/2 H A^1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.directional import hessian_vector_at
from empirical.measure.point import Point
from scaling_theory.spectral_measure import (
    FloatArray,
    SpectralMeasure,
    lanczos_measure,
    pooled_measure,
)


@dataclass(frozen=True, eq=False)
class RunSpectrum:
    """Measures under M = A^1/2 H A^1/2 at one batch size and epsilon.

    signal: of A^-1/2 mu with mu = E[u]; total weight mu^T A^-1 mu. noise: of A^-1/2 (u - mu),
    pooled over draws of u. largest: the largest node of any, a lower bound of lambda_max(M).
    """

    signal: SpectralMeasure
    noise: SpectralMeasure

    @property
    def largest(self) -> float:
        """Lower bound of the largest eigenvalue of M."""
        return max(self.signal.largest, self.noise.largest)


def run_spectrum(
    at: Point,
    gain: Tensor,
    mean: Tensor,
    noises: Sequence[Tensor],
    *,
    steps: int,
    indices: Tensor | None = None,
) -> RunSpectrum:
    """The spectrum at a point for an update of this gain A [P], mean mu [P] and draws of noise.

    Coordinates of gain 0 never move and are left out. Each Lanczos step is one Hessian-vector
    product over `indices` (None: the pool), two gradients of it.
    """
    moving = gain > 0
    if not bool(moving.any()) or bool((gain < 0).any()):
        raise UsageError("the gain of the update is 0 or negative: give one above 0 somewhere")
    root = gain.double().clamp_min(0).sqrt()
    inverse = torch.where(moving, 1 / root.where(moving, torch.ones_like(root)), 0.0)

    def product(vector: FloatArray) -> FloatArray:
        direction = root * torch.from_numpy(vector).to(root)
        image = hessian_vector_at(at, direction.to(at.problem.point), indices)
        found: FloatArray = (root * image.double()).cpu().numpy()
        return found

    def measure(vector: Tensor) -> SpectralMeasure:
        start: FloatArray = (inverse * vector.double()).cpu().numpy()
        if not np.any(start):
            return SpectralMeasure(np.zeros(1), np.zeros(1))
        return lanczos_measure(product, start, steps)

    return RunSpectrum(measure(mean), pooled_measure(tuple(measure(noise) for noise in noises)))
