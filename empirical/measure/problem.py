"""What is measured: any loss over a pool of samples, as a function of one parameter vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from empirical.measure.functional import BatchLoss
from empirical.measure.samples import SamplePool, Stack

Mode = Literal["vector", "vmap", "loop"]
"""How the losses of single samples come: the loss returns them, by vmap, or one at a time."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A loss over a pool of N samples around a fixed point.

    The loss of the pool is sum_k w_k L_k / sum_k w_k: a mean over samples (w = 1), or over tokens
    where samples have unequal numbers of them. Conventions: a "sample" is one row of a batch; for
    text it is a sequence.

    Attributes:
        loss: mean loss of a batch [], or loss of each sample [n]; pure.
        names, shapes: of the parameters, in the order in which they are laid into one vector.
        point: the parameters theta, [P].
        pool: the samples.
        weights: w_k over their mean, [N], float64 on the CPU.
        tokens_per_sample: mean number of tokens that count in a sample; 1 without tokens.
        mode: how losses of single samples are had.
        chunk: samples per forward pass.
        notes: what was changed or found on the way, one sentence each.
    """

    loss: BatchLoss
    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    point: Tensor
    pool: SamplePool
    weights: Tensor
    tokens_per_sample: float
    mode: Mode
    chunk: int
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        """N, the number of samples in the pool."""
        return self.pool.size

    @property
    def parameters(self) -> int:
        """P, the number of trainable coordinates."""
        return self.point.numel()


def single(loss: BatchLoss, stack: Stack, named: Mapping[str, Tensor]) -> Any:
    """The loss of one sample as a function of its tensors, each without the sample axis."""

    def alone(*tensors: Tensor) -> Tensor:
        return loss(named, stack.batch(t[None] for t in tensors)).sum()

    return alone


def batch_losses(
    problem: Problem, named: Mapping[str, Tensor], indices: Tensor, chunk: int | None = None
) -> Iterator[tuple[Tensor, float]]:
    """(mean loss [], sum of weights) of each part of these samples that makes one batch.

    chunk: samples per part at most; None: the problem's.
    """
    for where, stack, rows in problem.pool.parts(indices, chunk or problem.chunk):
        weights = problem.weights[indices[where].cpu()]
        found = problem.loss(named, stack.batch(stack.tensors(rows)))
        if found.dim():
            scale = weights.to(found)
            found = (found * scale).sum() / scale.sum()
        yield found, float(weights.sum())
