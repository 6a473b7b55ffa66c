"""v^T H v of any problem by second differences of the loss: two forward passes, no backward.

No second derivative is asked for, so every attention kernel will do. The step is that at which a
sample's loss changes by about `LOSS_CHANGE`, as in `curvature`; slopes come from the block
deviations instead of the gradients of single samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from empirical.measure.curvature import LOSS_CHANGE
from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Problem, batch_losses
from empirical.measure.rows import gradient_of
from empirical.measure.spread import Spread

SLOPE_BLOCKS = 16
"""Block deviations that tell how steep a sample is along a direction."""


@dataclass(frozen=True, eq=False)
class Point:
    """A problem with its gradient and block deviations: what steps along directions need."""

    problem: Problem
    spread: Spread

    def slope(self, direction: Tensor) -> float:
        """Root mean square over samples of g_k^T v, kept away from 0."""
        spread = self.spread
        steepest = (spread.gradient @ direction).square().double().cpu()
        rows = spread.blocks[:SLOPE_BLOCKS].to(direction)
        noise = (rows @ direction).square().double().mean().cpu() * spread.block_size
        typical = float(spread.gradient.norm()) + math.sqrt(float(spread.variance.sum()))
        floor = 1e-3 * typical * float(direction.norm())
        slope = math.sqrt(float(steepest + noise))
        return max(slope, floor, torch.finfo(direction.dtype).tiny)


def curvature_at(
    at: Point, direction: Tensor, indices: Tensor | None = None, stiffness: float | None = None
) -> float:
    """v^T H v of the mean loss over these samples (None: the pool) for one direction v [P].

    stiffness: |v^T H v| / slope^2 of directions of this kind; None: found by a first look.
    """
    if not bool(direction.any()):
        return 0.0
    slope = at.slope(direction)
    change = LOSS_CHANGE.get(direction.dtype, 1e-2)
    if stiffness is None:
        stiffness = stiffness_of(at, direction, indices)
    return second_difference(at.problem, direction, change / (slope * stiffness**0.5), indices)


def stiffness_of(at: Point, direction: Tensor, indices: Tensor | None = None) -> float:
    """|v^T H v| / slope^2, at least 1: where it is large, curvature and not slope sets the step."""
    if not bool(direction.any()):
        return 1.0
    slope = at.slope(direction)
    first = _everything(at.problem)[: 4 * at.problem.chunk] if indices is None else indices
    step = LOSS_CHANGE.get(direction.dtype, 1e-2) / slope
    return max(1.0, abs(second_difference(at.problem, direction, step, first)) / slope**2)


def curvatures(at: Point, directions: Iterable[Tensor], subsets: Tensor) -> Tensor:
    """v_k^T H v_k of directions of one kind, each on its own samples [n, S], float64 [n].

    Many directions on few samples each tell more than few directions on all of them.
    """
    values: list[float] = []
    stiffness = None
    for direction, indices in zip(directions, subsets, strict=True):
        if stiffness is None and bool(direction.any()):
            stiffness = stiffness_of(at, direction, indices)
        values.append(curvature_at(at, direction, indices, stiffness))
    return torch.tensor(values, dtype=torch.float64)


def second_difference(
    problem: Problem, direction: Tensor, step: float, indices: Tensor | None = None
) -> float:
    """(L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2 over these samples."""
    chosen = _everything(problem) if indices is None else indices
    here = weighted_losses(problem, problem.point, chosen)
    ahead = weighted_losses(problem, problem.point + step * direction, chosen)
    behind = weighted_losses(problem, problem.point - step * direction, chosen)
    # differences first: they are small against the losses
    return float((ahead - here + (behind - here)).sum()) / len(chosen) / step**2


def weighted_losses(problem: Problem, point: Tensor, indices: Tensor) -> Tensor:
    """w L of each part of these samples at a point [P]: their sum over n is the mean of w_k L_k."""
    named = unflatten(problem, point)
    with torch.no_grad():
        parts = [loss.double() * weight for loss, weight in batch_losses(problem, named, indices)]
    return torch.stack(parts).cpu()


def hessian_vector_at(at: Point, direction: Tensor, indices: Tensor | None = None) -> Tensor:
    """H v, [P], by central differences of the gradient over these samples (None: the pool)."""
    problem = at.problem
    if not bool(direction.any()):
        return torch.zeros_like(direction)
    chosen = _everything(problem) if indices is None else indices
    stiffness = stiffness_of(at, direction, chosen[: 4 * problem.chunk])
    step = LOSS_CHANGE.get(direction.dtype, 1e-2) / (at.slope(direction) * stiffness**0.5)
    ahead = gradient_of(problem, chosen, problem.point + step * direction)
    behind = gradient_of(problem, chosen, problem.point - step * direction)
    product: Tensor = (ahead - behind) / (2 * step)
    return product


def draw_subsets(problem: Problem, count: int, size: int, rng: torch.Generator) -> Tensor:
    """Random samples for each of `count` directions, [count, S]; the whole pool if that is less."""
    device = problem.point.device
    if size >= problem.samples:
        return _everything(problem).expand(count, -1)
    return torch.randint(problem.samples, (count, size), generator=rng).to(device)


def _everything(problem: Problem) -> Tensor:
    return torch.arange(problem.samples, device=problem.point.device)
