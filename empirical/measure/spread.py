"""Gradient, variance and block deviations of a pool in one pass, five vectors at a time.

With unequal weights the gradient of a batch is a ratio of sums, sum w_k g_k / sum w_k. To first
order (delta method) it is the mean of x_k = g + w_k (g_k - g), w of mean 1: the deviations below
are those of x_k, and Sigma is their covariance. A micro-batch of n samples and weight W gives
W (G - g) = sum of n deviations, hence with unequal sizes (own derivation)

    sigma^2 = sum_m W_m^2 (G_m - g)^2 / (N - sum_m n_m^2 / N),

which is the familiar divisor N - 1 for single samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from empirical.measure.block_store import open_store
from empirical.measure.groups import Group
from empirical.measure.problem import Problem
from empirical.measure.rows import Rows, gradient_rows

TAIL_COORDINATES = 2048
TAIL_NUMBERS = 1 << 22
"""At most so many coordinates, and so many numbers in all, are kept for the kurtosis."""


@dataclass(frozen=True, eq=False)
class Spread:
    """What one pass over the pool leaves.

    Attributes:
        gradient: g, [P].
        variance: sigma^2 of one sample, without bias, [P].
        blocks: K block deviations on the CPU, [K, P]: covariance Sigma / b, b = N / K.
        shrink: [K]; g + shrink_j blocks_j is the mean of block j itself.
        traces: tr Sigma as each block saw it, [K, groups], float64.
        tails: deviations of micro-batches on a few coordinates, [M, C], float64.
        tail_size: samples in a micro-batch of `tails`.
        samples: N.
        notes: where the blocks are, if that is worth saying.
    """

    gradient: Tensor
    variance: Tensor
    blocks: Tensor
    shrink: Tensor
    traces: Tensor
    tails: Tensor
    tail_size: int
    samples: int
    notes: tuple[str, ...]

    @property
    def block_size(self) -> float:
        """b, samples per block."""
        return self.samples / len(self.blocks)


class SpreadPass(Protocol):
    """One pass over a pool, as `measure_spread` makes it."""

    def __call__(
        self,
        problem: Problem,
        groups: tuple[Group, ...],
        *,
        blocks: int,
        micro_batch: int,
        max_memory: int | None,
        rng: torch.Generator,
    ) -> Spread: ...


def measure_spread(
    problem: Problem,
    groups: tuple[Group, ...],
    *,
    blocks: int,
    micro_batch: int,
    max_memory: int | None,
    rng: torch.Generator,
) -> Spread:
    """One pass over the pool in random order; see `measure` for the arguments."""
    count = problem.samples
    rows_in_all = -(-count // micro_batch)
    store = open_store(min(blocks, rows_in_all), problem.point, max_memory)
    kept = len(store.rows)
    order = torch.randperm(count, generator=rng).to(problem.point.device)
    block_of = torch.arange(rows_in_all) * kept // rows_in_all
    coordinates = min(problem.parameters, TAIL_COORDINATES, max(1, TAIL_NUMBERS // rows_in_all))
    picked = torch.randperm(problem.parameters, generator=rng)[:coordinates]
    weights = problem.weights
    even = count % micro_batch == 0 and bool((weights == weights[0]).all())
    sums = Sums(problem.point, groups, store.rows, picked, even)
    for rows in gradient_rows(problem, order, micro_batch, problem.chunk):
        sums.add(rows, block_of[rows.numbers])
    notes = (store.note,) if store.note else ()
    return sums.finish(count, micro_batch, notes)


class Sums:
    """Running sums of W y, W^2 y and W^2 y^2, y = G - reference: no large numbers are subtracted.

    The reference is the first micro-batch's gradient. Where all micro-batches are even in size and
    weight, W^2 y is a multiple of W y and not kept.
    """

    def __init__(
        self, like: Tensor, groups: tuple[Group, ...], blocks: Tensor, picked: Tensor, even: bool
    ) -> None:
        self.groups, self.blocks, self.picked = groups, blocks, picked
        self.reference: Tensor | None = None
        self.first, self.square = torch.zeros_like(like), torch.zeros_like(like)
        self.second = None if even else torch.zeros_like(like)
        self.per_block = torch.zeros(len(blocks), 4, dtype=torch.float64)
        self.norms = torch.zeros(len(blocks), len(groups), dtype=torch.float64)
        self.tails: list[Tensor] = []

    def add(self, rows: Rows, block_of: Tensor) -> None:
        """Take in gradients [c, P] (changed in place), each belonging to a block."""
        if self.reference is None:
            self.reference = rows.gradients[0].clone()
        away = rows.gradients.sub_(self.reference)
        self.tails.append(away[:, self.picked.to(away.device)].double().cpu())
        weights = rows.weights.to(away)
        self.first += weights @ away
        if self.second is not None:
            self.second += weights.square() @ away
        membership = (torch.unique(block_of)[:, None] == block_of).to(away)
        self.blocks[torch.unique(block_of)] += ((membership * weights) @ away).cpu()
        for number, group in enumerate(self.groups):
            squares = sum(away[:, piece].square().sum(1) for piece in group.slices)
            scaled = torch.as_tensor(squares).double().cpu() * rows.weights.square()
            self.norms[:, number].index_add_(0, block_of, scaled)
        away.square_()
        self.square += weights.square() @ away
        parts = [rows.weights, rows.weights.square(), rows.sizes, rows.sizes.square()]
        self.per_block.index_add_(0, block_of, torch.stack(parts, dim=1))

    def finish(self, count: int, micro_batch: int, notes: tuple[str, ...]) -> Spread:
        """Means and central moments from the sums."""
        if self.reference is None:
            raise ValueError("no gradient came; at least one is wanted")
        weight, weight2, sizes, sizes2 = self.per_block.T
        total = float(weight.sum())
        mean = self.first / total
        second = self.first * (float(weight2.sum()) / total) if self.second is None else self.second
        divisor = count - float(sizes2.sum()) / count
        variance = self.square - 2 * mean * second + mean.square() * float(weight2.sum())
        # a negative is rounding: the sum of squares around the mean has no other
        variance = (variance / divisor).clamp_min_(0.0)
        for number, away, norms in self._block_norms(mean):
            # exact for even micro-batches; else good enough for the error of a trace
            across = norms * (weight2[number] / weight[number]).item()
            self.norms[number] += weight2[number] * away - 2 * across
        traces = self.norms * (len(self.blocks) / divisor)
        b = count / len(self.blocks)
        shrink = (1 - sizes / count).sqrt() * (b / sizes).sqrt()
        centre = mean.cpu()
        for number, row in enumerate(self.blocks):
            row.sub_(float(weight[number]) * centre).div_(float(sizes[number] * shrink[number]))
        tails = torch.cat(self.tails)
        return Spread(
            gradient=self.reference + mean,
            variance=variance,
            blocks=self.blocks,
            shrink=shrink,
            traces=traces,
            tails=tails - tails.mean(0),
            tail_size=micro_batch,
            samples=count,
            notes=notes,
        )

    def _block_norms(self, mean: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(block, |mean|^2 per group, mean . (sum of W y of the block) per group)."""
        centre = mean.cpu()
        pieces = [group.slices for group in self.groups]
        own = torch.stack([_dot(centre, centre, slices) for slices in pieces])
        for number, row in enumerate(self.blocks):
            yield number, own, torch.stack([_dot(row, centre, slices) for slices in pieces])


def _dot(first: Tensor, second: Tensor, slices: tuple[slice, ...]) -> Tensor:
    found = [torch.dot(first[piece], second[piece]).double() for piece in slices]
    return torch.stack(found).sum()
