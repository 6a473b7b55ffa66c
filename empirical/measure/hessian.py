"""Hessian-vector product by central differences of the gradient, on a part of the pool."""

from __future__ import annotations

import torch
from torch import Tensor

from empirical.measure.curvature import Surroundings, steps_along
from empirical.measure.landscape import chunks
from empirical.measure.parameter_vector import unflatten

SUBSET = 128
"""Sequences for a product that only serves a standard error."""


def gradient_at(around: Surroundings, point: Tensor, indices: Tensor | None) -> Tensor:
    """Gradient of the mean loss over the given sequences (None: the pool) at a point, [P]."""
    scape = around.landscape
    total = torch.zeros_like(point)
    count = 0
    for x, y in chunks(scape, indices):
        at = point.detach().requires_grad_()
        loss = scape.loss(unflatten(scape, at), x, y)
        total += torch.autograd.grad(loss.sum(), at)[0]
        count += len(loss)
    return total / count


def hessian_vector(
    around: Surroundings, direction: Tensor, rng: torch.Generator, subset: int | None = SUBSET
) -> Tensor:
    """H v, [P], on a random subset of the pool (None: the whole pool).

    (grad L(theta + h v) - grad L(theta - h v)) / 2h, with the step of the second differences. It
    needs no second derivative, so any attention kernel will do.
    """
    scape, h = around.landscape, steps_along(around, direction[None])[0]
    indices = None
    if subset is not None and subset < scape.sequences:
        drawn = torch.randperm(scape.sequences, generator=rng, device=rng.device)[:subset]
        indices = drawn.to(direction.device)
    ahead = gradient_at(around, scape.point + h * direction, indices)
    behind = gradient_at(around, scape.point - h * direction, indices)
    return (ahead - behind) / (2 * h)
