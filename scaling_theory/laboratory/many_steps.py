"""Simulated runs of any optimizer on a noisy quadratic, over many learning rates at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scaling_theory.laboratory.optimizers import Memory, Optimizer
from scaling_theory.laboratory.quadratic import FloatArray, NoisyQuadratic
from scaling_theory.laboratory.recursion import check_run


def simulated_excess_loss(
    problem: NoisyQuadratic,
    optimizer: Optimizer,
    learning_rates: FloatArray,
    *,
    batch_size: float,
    steps: int,
    replicas: int,
    rng: np.random.Generator,
) -> FloatArray:
    """L(theta_S) - L(optimum) after S steps at a constant learning rate, [replicas, R].

    Replicas are independent; within one, every learning rate sees the same noise (common random
    numbers), so that the loss is a smooth curve and its minimum is found with little noise. A run
    that overflows has infinite loss: divergence is a result.
    """
    path = simulated_path(
        problem,
        optimizer,
        learning_rates,
        batch_size=batch_size,
        steps=steps,
        replicas=replicas,
        rng=rng,
    )
    with np.errstate(over="ignore", invalid="ignore"):
        for offset, _ in path:
            final = offset
        loss = 0.5 * problem.curvature(final)
    return np.where(np.isfinite(loss), loss, np.inf)


def simulated_path(
    problem: NoisyQuadratic,
    optimizer: Optimizer,
    learning_rates: FloatArray,
    *,
    batch_size: float,
    steps: int,
    replicas: int,
    rng: np.random.Generator,
) -> Iterator[tuple[FloatArray, Memory]]:
    """theta - optimum [replicas, R, P] and the memory: at the start and after each step.

    The arrays are those of the simulation: read them, copy them, do not write to them.
    """
    check_run(batch_size, steps)
    rates = np.atleast_1d(np.asarray(learning_rates, dtype=np.float64))
    shape = (replicas, rates.size, problem.size)
    offset: FloatArray = np.broadcast_to(problem.theta - problem.optimum, shape)
    memory = optimizer.start(shape)
    yield offset, memory
    for step in range(1, steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            noise = problem.noise_draws((replicas, 1), rng) / np.sqrt(batch_size)
            gradient = problem.hessian_product(offset) + noise
            update, memory = optimizer.direction(gradient, memory, step)
            offset = offset - rates[:, None] * update
        yield offset, memory
