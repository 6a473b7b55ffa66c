"""Gradients of real batches, drawn with replacement from the pool.

Where the gradient of every sample is kept, that of a batch is a weighted sum of rows: thousands of
batches, of 1024 samples as of 4, cost no further backward pass. Else each is made once and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from empirical.errors import UsageError
from empirical.measure.block_store import open_store
from empirical.measure.point import Point
from empirical.measure.rows import gradient_of

DENSE_BATCH = 64
"""From this batch size on, one matrix product beats gathering the rows of the batch."""

TOGETHER = 16
"""Batch gradients held at a time."""


@dataclass(frozen=True, eq=False)
class Batches:
    """M batches and their gradients.

    indices: of the samples, [M, B]. made: the gradients, [M, P]; None where rows are kept.
    """

    at: Point
    indices: Tensor
    made: Tensor | None

    def gradients(self, first: int = 0, last: int | None = None) -> Iterator[Tensor]:
        """The gradient of each batch's mean loss, [P], from batch `first` to before `last`."""
        if self.made is not None:
            for row in self.made[first:last]:
                yield row.to(self.at.problem.point)
            return
        for some in torch.split(self.indices[first:last], TOGETHER):
            yield from sums_of_rows(self.at, some)


def draw_batches(samples: int, batches: int, batch_size: int, rng: torch.Generator) -> Tensor:
    """Batches drawn with replacement from a pool, as indices [batches, batch_size]."""
    return torch.randint(samples, (batches, batch_size), generator=rng, device=rng.device)


def batches_of(at: Point, indices: Tensor, max_memory: int | None = None) -> Batches:
    """These batches, [M, B], with their gradients.

    max_memory: bytes for gradients that have to be made, before they go to disk.

    Raises UsageError where there is no room for them.
    """
    if at.rows is not None:
        return Batches(at, indices, None)
    made = open_store(len(indices), at.problem.point, max_memory).rows
    if len(made) < len(indices):
        raise UsageError(
            f"there is room for {len(made)} gradients, {len(indices)} are wanted: ask for fewer "
            "batches or give more memory or disk"
        )
    for row, picked in zip(made, indices, strict=True):
        row.copy_(gradient_of(at.problem, picked.to(at.problem.point.device)))
    return Batches(at, indices, made)


def sums_of_rows(at: Point, indices: Tensor) -> Tensor:
    """Gradient of each batch's mean loss, [n, P], for batches [n, B], from the rows kept."""
    if at.rows is None:
        raise ValueError("a point without the gradient of each sample came; keep_rows is wanted")
    rows = at.rows
    weights = at.problem.weights[indices]
    share = (weights / weights.sum(1, keepdim=True)).to(rows)
    indices = indices.to(rows.device)
    if indices.shape[1] < DENSE_BATCH:
        return embedding_bag(indices, rows, mode="sum", per_sample_weights=share)
    dense = torch.zeros(len(indices), len(rows), dtype=rows.dtype, device=rows.device)
    return dense.scatter_add_(1, indices, share) @ rows
