"""The learning rate that lowers the loss most in the optimizer's next step, or why it is unknown.

Half of the samples make the updates, the other half judges them: on the samples an update was
made from, every update looks better than it is. For updates u_k of real batches, in the state the
optimizer is in,

    L(theta - eta u) - L(theta) = -eta E[u]^T g + R(eta),

the slope is known from all judging samples, R from a random part of them for each update (see
`line_search`). The minimum needs no quadratic model. It is greedy: a whole run mostly wants less
(at fixed tokens by up to ten times at small batches).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from empirical.measure.block_store import open_store
from empirical.measure.descent import descent_of, no_descent
from empirical.measure.functional import ModelLoss
from empirical.measure.line_search import FACTORS, line_minimum, remainders
from empirical.measure.losses import weighted_losses
from empirical.measure.measurement import DEFAULT_MEMORY
from empirical.measure.posing import pose_problem
from empirical.measure.problem import Problem
from empirical.measure.real_updates import RESOLVED, Stepper, stepper_of
from empirical.measure.request_checks import check_batches, check_steps, check_whole
from empirical.measure.rows import gradient_of
from empirical.measure.weighting import Weighing
from empirical.train.randomness import numpy_generator, private_generator
from scaling_theory.estimate import Estimate, mean_estimate

TRIALS = 24
SMALL = 0.1
"""The slope on a part is a central difference at this share of the unit learning rate."""


@dataclass(frozen=True)
class LearningRate:
    """The next step's best learning rate, of the optimizer's first parameter group.

    Attributes:
        learning_rate: None if it is not identified.
        interval: 95 %, None if an end lies beyond the search.
        loss_drop: expected in that one step, None without a learning rate.
        status: "ok", or what is not known and why.
        descent: E[u]^T g.
        batch_size: samples per step. updates: how many real batches were tried.
        present: the optimizer's own learning rate.
        rates: learning rates that were tried; loss_change: what they did to the loss.
        notes: what was switched or left out, and what this number is not.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    loss_drop: float | None
    status: str
    descent: Estimate
    batch_size: int
    updates: int
    present: float
    rates: tuple[float, ...]
    loss_change: tuple[float, ...]
    notes: tuple[str, ...]


