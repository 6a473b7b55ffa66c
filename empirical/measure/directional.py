"""v^T H v of any problem by second differences of the loss: forward passes, no backward.

On the whole pool, (L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2: two forward passes, as
L(theta) is computed once. Where many directions are averaged one pass is enough, on a block j of
samples whose gradient G_j is known from the pass that measured the noise,

    v^T H_j v = 2 (L_j(theta + h v) - L_j(theta) - h G_j^T v) / h^2 + O(h),

and the term in h, which is odd in v, goes when half of the steps lead ahead and half back. No
second derivative is asked for, so every attention kernel will do. The step is that at which a
sample's loss changes by about `LOSS_CHANGE` of its unit; slopes come from block deviations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from empirical.measure.curvature import LOSS_CHANGE
from empirical.measure.loss_unit import unit_of
from empirical.measure.parameter_vector import unflatten
from empirical.measure.problem import Problem, batch_losses
from empirical.measure.rows import gradient_of
from empirical.measure.short_memory import with_less
from empirical.measure.spread import Spread

SLOPE_BLOCKS = 6
"""Block deviations that tell how steep a sample is along a direction."""


@dataclass(frozen=True, eq=False)
class Point:
    """A problem with its gradient and block deviations: what steps along directions need."""

    problem: Problem
    spread: Spread

    @cached_property
    def losses(self) -> Tensor:
        """sum of w_k L_k of each block at theta itself, [K], float64: one forward pass, once."""
        at, members = self.problem.point, self.spread.members
        return torch.stack([weighted_losses(self.problem, at, part).sum() for part in members])

    @cached_property
    def unit(self) -> float:
        """What counts as 1 of this loss."""
        return unit_of(float(self.losses.abs().sum() / self.spread.weights.sum()))

    @cached_property
    def typical(self) -> float:
        """Size of one sample's gradient."""
        spread = self.spread
        return float(spread.gradient.norm()) + math.sqrt(float(spread.variance.sum()))

    def slope(self, direction: Tensor) -> float:
        """Root mean square over samples of g_k^T v, kept away from 0."""
        spread = self.spread
        steepest = (spread.gradient @ direction).double().square().cpu()
        rows = spread.blocks[:SLOPE_BLOCKS].to(direction)
        noise = (rows @ direction).double().square().mean().cpu() * spread.block_size
        floor = 1e-3 * self.typical * float(direction.norm())
        slope = math.sqrt(float(steepest + noise))
        return max(slope, floor, torch.finfo(direction.dtype).tiny)

    def one_sided(self, direction: Tensor, step: float, blocks: Sequence[int]) -> float:
        """v^T H v of the mean loss over these blocks, from a step of either sign."""
        problem, spread = self.problem, self.spread
        chosen = torch.cat([spread.members[j] for j in blocks])
        moved = torch.add(problem.point, direction, alpha=step)
        there = float(weighted_losses(problem, moved, chosen).sum())
        along = direction.to(spread.blocks)
        # W_j G_j = W_j g + n_j s_j d_j
        slope = float(spread.weights[list(blocks)].sum()) * float(spread.gradient @ direction)
        for j in blocks:
            scale = len(spread.members[j]) * float(spread.shrink[j])
            slope += scale * float(spread.blocks[j] @ along)
        here = float(self.losses[list(blocks)].sum())
        return float(2 * (there - here - step * slope) / (len(chosen) * step**2))


def curvature_at(
    at: Point, direction: Tensor, indices: Tensor | None = None, stiffness: float | None = None
) -> float:
    """v^T H v of the mean loss over these samples (None: the pool) for one direction v [P].

    stiffness: |v^T H v| / slope^2 of directions of this kind; None: found by a first look.
    """
    if not bool(direction.any()):
        return 0.0
    if stiffness is None:
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
        looked_at = range(blocks_for(at, at.problem.chunk))
        found = at.one_sided(direction, step, looked_at)
    else:
        found = second_difference(at.problem, direction, step, indices)
    return max(1 / at.unit, abs(found) / slope**2)


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


