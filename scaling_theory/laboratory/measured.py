"""What a measurement of a noisy quadratic hands to the closures, and what they predict from it."""

from __future__ import annotations

import numpy as np

from scaling_theory.laboratory.quadratic import NoisyQuadratic
from scaling_theory.law import OptimalStep, optimal_step
from scaling_theory.noise import CLOSURES, CurvatureEstimate
from scaling_theory.statistics import GradientStatistics

POOL = 1 << 40
"""Sequences of the (infinite) pool, as a number."""


def sampled_statistics(
    problem: NoisyQuadratic, deviations: int, rng: np.random.Generator, micro_batch: int = 1
) -> GradientStatistics:
    """Gradient and variance as they are, `deviations` random micro-batch deviations, [K, P]."""
    draws = problem.noise_draws((deviations,), rng) / np.sqrt(micro_batch)
    return GradientStatistics(problem.gradient, problem.variance, draws, micro_batch, POOL)


def exact_statistics(problem: NoisyQuadratic) -> GradientStatistics:
    """P deviations whose mean outer product is Sigma itself: sqrt(P) times the rows of its root.

    A closure that only averages (A delta)^T H (A delta) then has no sampling error, and one that
    draws Gaussian mixtures of them draws from N(0, Sigma) exactly. The standard error it reports
    from the spread of these rows means nothing here.
    """
    factor = problem.noise_factor
    dense = np.diag(factor) if factor.ndim == 1 else factor
    rows = np.sqrt(problem.size) * dense
    return GradientStatistics(problem.gradient, problem.variance, rows, 1, POOL)


def predicted_curvature(
    problem: NoisyQuadratic,
    batch_size: float,
    epsilon: float,
    *,
    closure: str = "correlated",
    variant: str = "exact",
) -> CurvatureEstimate:
    """The closure "independent" or "correlated" evaluated without any sampling error.

    The diagonal part takes sqrt(P) times the unit vectors as its probes, the linear part
    `exact_statistics`: what differs from the truth is the closure and nothing else.
    """
    probes = np.sqrt(problem.size) * np.eye(problem.size)
    return CLOSURES[closure](
        exact_statistics(problem), batch_size, epsilon, problem, variant=variant, probes=probes
    )


def predicted_step(
    problem: NoisyQuadratic,
    batch_size: float,
    epsilon: float,
    *,
    closure: str = "correlated",
    variant: str = "exact",
) -> OptimalStep:
    """The law on `predicted_curvature`. Raises NoMinimum or NoDescent (scaling_theory.law)."""
    curvature = predicted_curvature(problem, batch_size, epsilon, closure=closure, variant=variant)
    return optimal_step(curvature.descent, curvature.total)
