"""A measured point: a problem with its gradient and noise, and what steps along directions need.

Where the gradient of a group of samples is known, the loss of these samples along a direction is
known to first order, and one forward pass tells what is beyond it. The smallest such groups, the
units, are the blocks of the pass over the pool; single samples where the gradient of each was kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from empirical.measure.loss_unit import unit_of
from empirical.measure.losses import sample_losses, weighted_losses
from empirical.measure.problem import Problem
from empirical.measure.spread import Spread

SLOPE_BLOCKS = 6
"""Block deviations that tell how steep a sample is along a direction."""


@dataclass(frozen=True, eq=False)
class Look:
    """Some samples seen along a direction v from the point.

    samples: their numbers, [n]. here: sum of w_k L_k. slope: sum of w_k g_k^T v.
    """

    samples: Tensor
    here: float
    slope: float


@dataclass(frozen=True, eq=False)
class Point:
    """A problem with its gradient and noise.

    rows: the gradient of every sample, [N, P], in the order of the pool; None if not kept.
    """

    problem: Problem
    spread: Spread
    rows: Tensor | None = None

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.spread.members) if self.rows is None else self.problem.samples

    def units_for(self, samples: int) -> int:
        """Units that hold about so many samples, at least one."""
        return min(self.units, max(1, round(samples * self.units / self.problem.samples)))

    @cached_property
    def losses(self) -> Tensor:
        """sum of w_k L_k of each unit at theta itself, float64: one forward pass, once."""
        problem = self.problem
        if self.rows is not None:
            return sample_losses(problem, self._order)
        members = self.spread.members
        return torch.stack([weighted_losses(problem, problem.point, m).sum() for m in members])

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

    def look(self, direction: Tensor, units: Sequence[int]) -> Look:
        """The samples of these units along a direction v [P]."""
        picked = torch.tensor(units, device="cpu")
        here = float(self.losses[picked].sum())
        if self.rows is not None:
            samples = self._order[picked.to(self._order.device)]
            weights = self.problem.weights[samples.cpu()]
            slopes = torch.stack([self.rows[k] @ direction.to(self.rows) for k in samples.tolist()])
            return Look(samples, here, float(weights @ slopes.double().cpu()))
        spread = self.spread
        along = direction.to(spread.blocks)
        # W_j G_j = W_j g + n_j s_j d_j
        slope = float(spread.weights[picked].sum()) * float(spread.gradient @ direction)
        for j in units:
            scale = len(spread.members[j]) * float(spread.shrink[j])
            slope += scale * float(spread.blocks[j] @ along)
        return Look(torch.cat([spread.members[j] for j in units]), here, slope)

    @cached_property
    def _order(self) -> Tensor:
        """Sample numbers in the random order of the pass over the pool, [N]."""
        return torch.cat(self.spread.members)
