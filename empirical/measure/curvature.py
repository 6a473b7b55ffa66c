"""Directional curvature by second differences of the loss: forward passes only.

On the whole pool two of them, (L(theta + h v) - 2 L(theta) + L(theta - h v)) / h^2. Where many
directions are averaged one is enough, as the gradient g_k of every sequence is at hand,

    v^T H_k v = 2 (L_k(theta + h v) - L_k(theta) - h g_k^T v) / h^2 + O(h),

and the term in h, which is odd in v, goes when half of the steps lead ahead and half back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from empirical.measure.landscape import Landscape, losses_at

LOSS_CHANGE = {torch.float32: 1e-2, torch.float64: 1e-4}
"""How far to step: the change of a typical sequence's loss, in nats per token. Rounding (relative
to h^2 v^T H v) and the fourth derivative then both stay near or below 1e-3 of the result."""

STEP_ROWS = 64
"""Sequences whose gradients set the step."""

STIFFNESS_ROWS = 16
"""Sequences whose losses say whether curvature makes it shorter."""


@dataclass(frozen=True)
class Surroundings:
    """A landscape with what is needed to step along directions in it.

    Attributes:
        landscape: the network over its pool.
        gradients: gradient of each sequence, [N, P].
        losses: loss of each sequence at the point itself, [N].
        typical_norm: mean |g_k| over the first sequences.
    """

    landscape: Landscape
    gradients: Tensor
    losses: Tensor
    typical_norm: float


def surroundings_of(landscape: Landscape, gradients: Tensor) -> Surroundings:
    """A landscape together with its sequence gradients and the losses at its point."""
    norms = torch.linalg.vector_norm(gradients[:STEP_ROWS], dim=1)
    losses = losses_at(landscape, landscape.point)
    return Surroundings(landscape, gradients, losses, float(norms.mean()))


def slopes_along(around: Surroundings, directions: Tensor) -> Tensor:
    """rms_k |g_k^T v| over the first sequences of the pool, kept away from 0, for [n, P]: [n]."""
    slopes = (directions @ around.gradients[:STEP_ROWS].T).square().mean(1).sqrt()
    # a direction in which no sequence has a slope still needs a finite step
    floor = 1e-3 * around.typical_norm * torch.linalg.vector_norm(directions, dim=1)
    return torch.maximum(slopes, floor).clamp_min(torch.finfo(directions.dtype).tiny)


def stiffness_along(around: Surroundings, direction: Tensor, slope: float) -> float:
    """|v^T H v| / slope^2, at least 1: where it is large, curvature and not slope sets the step.

    Directions of one kind (all sign vectors, all gradient deviations) share it.
    """
    count = min(STIFFNESS_ROWS, around.landscape.sequences)
    first = torch.arange(count, device=direction.device)
    h = LOSS_CHANGE[direction.dtype] / slope
    curvature = float(one_sided_differences(around, direction, h, first).mean())
    return max(1.0, abs(curvature) / slope**2)


def steps_along(around: Surroundings, directions: Tensor) -> list[float]:
    """Steps h at which a sequence's loss changes by about `LOSS_CHANGE`, for directions [n, P].

    h = LOSS_CHANGE / (slope sqrt(stiffness)), so that neither h slope nor sqrt(h^2 v^T H v)
    exceeds LOSS_CHANGE. The directions are of one kind: the first tells how stiff they are.
    """
    slopes: list[float] = slopes_along(around, directions).tolist()
    stiffness = stiffness_along(around, directions[0], slopes[0])
    change = LOSS_CHANGE[directions.dtype]
    return [change / (slope * stiffness**0.5) for slope in slopes]


def second_differences(
    around: Surroundings, direction: Tensor, step: float, indices: Tensor | None = None
) -> Tensor:
    """v^T H_k v of each sequence k, [n] (None: the whole pool), for a direction v [P].

    (L_k(theta + h v) - 2 L_k(theta) + L_k(theta - h v)) / h^2, in nats per token.
    """
    scape = around.landscape
    here = around.losses if indices is None else around.losses[indices]
    ahead = losses_at(scape, scape.point + step * direction, indices)
    behind = losses_at(scape, scape.point - step * direction, indices)
    # in float64: the differences are small against the losses
    return (ahead.double() - here.double() + (behind.double() - here.double())) / step**2


def one_sided_differences(
    around: Surroundings, direction: Tensor, step: float, indices: Tensor
) -> Tensor:
    """v^T H_k v of each sequence k, [n], from a step h of either sign and the known gradients.

    2 (L_k(theta + h v) - L_k(theta) - h g_k^T v) / h^2; its error of first order is odd in h.
    """
    scape = around.landscape
    there = losses_at(scape, scape.point + step * direction, indices).double()
    slope = (around.gradients[indices] @ direction).double()
    return 2 * (there - around.losses[indices].double() - step * slope) / step**2


def curvature_along(around: Surroundings, direction: Tensor) -> float:
    """v^T H v of the pool's mean loss for one direction v [P]; 0 for v = 0."""
    if not direction.any():
        return 0.0
    step = steps_along(around, direction[None])[0]
    return float(second_differences(around, direction, step).mean())


def curvature_samples(
    around: Surroundings, directions: Tensor, *, subset: int, rng: torch.Generator
) -> Tensor:
    """v_k^T H v_k for each direction [n, P], each on its own random subset of the pool, [n].

    Each value is unbiased for the pool's curvature, up to an error odd in v that changes sign from
    one direction to the next. A mean over many random directions is more
    precise for the same work if each sees few sequences than if few of them see the whole pool.
    The directions are of one kind, see `steps_along`.
    """
    pool = around.landscape.sequences
    values: list[Tensor] = []
    for direction, step in zip(directions, steps_along(around, directions), strict=True):
        drawn = torch.randint(pool, (subset,), generator=rng, device=rng.device)
        side = -step if len(values) % 2 else step
        differences = one_sided_differences(around, direction, side, drawn.to(direction.device))
        values.append(differences.mean())
    return torch.stack(values).cpu()
