"""Momentum and Adam: what their one-step views promise and what many steps keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_theory.estimate import Estimate, scaled_estimate
from scaling_theory.laboratory.construct import log_spaced_spectrum
from scaling_theory.laboratory.horizon import (
    HorizonOptimum,
    exact_horizon_optimum,
    paired_ratio,
    simulated_horizon_optimum,
)
from scaling_theory.laboratory.many_steps import simulated_path
from scaling_theory.laboratory.one_step import adam_limit_step, sgd_step, sign_step
from scaling_theory.laboratory.optimizers import Optimizer, adam, rule_optimizer
from scaling_theory.laboratory.quadratic import NoisyQuadratic
from scaling_theory.laboratory.sampled_step import sampled_step

BATCHES = tuple(10.0**k for k in range(7))


def broad_quadratic(size: int = 200) -> NoisyQuadratic:
    """Curvatures from 1e-3 to 1 on the axes, isotropic noise σ² = 100, distance 1 in each."""
    spectrum = log_spaced_spectrum(size, 1e-3, 1.0)
    return NoisyQuadratic(spectrum, np.full(size, 100.0), np.ones(size), np.zeros(size))


@dataclass(frozen=True)
class MomentumRow:
    """η* of momentum SGD over η* of SGD: stationary one-step view, and best over a whole run."""

    batch_size: float
    one_step: float
    many_steps: float


def momentum_table(
    *, beta1: float = 0.9, steps: int = 200, batch_sizes: Sequence[float] = BATCHES, size: int = 200
) -> tuple[MomentumRow, ...]:
    """Exact on both sides. One step: up to (1 + β₁)/(1 − β₁). A run: momentum averages no noise."""
    problem = broad_quadratic(size)
    rows = []
    for batch in batch_sizes:
        one = [sgd_step(problem, batch, beta1=b).learning_rate.value for b in (beta1, 0.0)]
        many = [
            exact_horizon_optimum(problem, batch_size=batch, steps=steps, beta1=b).learning_rate
            for b in (beta1, 0.0)
        ]
        rows.append(MomentumRow(batch, one[0] / one[1], many[0].value / many[1].value))
    return tuple(rows)


@dataclass(frozen=True)
class RatioRow:
    """η*(Adam) of a run against (mean √v + ε) η*(SGD with the same momentum), both simulated.

    ratio: η*(Adam) / ((mean √v + ε) η*(SGD)), on the same noise: 1 where the ratio law holds.
    """

    batch_size: float
    epsilon: float
    sgd: Estimate
    adam: Estimate
    ratio: Estimate


def ratio_table(
    *,
    epsilons: Sequence[float] = (0.0, 1.0, 10.0),
    batch_sizes: Sequence[float] = (1.0, 1e2, 1e3, 1e4, 1e6),
    betas: tuple[float, float] = (0.9, 0.99),
    steps: int = 200,
    size: int = 200,
    replicas: int = 6,
    seed: int = 0,
) -> tuple[RatioRow, ...]:
    """Runs of `steps` steps on `broad_quadratic`; σ = 10, so B_ε = (σ/ε)² is 100 for ε = 1."""
    problem = broad_quadratic(size)
    rows = []
    for number, batch in enumerate(batch_sizes):

        def best(
            rule: Optimizer, batch: float = batch, seed: int = seed + number
        ) -> HorizonOptimum:
            return simulated_horizon_optimum(
                problem, rule, batch_size=batch, steps=steps, replicas=replicas, seed=seed
            )

        # Adam corrects its average for the start at zero, so the SGD beside it must too.
        sgd = best(rule_optimizer("sgd", beta1=betas[0], bias_correction=True))
        for epsilon in epsilons:
            optimum = best(adam(*betas, epsilon))
            root = _mean_root(problem, optimum, betas, epsilon, seed + number)
            ratio = scaled_estimate(paired_ratio(optimum, sgd), 1.0 / (root + epsilon))
            rows.append(RatioRow(batch, epsilon, sgd.learning_rate, optimum.learning_rate, ratio))
    return tuple(rows)


def _mean_root(
    problem: NoisyQuadratic,
    optimum: HorizonOptimum,
    betas: tuple[float, float],
    epsilon: float,
    seed: int,
) -> float:
    """Mean of √v (corrected for its start) over coordinates and steps of one best run."""
    path = simulated_path(
        problem,
        adam(*betas, epsilon),
        np.array([optimum.learning_rate.value]),
        batch_size=optimum.batch_size,
        steps=optimum.steps,
        replicas=1,
        rng=np.random.default_rng(seed),
    )
    next(path)  # the start, before any second moment
    roots = [
        np.sqrt(memory[1] / (1.0 - betas[1] ** step)).mean()
        for step, (_, memory) in enumerate(path, start=1)
    ]
    return float(np.mean(roots))


@dataclass(frozen=True)
class AdamRow:
    """E[u] of one coordinate under Adam at a standing θ, g = signal_to_noise · s.

    epsilon: over s = σ/√B, outside the root. simulated: with standard error. limit: β₂ → 1,
    g/(√(g² + s²) + ε). sign: erf(g/(√2 s)), the SignSGD proxy (ε = 0 only).
    """

    beta2: float
    epsilon: float
    simulated: Estimate
    limit: float
    sign: float


def adam_table(
    *,
    signal_to_noise: float = 0.1,
    beta1: float = 0.9,
    cells: Sequence[tuple[float, float]] = (
        (0.9, 0.0),
        (0.95, 0.0),
        (0.99, 0.0),
        (0.95, 1.0),
        (0.95, 10.0),
    ),
    chains: int = 2000,
    records: int = 400,
    seed: int = 0,
) -> tuple[AdamRow, ...]:
    """cells: (β₂, ε/s). Real Adam follows the mean field (c = 1), not the erf of SignSGD."""
    problem = NoisyQuadratic(np.ones(1), np.ones(1), np.full(1, signal_to_noise), np.zeros(1))
    rows = []
    for beta2, epsilon in cells:
        measured = sampled_step(
            problem,
            adam(beta1, beta2, epsilon),
            1.0,
            chains=chains,
            records=records,
            rng=np.random.default_rng(seed),
        ).descent
        rows.append(
            AdamRow(
                beta2,
                epsilon,
                Estimate(
                    measured.value / signal_to_noise,
                    measured.standard_error / signal_to_noise,
                    measured.samples,
                ),
                adam_limit_step(problem, 1.0, epsilon=epsilon).descent.value / signal_to_noise,
                sign_step(problem, 1.0).descent.value / signal_to_noise,
            )
        )
    return tuple(rows)
