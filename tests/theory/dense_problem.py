"""A small problem with everything known: dense Hessian, dense noise covariance, gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scaling_theory.statistics import GradientStatistics

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DenseProblem:
    """gradient [P], hessian [P, P], root [P, P] with covariance = root root^T per sequence."""

    gradient: Array
    hessian: Array
    root: Array

    @property
    def covariance(self) -> Array:
        return self.root @ self.root.T

    def form(self, directions: Array, /) -> Array:
        """v^T H v for each row."""
        return np.asarray(np.einsum("ni,ij,nj->n", directions, self.hessian, directions))

    def noise(self, count: int, rng: np.random.Generator) -> Array:
        """Deviations of single sequences, normal [count, P]."""
        return rng.standard_normal((count, self.gradient.size)) @ self.root.T

    def statistics(
        self, deviations: Array | None = None, micro_batch: int = 1
    ) -> GradientStatistics:
        """With the deviations given, or with P rows whose mean outer product is Sigma / b."""
        size = self.gradient.size
        rows = np.sqrt(size / micro_batch) * self.root.T if deviations is None else deviations
        variance = np.diag(self.covariance).copy()
        return GradientStatistics(self.gradient, variance, rows, micro_batch, 1_000_000)

    @property
    def unit_probes(self) -> Array:
        """sqrt(P) times the unit vectors: probes that make a diagonal sum exact."""
        return np.diag(np.full(self.gradient.size, np.sqrt(self.gradient.size)))

    def simulated(
        self, batch_size: float, epsilon: float, draws: int, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """u^T H u and u^T g [draws] of Gaussian batches, drawn from the covariance itself."""
        x = self.gradient + self.noise(draws, rng) / np.sqrt(batch_size)
        root = np.sqrt(x**2 + epsilon**2)
        return self.form(x / root), (x / root) @ self.gradient


def problem(alignment: float, size: int = 12, seed: int = 0) -> DenseProblem:
    """Noise covariance alignment * H + (a diagonal): 0 is independent noise."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, size // 2)) / np.sqrt(size)
    hessian = factor @ factor.T + 0.05 * np.eye(size)
    spread = np.diag(rng.uniform(0.05, 0.4, size))
    root = np.linalg.cholesky(alignment * hessian + spread)
    return DenseProblem(0.3 * rng.normal(size=size), hessian, root)
