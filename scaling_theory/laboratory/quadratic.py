"""A quadratic loss whose gradient noise is known exactly: the ground truth of every law.

L(theta) = 1/2 (theta - optimum)^T H (theta - optimum). The gradient of one sequence is
H (theta - optimum) + n with n ~ N(0, Sigma), independent between sequences, so a batch of B
sequences has covariance Sigma / B (the noisy quadratic model, arXiv 1907.04164, with any Sigma).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaling_theory.errors import InputError, require_positive

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NoisyQuadratic:
    """A noisy quadratic at one point.

    hessian: [P] (diagonal, on the axes) or [P, P] symmetric; it may be indefinite, in which case a
        step along some direction has no minimum and the law says so.
    noise: covariance Sigma of one sequence's gradient, [P] (diagonal) or [P, P], positive
        semi-definite.
    theta, optimum: [P].

    Raises InputError when shapes disagree, entries are not finite, a matrix is not symmetric or
    the covariance is not positive semi-definite.
    """

    hessian: FloatArray
    noise: FloatArray
    theta: FloatArray
    optimum: FloatArray

    def __post_init__(self) -> None:
        for name in ("hessian", "noise", "theta", "optimum"):
            array = np.array(getattr(self, name), dtype=np.float64)
            if not np.all(np.isfinite(array)):
                raise InputError(f"{name} has entries that are not finite; give finite numbers")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        size = self.theta.size
        if self.theta.shape != (size,) or self.optimum.shape != (size,) or size == 0:
            raise InputError(
                f"theta {self.theta.shape} and optimum {self.optimum.shape}: "
                "wanted two vectors of one length"
            )
        for name in ("hessian", "noise"):
            array = getattr(self, name)
            if array.shape not in ((size,), (size, size)):
                raise InputError(f"{name} has shape {array.shape}; wanted [{size}] or its square")
            if array.ndim == 2 and not np.allclose(array, array.T, rtol=1e-10, atol=0.0):
                raise InputError(f"{name} is not symmetric; give (M + M.T) / 2")
        lowest = float(
            self.noise.min() if self.noise.ndim == 1 else np.linalg.eigvalsh(self.noise)[0]
        )
        # eigvalsh is exact to a few ulps of the largest entry: below that, zero is zero.
        if lowest < -1e-10 * float(np.abs(self.noise).max()):
            raise InputError(
                f"noise has eigenvalue {lowest:.3g}; wanted a covariance (none below 0)"
            )

    @property
    def size(self) -> int:
        """Number of coordinates P."""
        return int(self.theta.size)

    @property
    def gradient(self) -> FloatArray:
        """g = H (theta - optimum), [P]."""
        return self.hessian_product(self.theta - self.optimum)

    @property
    def variance(self) -> FloatArray:
        """Per-sequence noise variance sigma_i^2 of each coordinate, [P]."""
        return self.noise if self.noise.ndim == 1 else np.diagonal(self.noise)

    @property
    def trace(self) -> float:
        """Tr H."""
        return float(np.sum(self.hessian if self.hessian.ndim == 1 else np.diagonal(self.hessian)))

    @property
    def hessian_matrix(self) -> FloatArray:
        """H as a dense [P, P] array."""
        return np.diag(self.hessian) if self.hessian.ndim == 1 else self.hessian

    @property
    def noise_matrix(self) -> FloatArray:
        """Sigma as a dense [P, P] array, per sequence."""
        return np.diag(self.noise) if self.noise.ndim == 1 else self.noise

    @cached_property
    def correlation(self) -> FloatArray:
        """Noise correlation matrix R, [P, P]; a coordinate without noise has none with others."""
        deviation = np.sqrt(self.variance)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        matrix = np.clip(scale[:, None] * self.noise_matrix * scale[None, :], -1.0, 1.0)
        np.fill_diagonal(matrix, 1.0)
        return matrix

    @cached_property
    def noise_factor(self) -> FloatArray:
        """F with F F^T = Sigma: [P] (its diagonal) or [P, P] (the symmetric root)."""
        if self.noise.ndim == 1:
            return as_array(np.sqrt(self.noise))
        values, vectors = np.linalg.eigh(self.noise)
        return as_array((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)

    def hessian_product(self, directions: FloatArray) -> FloatArray:
        """H v for every v in the last axis of `directions`, [..., P]."""
        if self.hessian.ndim == 1:
            return as_array(directions * self.hessian)
        return as_array(directions @ self.hessian)

    def curvature(self, directions: FloatArray) -> FloatArray:
        """v^T H v for every v in the last axis of `directions`, [...]."""
        return as_array(np.einsum("...p,...p->...", directions, self.hessian_product(directions)))

    def __call__(self, directions: FloatArray) -> FloatArray:
        """The curvature of directions [n, P], so that a problem is itself a quadratic form."""
        return self.curvature(directions)

    def excess_loss(self, theta: FloatArray) -> FloatArray:
        """L(theta) - L(optimum) for every theta in the last axis, [...]."""
        return 0.5 * self.curvature(theta - self.optimum)

    def noise_draws(self, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
        """Independent draws of one sequence's gradient noise, [*shape, P]."""
        normal = rng.standard_normal((*shape, self.size))
        factor = self.noise_factor
        return as_array(normal * factor if factor.ndim == 1 else normal @ factor)

    def batch_gradients(
        self, batch_size: float, count: int, rng: np.random.Generator
    ) -> FloatArray:
        """`count` independent gradients of batches of `batch_size` sequences, [count, P]."""
        check_batch_size(batch_size)
        return as_array(self.gradient + self.noise_draws((count,), rng) / np.sqrt(batch_size))


def check_batch_size(batch_size: float) -> None:
    """Raise InputError unless the batch size (sequences, may be fractional) is positive."""
    require_positive(batch_size, "batch size", "give sequences; a fraction is allowed")


def as_array(values: ArrayLike) -> FloatArray:
    """`values` as float64, not copied where it is so already."""
    return np.asarray(values, dtype=np.float64)
