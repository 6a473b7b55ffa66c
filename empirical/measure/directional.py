"""v^T H v of any problem by second differences of the loss: forward passes, no backward.

On the whole pool, (L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2: two forward passes, as
L(theta) is computed once. Where many directions are averaged one pass is enough, on samples j
whose gradient G_j is known from the pass that measured the noise (see `point`),

    v^T H_j v = 2 (L_j(theta + h v) - L_j(theta) - h G_j^T v) / h^2 + O(h),

and the term in h, which is odd in v, goes when half of the steps lead ahead and half back. No
second derivative is asked for, so every attention kernel will do. The step is that at which a
sample's loss changes by about `LOSS_CHANGE` of its unit; slopes come from block deviations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from empirical.measure.losses import everything, weighted_losses
from empirical.measure.point import Point
from empirical.measure.problem import Problem
from empirical.measure.rows import gradient_of

LOSS_CHANGE = {torch.float32: 1e-2, torch.float64: 1e-4}
"""How far to step: the change of a typical sample's loss, in its own unit. Rounding (relative to
h^2 v^T H v) and the fourth derivative then both stay near or below 1e-3 of the result."""


def curvature_at(at: Point, direction: Tensor, indices: Tensor | None = None) -> float:
    """v^T H v of the mean loss over these samples (None: the pool) for one direction v [P]."""
    if not bool(direction.any()):
        return 0.0
    stiffness = stiffness_of(at, direction, indices)
    step = _step(at, direction, stiffness)
    if indices is not None:
        return second_difference(at.problem, direction, step, indices)
    ahead, behind = (
        float(weighted_losses(at.problem, torch.add(at.problem.point, direction, alpha=h)).sum())
        for h in (step, -step)
    )
    here = float(at.losses.sum())
    return float(ahead - here + (behind - here)) / at.problem.samples / float(step) ** 2


def stiffness_of(at: Point, direction: Tensor, indices: Tensor | None = None) -> float:
    """|v^T H v| / slope^2, at least 1 / unit: above it curvature and not slope sets the step."""
    if not bool(direction.any()):
        return 1 / at.unit
    slope = at.slope(direction)
    step = _step(at, direction, 1 / at.unit)
    if indices is None:
        found = one_sided(at, direction, step, range(at.units_for(at.problem.chunk)))
    else:
        found = second_difference(at.problem, direction, step, indices)
    return max(1 / at.unit, abs(found) / slope**2)


def one_sided(at: Point, direction: Tensor, step: float, units: Sequence[int]) -> float:
    """v^T H v of the mean loss over these units, from a step of either sign."""
    seen = at.look(direction, units)
    moved = torch.add(at.problem.point, direction, alpha=step)
    there = float(weighted_losses(at.problem, moved, seen.samples).sum())
    return float(2 * (there - seen.here - step * seen.slope) / (len(seen.samples) * step**2))


def block_curvatures(
    at: Point, directions: Iterable[Tensor], samples: int, *, first: int = 0
) -> Tensor:
    """v_k^T H v_k of directions of one kind, float64 [n], each on about `samples` samples.

    One forward pass of them per direction: many directions on few samples each tell more than few
    directions on all of them. Direction k is looked at on units after the k-th: along a block's own
    deviation the others tell. A single value is off by a term that is odd in v and alternates in
    sign; a mean over many directions is not. The first direction sets slope and stiffness of all.

    first: the number of the first direction, where others of its kind came before.
    """
    several = at.units_for(samples)
    values: list[float] = []
    per_norm = None
    for number, direction in enumerate(directions, first):
        norm = float(direction.norm())
        if norm == 0:
            values.append(0.0)
            continue
        if per_norm is None:
            per_norm = at.slope(direction) * stiffness_of(at, direction) ** 0.5 / norm
        step = _change(at, direction) / (per_norm * norm)
        units = units_of(number, several, at.units)
        values.append(one_sided(at, direction, -step if number % 2 else step, units))
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def units_of(number: int, several: int, count: int) -> list[int]:
    """The units that direction `number` is looked at on: never its own, if any other will do.

    Directions in turn take units in turn, so that no unit is looked at twice before all have been.
    """
    if several >= count:
        return list(range(count))
    start = number * (several - 1)
    return [(number + 1 + (start + more) % (count - 1)) % count for more in range(several)]


def second_difference(problem: Problem, direction: Tensor, step: float, indices: Tensor) -> float:
    """(L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2 over these samples."""
    here = weighted_losses(problem, problem.point, indices)
    ahead, behind = (
        weighted_losses(problem, torch.add(problem.point, direction, alpha=h), indices)
        for h in (step, -step)
    )
    # differences first: they are small against the losses
    return float((ahead - here + (behind - here)).sum()) / len(indices) / step**2


def hessian_vector_at(at: Point, direction: Tensor, indices: Tensor | None = None) -> Tensor:
    """H v, [P], by central differences of the gradient over these samples (None: the pool)."""
    problem = at.problem
    if not bool(direction.any()):
        return torch.zeros_like(direction)
    chosen = everything(problem) if indices is None else indices
    stiffness = stiffness_of(at, direction, chosen[: 4 * problem.chunk])
    step = _step(at, direction, stiffness)
    ahead = gradient_of(problem, chosen, torch.add(problem.point, direction, alpha=step))
    behind = gradient_of(problem, chosen, torch.add(problem.point, direction, alpha=-step))
    return ahead.sub_(behind).div_(2 * step)


def hessian_vector_ahead(
    at: Point, direction: Tensor, blocks: Sequence[int] | None = None
) -> Tensor:
    """H v, [P], over these blocks (None: the pool) from one gradient, as theirs here is known.

    (G(theta + h v) - G(theta)) / h: half the work of `hessian_vector_at`, and off by a term in h of
    a few per cent. For standard errors.
    """
    problem, spread = at.problem, at.spread
    if not bool(direction.any()):
        return torch.zeros_like(direction)
    step = _step(at, direction, stiffness_of(at, direction))
    moved = torch.add(problem.point, direction, alpha=step)
    if blocks is None:
        return gradient_of(problem, everything(problem), moved).sub_(spread.gradient).div_(step)
    chosen = torch.cat([spread.members[j] for j in blocks])
    product = gradient_of(problem, chosen, moved).sub_(spread.gradient)
    weight = float(spread.weights[list(blocks)].sum())
    for j in blocks:
        scale = len(spread.members[j]) * float(spread.shrink[j]) / weight
        product.sub_(spread.blocks[j].to(product), alpha=scale)
    return product.div_(step)


def blocks_for(at: Point, samples: int) -> int:
    """Blocks that hold about so many samples, at least one."""
    return min(len(at.spread.members), max(1, round(samples / at.spread.block_size)))


def _step(at: Point, direction: Tensor, stiffness: float) -> float:
    """h: neither h slope nor the root of unit h^2 |v^T H v| exceeds the change wanted."""
    return _change(at, direction) / (at.slope(direction) * math.sqrt(stiffness))


def _change(at: Point, direction: Tensor) -> float:
    """Root of unit times `LOSS_CHANGE`: what h slope root-stiffness comes to."""
    return LOSS_CHANGE.get(direction.dtype, 1e-2) * math.sqrt(at.unit)
