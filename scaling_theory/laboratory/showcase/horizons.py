"""From one step to a run: short horizon against long, fixed steps against fixed samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_theory.estimate import Estimate
from scaling_theory.laboratory.construct import (
    aligned_noise,
    make_quadratic,
    power_law_spectrum,
)
from scaling_theory.laboratory.horizon import (
    HorizonOptimum,
    exact_horizon_optimum,
    simulated_horizon_optimum,
)
from scaling_theory.laboratory.one_step import Step, sgd_step, sign_step
from scaling_theory.laboratory.optimizers import Optimizer, rule_optimizer
from scaling_theory.laboratory.quadratic import NoisyQuadratic
from scaling_theory.laboratory.sampled_step import sampled_step


def aligned_quadratic(size: int = 48, seed: int = 3) -> NoisyQuadratic:
    """Spectrum k^-1 under a random rotation, Σ ∝ H, B_simple = 100 sequences."""
    return make_quadratic(
        power_law_spectrum(size, 1.0),
        aligned_noise(),
        noise_to_signal=100.0,
        rotated=True,
        rng=np.random.default_rng(seed),
    )


@dataclass(frozen=True)
class HorizonRow:
    """Best constant learning rate of S steps, and its ratio to the one-step η* at the start.

    loss: excess loss reached, over that at the start.
    """

    optimizer: str
    batch_size: float
    steps: int
    learning_rate: Estimate
    over_one_step: float
    loss: float


def horizon_table(
    problem: NoisyQuadratic | None = None,
    *,
    batch_sizes: Sequence[float] = (1.0, 16.0, 256.0, 4096.0),
    steps: Sequence[int] = (1, 4, 32, 256),
    work: int = 2048,
    seed: int = 0,
) -> tuple[HorizonRow, ...]:
    """SGD (exact) and SignSGD (simulated with about `work` steps over its replicas)."""
    problem = problem or aligned_quadratic()
    return tuple(
        _row(problem, optimizer, batch, horizon, work, seed)
        for optimizer in (rule_optimizer("sgd"), rule_optimizer("signsgd"))
        for batch in batch_sizes
        for horizon in steps
    )


@dataclass(frozen=True)
class BudgetRow:
    """η* of one batch size when the steps are held, and when the samples are held.

    one_step: the greedy η* at the start. fixed_steps and fixed_samples: best over the run, the
    latter with `steps_at_fixed_samples` = E / B steps.
    """

    optimizer: str
    batch_size: float
    one_step: float
    fixed_steps: Estimate
    fixed_samples: Estimate
    steps_at_fixed_samples: int


def budget_table(
    problem: NoisyQuadratic | None = None,
    *,
    batch_sizes: Sequence[int] = (1, 4, 16, 64, 256, 1024),
    steps: int = 64,
    samples: int = 4096,
    epsilon: float = 1.0,
    work: int = 2048,
    seed: int = 0,
) -> tuple[BudgetRow, ...]:
    """SGD, SignSGD and SoftSignSGD (ε over rms σ); B divides `samples`."""
    problem = problem or aligned_quadratic()
    sigma = float(np.sqrt(problem.variance.mean()))
    rows = []
    for optimizer in (
        rule_optimizer("sgd"),
        rule_optimizer("signsgd"),
        rule_optimizer("softsignsgd", epsilon * sigma),
    ):
        for batch in batch_sizes:
            held = _best(problem, optimizer, batch, steps, work, seed)
            fixed = _best(problem, optimizer, batch, samples // batch, work, seed)
            rows.append(
                BudgetRow(
                    optimizer.name,
                    batch,
                    _greedy(problem, optimizer, batch, seed).learning_rate.value,
                    held.learning_rate,
                    fixed.learning_rate,
                    samples // batch,
                )
            )
    return tuple(rows)


def _row(
    problem: NoisyQuadratic, optimizer: Optimizer, batch: float, steps: int, work: int, seed: int
) -> HorizonRow:
    greedy = _greedy(problem, optimizer, batch, seed)
    start = float(problem.excess_loss(problem.theta))
    if steps == 1:
        step = greedy.optimum
        rate, loss = step.learning_rate, start - step.loss_drop.value
    else:
        best = _best(problem, optimizer, batch, steps, work, seed)
        rate, loss = best.learning_rate, best.excess_loss.value
    ratio = rate.value / greedy.learning_rate.value
    return HorizonRow(optimizer.name, batch, steps, rate, ratio, loss / start)


def _best(
    problem: NoisyQuadratic, optimizer: Optimizer, batch: float, steps: int, work: int, seed: int
) -> HorizonOptimum:
    """Best learning rate of the run: exact for SGD, simulated otherwise."""
    if optimizer.name == "sgd":
        return exact_horizon_optimum(problem, batch_size=batch, steps=steps)
    return simulated_horizon_optimum(
        problem,
        optimizer,
        batch_size=batch,
        steps=steps,
        replicas=max(8, work // steps),
        seed=seed,
        guess=_greedy(problem, optimizer, batch, seed).learning_rate.value,
    )


def _greedy(problem: NoisyQuadratic, optimizer: Optimizer, batch: float, seed: int) -> Step:
    """The one-step answer at the start: exact where pairs have a closed form, sampled otherwise."""
    if optimizer.name == "sgd":
        return sgd_step(problem, batch)
    if optimizer.name == "signsgd":
        return sign_step(problem, batch)
    rng = np.random.default_rng(seed)
    return sampled_step(problem, optimizer, batch, chains=20_000, rng=rng)
