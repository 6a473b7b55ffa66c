"""Exact second moments of SGD and momentum SGD over many steps on a noisy quadratic.

Convention (an average, not a heavy ball): m <- beta_1 m + (1 - beta_1) g~_B,
theta <- theta - eta m, with m = 0 at the start and no bias correction; beta_1 = 0 is SGD. The
recursion is linear, so mean and covariance close exactly, and the expected loss needs one 2 x 2
second moment per eigenvector of H: correlations between eigenvectors never enter it
(arXiv 1907.04164 for beta_1 = 0; own derivation for the rest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_theory.errors import InputError, require_decay
from scaling_theory.laboratory.quadratic import FloatArray, NoisyQuadratic, check_batch_size


@dataclass(frozen=True, eq=False)
class TrajectoryMoments:
    """Mean [P] and covariance [P, P] of theta after `steps` steps."""

    mean: FloatArray
    covariance: FloatArray
    steps: int


def expected_excess_loss(
    problem: NoisyQuadratic,
    learning_rates: FloatArray,
    *,
    batch_size: float,
    steps: int,
    beta1: float = 0.0,
) -> FloatArray:
    """E[L(theta_S)] - L(optimum) at every learning rate, [R]; infinite where it overflows.

    Exact for any S: the affine map of (E e^2, E e m, E m^2) of each eigenvector is raised to the
    power S by squaring. steps = 0 gives the loss at the start.
    """
    check_run(batch_size, steps, beta1)
    learning_rates = np.atleast_1d(np.asarray(learning_rates, dtype=np.float64))
    curvatures, vectors = _eigenvectors(problem)
    start = problem.theta - problem.optimum
    if vectors is None:
        noise = problem.variance
    else:
        start = start @ vectors
        noise = np.einsum("ik,ij,jk->k", vectors, problem.noise_matrix, vectors)
    step = _moment_map(curvatures, noise / batch_size, learning_rates[:, None], beta1)
    with np.errstate(over="ignore", invalid="ignore"):
        after = np.linalg.matrix_power(step, steps)
        square = after[..., 0, 0] * start**2 + after[..., 0, 3]
        loss = 0.5 * np.sum(curvatures * square, axis=-1)
    return np.where(np.isfinite(loss), loss, np.inf)


def _eigenvectors(problem: NoisyQuadratic) -> tuple[FloatArray, FloatArray | None]:
    """Eigenvalues [P] of H and its eigenvectors in columns (None: the coordinate axes)."""
    if problem.hessian.ndim == 1:
        return problem.hessian, None
    values, vectors = np.linalg.eigh(problem.hessian)
    return values, vectors


def _moment_map(
    curvature: FloatArray, noise: FloatArray, learning_rate: FloatArray, beta1: float
) -> FloatArray:
    """The map of (E e^2, E e m, E m^2, 1) over one step, [R, P, 4, 4]; noise is that of a batch."""
    curvature, noise, learning_rate = np.broadcast_arrays(curvature, noise, learning_rate)
    fresh = 1.0 - beta1
    a, b = 1.0 - learning_rate * fresh * curvature, -learning_rate * beta1
    c, d = fresh * curvature, np.full_like(curvature, beta1)
    kick = -learning_rate * fresh, np.full_like(curvature, fresh)
    zero, one = np.zeros_like(curvature), np.ones_like(curvature)
    rows = (
        (a * a, 2 * a * b, b * b, kick[0] * kick[0] * noise),
        (a * c, a * d + b * c, b * d, kick[0] * kick[1] * noise),
        (c * c, 2 * c * d, d * d, kick[1] * kick[1] * noise),
        (zero, zero, zero, one),
    )
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def stationary_variance(
    curvature: float, noise: float, *, batch_size: float, learning_rate: float, beta1: float = 0.0
) -> float:
    """E[(theta - optimum)^2] of one coordinate as S -> infinity (own derivation, exact).

    eta sigma^2 / (B h (2 - eta h (1 - beta_1) / (1 + beta_1))), h the curvature, sigma^2 the noise
    of one sequence. To leading order in eta h it does not depend on beta_1: over many steps
    momentum averages no noise away. Raises InputError where the run is unstable.
    """
    check_run(batch_size, 1, beta1)
    sharpness = learning_rate * curvature * (1.0 - beta1) / (1.0 + beta1)
    if not 0.0 < sharpness < 2.0:
        raise InputError(
            f"eta h (1 - beta1)/(1 + beta1) is {sharpness:.3g}; a stationary state wants (0, 2): "
            "take a smaller learning rate"
        )
    return learning_rate * noise / (batch_size * curvature * (2.0 - sharpness))


def trajectory_moments(
    problem: NoisyQuadratic,
    learning_rate: float,
    *,
    batch_size: float,
    steps: int,
    beta1: float = 0.0,
) -> TrajectoryMoments:
    """Mean and covariance of theta after S steps, by stepping the dense joint moments.

    Costs S products of 2P x 2P matrices; `expected_excess_loss` shares no code with it.
    """
    check_run(batch_size, steps, beta1)
    size, fresh = problem.size, 1.0 - beta1
    identity = np.eye(size)
    average = np.hstack([fresh * problem.hessian_matrix, beta1 * identity])
    move = np.hstack([identity, np.zeros((size, size))]) - learning_rate * average
    step = np.vstack([move, average])
    kick = np.vstack([-learning_rate * fresh * identity, fresh * identity])
    noise = kick @ (problem.noise_matrix / batch_size) @ kick.T
    mean = np.concatenate([problem.theta - problem.optimum, np.zeros(size)])
    covariance = np.zeros((2 * size, 2 * size))
    for _ in range(steps):
        mean = step @ mean
        covariance = step @ covariance @ step.T + noise
    return TrajectoryMoments(problem.optimum + mean[:size], covariance[:size, :size], steps)


def check_run(batch_size: float, steps: int, beta1: float = 0.0) -> None:
    """Raise InputError for a batch size, a number of steps or a beta_1 that mean nothing."""
    check_batch_size(batch_size)
    if steps < 0:
        raise InputError(f"steps {steps}; wanted a count of optimizer steps >= 0")
    require_decay(beta1, "beta1")
