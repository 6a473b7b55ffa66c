"""One-step optima of any optimizer by simulation, with standard errors.

theta stands still; independent chains run the optimizer's memory to its stationary state and then
record directions. The plain reference of the exact steps: it shares only the problem with them.
"""

from __future__ import annotations

import math

import numpy as np

from scaling_theory.errors import InputError
from scaling_theory.estimate import mean_covariance, mean_estimate
from scaling_theory.laboratory.one_step import Step
from scaling_theory.laboratory.optimizers import Optimizer
from scaling_theory.laboratory.quadratic import NoisyQuadratic, check_batch_size

BLOCK = 1 << 20
"""Numbers held at once: chains are run in blocks of this many coordinates."""


def sampled_step(
    problem: NoisyQuadratic,
    optimizer: Optimizer,
    batch_size: float,
    *,
    chains: int,
    rng: np.random.Generator,
    records: int = 1,
    settle: float = 12.0,
) -> Step:
    """Descent and curvature of the stationary direction, averaged over `chains` independent chains.

    Each chain first takes settle * memory_steps steps (none for an optimizer without memory), which
    leaves e^-settle of the start, then averages over `records` consecutive steps; the standard
    error is over chains, so correlation along a chain does no harm. signal and noise are the
    split by the mean direction of all chains (plug-in: signal is too high by noise / chains).
    """
    check_batch_size(batch_size)
    if chains < 2 or records < 1:
        raise InputError(f"{chains=}, {records=}; wanted at least 2 chains and 1 record")
    burn_in = math.ceil(settle * optimizer.memory_steps)
    gradient = problem.gradient
    descents, curvatures = np.empty(chains), np.empty(chains)
    total = np.zeros(problem.size)
    block = max(BLOCK // problem.size, 1)
    for first in range(0, chains, block):
        count = min(block, chains - first)
        memory = optimizer.start((count, problem.size))
        down, across = np.zeros(count), np.zeros(count)
        for step in range(1, burn_in + records + 1):
            batch = problem.batch_gradients(batch_size, count, rng)
            update, memory = optimizer.direction(batch, memory, step)
            if step > burn_in:
                down += update @ gradient
                across += problem.curvature(update)
                total += update.sum(axis=0)
        descents[first : first + count] = down / records
        curvatures[first : first + count] = across / records
    mean = total / (chains * records)
    signal = float(problem.curvature(mean))
    curvature = mean_estimate(curvatures)
    return Step(
        mean_estimate(descents),
        signal,
        curvature.value - signal,
        curvature,
        mean_covariance(descents, curvatures),
        optimizer.name,
    )
