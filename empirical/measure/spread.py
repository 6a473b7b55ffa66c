"""Gradient, variance and block deviations of a pool in one pass, five vectors at a time.

With unequal weights the gradient of a batch is a ratio of sums, sum w_k g_k / sum w_k. To first
order (delta method) it is the mean of x_k = g + w_k (g_k - g), w of mean 1: the deviations below
are those of x_k, and Sigma is their covariance. A micro-batch of n samples and weight W gives
W (G - g) = sum of n deviations, hence with unequal sizes (own derivation)

    sigma^2 = sum_m W_m^2 (G_m - g)^2 / (N - sum_m n_m^2 / N),

which is the familiar divisor N - 1 for single samples.

Memory: a gradient, the reference, W^2 y^2 and, with uneven weights, W^2 y; all else is done a
stretch of coordinates at a time, while they are in the cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from empirical.measure.block_store import open_store
from empirical.measure.groups import Group
from empirical.measure.problem import Problem
from empirical.measure.rows import Rows, gradient_rows

TAIL_COORDINATES = 2048
TAIL_NUMBERS = 1 << 22
"""At most so many coordinates, and so many numbers in all, are kept for the kurtosis."""

STRETCH = 1 << 17
"""Numbers worked on at a time: they stay in the cache."""


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
        members: the samples of each block.
        weights: sum of w_k of each block, [K], float64.
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
    members: tuple[Tensor, ...]
    weights: Tensor
    notes: tuple[str, ...]

    @property
    def block_size(self) -> float:
        """b, samples per block."""
        return self.samples / len(self.blocks)


def measure_spread(
    problem: Problem,
    groups: tuple[Group, ...],
    *,
    blocks: int,
    micro_batch: int,
    max_memory: int | None,
    rng: torch.Generator,
    keep: Tensor | None = None,
) -> Spread:
    """One pass over the pool in random order; see `measure` for the arguments.

    keep: what the gradient of every sample is written into, [N, P]; for micro-batches of one.
    """
    count = problem.samples
    rows_in_all = -(-count // micro_batch)
    store = open_store(min(blocks, rows_in_all), problem.point, max_memory)
    kept = len(store.rows)
    order = torch.randperm(count, generator=rng, device="cpu").to(problem.point.device)
    block_of = torch.arange(rows_in_all, device="cpu") * kept // rows_in_all
    picked = tail_coordinates(problem, rows_in_all, rng)
    weights = problem.weights
    even = count % micro_batch == 0 and bool((weights == weights[0]).all())
    sums = Sums(problem.point, groups, store.rows, picked, even)
    for rows in gradient_rows(problem, order, micro_batch, problem.chunk):
        if keep is not None:
            keep[order[rows.numbers.to(order.device)]] = rows.gradients
        sums.add(rows, block_of[rows.numbers])
    notes = (store.note,) if store.note else ()
    return sums.finish(members_of(order, block_of, micro_batch), micro_batch, notes)


def tail_coordinates(problem: Problem, micro_batches: int, rng: torch.Generator) -> Tensor:
    """Random coordinates whose deviations are kept for the kurtosis, [C]."""
    most = min(TAIL_COORDINATES, max(1, TAIL_NUMBERS // micro_batches))
    # a copy: a view would keep all P numbers
    return torch.randperm(problem.parameters, generator=rng, device="cpu")[:most].clone()


def members_of(order: Tensor, block_of: Tensor, micro_batch: int) -> tuple[Tensor, ...]:
    """The samples of each block, from those in order and the block of each micro-batch, [M]."""
    of_sample = block_of[torch.arange(len(order), device="cpu") // micro_batch]
    return torch.split(order, torch.bincount(of_sample).tolist())


class Sums:
    """Running sums of W y and W^2 y^2, y = G - reference: no large numbers are subtracted.

    The reference is the first micro-batch's gradient. W^2 y is kept where micro-batches are uneven
    in size or weight; else it is a multiple of W y. W y is kept by blocks.

    Parts of one pass with one reference add up: blocks, square, second, per_block and norms as
    sums, tails end to end.
    """

    def __init__(
        self, like: Tensor, groups: tuple[Group, ...], blocks: Tensor, picked: Tensor, even: bool
    ) -> None:
        self.groups, self.blocks, self.picked = groups, blocks, picked
        self.reference: Tensor | None = None
        self.square = torch.zeros_like(like)
        self.second = None if even else torch.zeros_like(like)
        # of each block: sums of W, W^2, n, n^2
        self.per_block = torch.zeros(len(blocks), 4, dtype=torch.float64, device="cpu")
        self.norms = torch.zeros(len(blocks), len(groups), dtype=torch.float64, device="cpu")
        self.tails: list[Tensor] = []

    def add(self, rows: Rows, block_of: Tensor) -> None:
        """Take in gradients [c, P] (changed in place), each belonging to a block."""
        if self.reference is None:
            self.reference = rows.gradients[0].clone()
        norms = torch.zeros(len(rows.weights), len(self.groups), dtype=torch.float64, device="cpu")
        for here, number in stretches(self.groups, STRETCH // len(rows.weights)):
            away = rows.gradients[:, here].sub_(self.reference[here])
            norms[:, number] += self._take_in(away, here, rows.weights, block_of)
        norms[:, 0] = norms.sum(1)
        self.norms.index_add_(0, block_of, norms * rows.weights.square()[:, None])
        self.tails.append(rows.gradients[:, self.picked.to(rows.gradients.device)].double().cpu())
        w, n = rows.weights, rows.sizes
        parts = torch.stack([w, w.square(), n, n.square()], dim=1)
        self.per_block.index_add_(0, block_of, parts)

    def _take_in(self, away: Tensor, here: slice, weights: Tensor, block_of: Tensor) -> Tensor:
        """Add y, [c, stretch], to the sums of a stretch; |y|^2 of each, [c]."""
        if len(away) == 1:  # in place, and half the time of the same in matrix products
            y, weight = away[0], float(weights[0])
            self.blocks[int(block_of[0]), here].add_(y.to(self.blocks), alpha=weight)
            if self.second is not None:
                self.second[here].add_(y, alpha=weight**2)
            self.square[here].addcmul_(y, y, value=weight**2)
            return torch.dot(y, y)[None].double().cpu()
        low, high = int(block_of.min()), int(block_of.max()) + 1
        scale = weights.to(away)
        membership = (torch.arange(low, high, device="cpu")[:, None] == block_of).to(away) * scale
        self.blocks[low:high, here] += (membership @ away).to(self.blocks)
        if self.second is not None:
            self.second[here].addmv_(away.T, scale.square())
        squares = away.square()
        self.square[here].addmv_(squares.T, scale.square())
        return squares.sum(1).double().cpu()

    def finish(
        self, members: tuple[Tensor, ...], micro_batch: int, notes: tuple[str, ...]
    ) -> Spread:
        """Means and central moments from the sums, in the place of the sums."""
        if self.reference is None:
            raise ValueError("no gradient came; at least one is wanted")
        weight, weight2, sizes, sizes2 = self.per_block.T
        total, total2, count = float(weight.sum()), float(weight2.sum()), int(sizes.sum())
        divisor = count - float(sizes2.sum()) / count
        b = count / len(self.blocks)
        shrink = (1 - sizes / count).sqrt() * (b / sizes).sqrt()
        across = torch.zeros_like(self.norms)
        own = torch.zeros(len(self.groups), dtype=torch.float64, device="cpu")
        scale = (sizes * shrink).to(self.blocks)[:, None]
        for here, number in stretches(self.groups, STRETCH // len(self.blocks)):
            rows = self.blocks[:, here]
            first = rows.sum(0)
            mean = first / total
            across[:, number] += (rows @ mean).double()
            own[number] += torch.dot(mean, mean).double()
            rows.sub_(weight.to(rows)[:, None] * mean).div_(scale)
            mean = mean.to(self.square)
            second = mean * total2 if self.second is None else self.second[here]
            variance = self.square[here]
            variance.sub_(2 * mean * second).add_(mean.square(), alpha=total2)
            # a negative is rounding: the sum of squares around the mean has no other
            variance.div_(divisor).clamp_min_(0.0)
            self.reference[here] += mean
        across[:, 0], own[0] = across.sum(1), own.sum()
        # exact for even micro-batches; else good enough for the error of a trace
        ratio = (weight2 / weight)[:, None]
        norms = self.norms + weight2[:, None] * own - 2 * ratio * across
        tails = torch.cat(self.tails)
        return Spread(
            gradient=self.reference,
            variance=self.square,
            blocks=self.blocks,
            shrink=shrink,
            traces=norms * (len(self.blocks) / divisor),
            tails=tails - tails.mean(0),
            tail_size=micro_batch,
            samples=count,
            members=members,
            weights=weight,
            notes=notes,
        )


def stretches(groups: tuple[Group, ...], length: int) -> list[tuple[slice, int]]:
    """All coordinates in short pieces of one group each, with the group's number.

    The first group is the whole, the others part it.
    """
    return [
        (slice(start, min(start + length, stop)), number)
        for number, group in enumerate(groups)
        if number or len(groups) == 1
        for begin, stop in group.runs
        for start in range(begin, stop, max(1, length))
    ]