def lr_find(
    model: nn.Module,
    batches: Any,
    optimizer: Optimizer,
    *,
    batch_size: int,
    loss: ModelLoss | None = None,
    weights: Weighing | None = None,
    samples: int | None = None,
    updates: int = 24,
    subset: int = 32,
    state_steps: int = 0,
    chunk: int = 32,
    max_memory: int | None = DEFAULT_MEMORY,
    seed: int = 0,
) -> LearningRate:
    """Find the best learning rate of the next step; model and optimizer are not changed.

    Args:
        model, batches, loss, weights, samples, chunk, max_memory, seed: as for `measure`.
        optimizer: any torch optimizer of this model whose step is proportional to its learning
            rate, in the state that is asked about.
        batch_size: samples per step; twice as many are wanted in all.
        updates: real batches to try.
        subset: judging samples per update.
        state_steps: batches that the optimizer's averages take in first, the parameters held; for
            an optimizer that has made no step.

    Raises:
        UsageError: as `measure`; batches too large for the samples; an optimizer of no use.
    """
    check_whole(batch_size=batch_size, updates=updates, subset=subset, state_steps=state_steps)
    check_steps(batch_size, updates, subset, state_steps)
    problem = pose_problem(model, batches, loss=loss, weights=weights, samples=samples, chunk=chunk)
    order = torch.randperm(
        problem.samples, generator=private_generator(seed, "halves"), device="cpu"
    )
    order = order.to(problem.point.device)
    makers, judges = order[: len(order) // 2], order[len(order) // 2 :]
    check_batches(batch_size, problem.samples)
    stepper = stepper_of(model, optimizer, problem)
    rng = private_generator(seed, "batches")
    for _ in range(state_steps):
        stepper.remember(gradient_of(problem, _some(makers, batch_size, rng)))
    store = open_store(updates, problem.point, max_memory)
    for row in store.rows:
        row.copy_(stepper.update(gradient_of(problem, _some(makers, batch_size, rng))))
    descent, more = descent_of(problem, store.rows, judges)
    notes = (
        *problem.notes,
        "the best learning rate for one step from this state; a whole run mostly wants less",
    )
    nothing = LearningRate(
        None, None, None, "", descent, batch_size, len(store.rows), stepper.learning_rate, (), (),
        notes,
    )  # fmt: skip
    if (lacking := no_descent(descent, more)) is not None:
        return replace(nothing, status=lacking)
    parts = [_some(judges, subset, rng) for _ in store.rows]
    unit = _unit(problem, zip(store.rows, parts, strict=True), descent, stepper)
    if unit is None:
        return replace(
            nothing,
            status="not identified: the loss along the updates has no minimum that was found",
        )
    rests = [
        _remainder(problem, row.to(problem.point), part, unit)
        for row, part in zip(store.rows, parts, strict=True)
    ]
    rest = np.stack([values for values in rests if np.isfinite(values).all()] or [rests[0]])
    if len(rest) < max(4, len(rests) // 2):
        return replace(nothing, status="not identified: the loss is not finite along the updates")
    line = line_minimum(rest, descent, unit, numpy_generator(seed, "line search"))
    drop = None
    if line.learning_rate is not None:
        drop = -min(line.loss_change)
    return replace(
        nothing,
        learning_rate=line.learning_rate,
        interval=line.interval,
        loss_drop=drop,
        status=line.status,
        rates=tuple(unit * factor for factor in FACTORS),
        loss_change=line.loss_change,
    )


def _some(indices: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """`count` of the samples without replacement, or all of them."""
    return indices[
        torch.randperm(len(indices), generator=rng, device="cpu")[:count].to(indices.device)
    ]


def _unit(
    problem: Problem, pairs: Iterable[tuple[Tensor, Tensor]], descent: Estimate, stepper: Stepper
) -> float | None:
    """A learning rate of the right size, descent over curvature at about itself; None: not found.

    The curvature is looked at where the step is that it suggests, not at an arbitrary size.
    """
    few = [(row.to(problem.point), part) for row, part in pairs][:6]
    rms = sqrt(float(sum(row.square().mean() for row, _ in few)) / len(few))
    rate = stepper.learning_rate if stepper.learning_rate > 0 else 1e-3 / rms
    # A step that rounding hides beside the parameters shows no curvature: begin above it.
    rate = max(rate, RESOLVED * float(problem.point.square().mean().sqrt()) / rms)
    for _ in range(TRIALS):
        values = [_change(problem, row, part, rate) for row, part in few]
        curved = 2 * (mean_estimate(values).value if all(map(isfinite, values)) else np.inf)
        if not isfinite(curved):
            rate /= 8
            continue
        if curved <= 0:
            rate *= 2
            continue
        suggested = descent.value * rate**2 / curved
        if 0.6 < suggested / rate < 1.6:
            return float(suggested)
        rate = float(np.clip(suggested, rate / 16, rate * 16))
    return None


def _change(problem: Problem, row: Tensor, part: Tensor, rate: float) -> float:
    """R(eta) = L(theta - eta u) - L(theta) + eta u^T g on a part of the samples."""
    return float(_remainder(problem, row, part, rate, (1.0,))[0])


def _remainder(
    problem: Problem, row: Tensor, part: Tensor, unit: float, factors: tuple[float, ...] = FACTORS
) -> NDArray[np.float64]:
    """R at these factors of the unit learning rate, [n_eta]; its slope is a central difference."""

    def at(rate: float) -> float:
        moved = torch.add(problem.point, row, alpha=-rate)
        return float(weighted_losses(problem, moved, part).sum()) / len(part)

    small = SMALL * unit
    slope = (at(-small) - at(small)) / (2 * small)
    rates = [factor * unit for factor in factors]
    return remainders(problem, row, part, rates, at(0.0), slope)