def block_curvatures(at: Point, directions: Iterable[Tensor], samples: int) -> Tensor:
    """The same, float64 [n], for one forward pass of about `samples` samples per direction.

    Direction k is looked at on the blocks after the k-th: along a block's own deviation the others
    tell. A single value is off by a term that is odd in v and alternates in sign; a mean over many
    directions is not. The first direction sets slope and stiffness of all.
    """
    count = len(at.spread.members)
    several = min(blocks_for(at, samples), count)
    values: list[float] = []
    per_norm = None
    for number, direction in enumerate(directions):
        norm = float(direction.norm())
        if norm == 0:
            values.append(0.0)
            continue
        if per_norm is None:
            per_norm = at.slope(direction) * stiffness_of(at, direction) ** 0.5 / norm
        step = _change(at, direction) / (per_norm * norm)
        blocks = [(number + 1 + more) % count for more in range(several)]
        values.append(at.one_sided(direction, -step if number % 2 else step, blocks))
    return torch.tensor(values, dtype=torch.float64)


def second_difference(problem: Problem, direction: Tensor, step: float, indices: Tensor) -> float:
    """(L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2 over these samples."""
    here = weighted_losses(problem, problem.point, indices)
    ahead, behind = (
        weighted_losses(problem, torch.add(problem.point, direction, alpha=h), indices)
        for h in (step, -step)
    )
    # differences first: they are small against the losses
    return float((ahead - here + (behind - here)).sum()) / len(indices) / step**2


def weighted_losses(problem: Problem, point: Tensor, indices: Tensor | None = None) -> Tensor:
    """w L of each part of these samples (None: the pool) at a point [P].

    Their sum over n is the mean of w_k L_k.
    """
    chosen = _everything(problem) if indices is None else indices
    named = unflatten(problem, point)

    def parts(chunk: int) -> list[Tensor]:
        with torch.no_grad():
            found = batch_losses(problem, named, chosen, chunk)
            return [loss.double() * weight for loss, weight in found]

    return torch.stack(with_less(parts, problem.chunk)[0]).cpu()


def hessian_vector_at(at: Point, direction: Tensor, indices: Tensor | None = None) -> Tensor:
    """H v, [P], by central differences of the gradient over these samples (None: the pool)."""
    problem = at.problem
    if not bool(direction.any()):
        return torch.zeros_like(direction)
    chosen = _everything(problem) if indices is None else indices
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
        return gradient_of(problem, _everything(problem), moved).sub_(spread.gradient).div_(step)
    chosen = torch.cat([spread.members[j] for j in blocks])
    product = gradient_of(problem, chosen, moved).sub_(spread.gradient)
    weight = float(spread.weights[list(blocks)].sum())
    for j in blocks:
        scale = len(spread.members[j]) * float(spread.shrink[j]) / weight
        product.sub_(spread.blocks[j].to(product), alpha=scale)
    return product.div_(step)


def draw_subsets(problem: Problem, count: int, size: int, rng: torch.Generator) -> Tensor:
    """Random samples for each of `count` directions, [count, S]; the whole pool if that is less."""
    device = problem.point.device
    if size >= problem.samples:
        return _everything(problem).expand(count, -1)
    return torch.randint(problem.samples, (count, size), generator=rng).to(device)


def blocks_for(at: Point, samples: int) -> int:
    """Blocks that hold about so many samples, at least one."""
    return min(len(at.spread.members), max(1, round(samples / at.spread.block_size)))


def _step(at: Point, direction: Tensor, stiffness: float) -> float:
    """h: neither h slope nor the root of unit h^2 |v^T H v| exceeds the change wanted."""
    return _change(at, direction) / (at.slope(direction) * math.sqrt(stiffness))


def _change(at: Point, direction: Tensor) -> float:
    """Root of unit times `LOSS_CHANGE`: what h slope root-stiffness comes to."""
    return LOSS_CHANGE.get(direction.dtype, 1e-2) * math.sqrt(at.unit)


def _everything(problem: Problem) -> Tensor:
    return torch.arange(problem.samples, device=problem.point.device)
