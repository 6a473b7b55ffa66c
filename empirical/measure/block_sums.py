"""Sums over the coordinates of every group, for noise scales: one look at all block deviations.

Block means are x_j = g + s_j d_j with the deviations d_j; none of them is made. Products with
all deviations are matrix products of a stretch that is in the cache: K^2 P multiplications for
each of two Gram matrices, against about 3 N T P of the gradient itself (N samples of T tokens).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from empirical.measure.groups import Group
from empirical.measure.spread import STRETCH, Spread, stretches
from scaling_theory.one_norm import OneNorm, half_weights

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BlockSums:
    """Sums over coordinates i; A_i = 1 / (sqrt(v_i) + epsilon).

    gram, adam_gram: x_j . x_k and x_j . A x_k, [K, K]. adam_between: b d_j . A d_j, [K].
    norm, trace: of g_i^2 and sigma_i^2. adam_norm, adam_trace: the same times A_i.
    noisy: how many have sigma_i > 0. one_norm: see there.
    """

    gram: Array
    adam_gram: Array
    adam_between: Array
    norm: float
    trace: float
    adam_norm: float
    adam_trace: float
    noisy: int
    one_norm: OneNorm


def block_sums(
    spread: Spread, groups: tuple[Group, ...], second_moment: Tensor | None, epsilon: float
) -> tuple[BlockSums, ...]:
    """The sums of every group; the first is the whole, the sum of all others."""
    parts = [_Running(spread) for _ in groups]
    for here, number in stretches(groups, STRETCH // len(spread.blocks)):
        g, s2 = (x[here].to(spread.blocks) for x in (spread.gradient, spread.variance))
        v = g.square() + s2 if second_moment is None else second_moment[here].to(g)
        parts[number].add(spread.blocks[:, here], g, s2, inverse(v, epsilon))
    for part in parts[1:]:
        parts[0].join(part)
    return tuple(part.finish() for part in parts)


def inverse(v: Tensor, epsilon: float) -> Tensor:
    """1 / (sqrt(v) + epsilon), and 0 for coordinates that never had a gradient."""
    root = v.sqrt() + epsilon
    return root.reciprocal().where(v > 0, root.new_zeros(()))


class _Running:
    """The sums of one group so far, float64: Gram matrices are those of deviations."""

    def __init__(self, spread: Spread) -> None:
        count = len(spread.blocks)
        self.spread = spread
        self.halves = torch.from_numpy(half_weights(count))
        # the mean of a half is g + scaled @ deviations
        self.scaled = (self.halves * spread.shrink).to(spread.blocks)
        number = len(self.halves)
        self.gram, self.adam_gram = (
            torch.zeros(count, count, dtype=torch.float64, device="cpu") for _ in "ab"
        )
        # deviations times g, sign g, A g and the signs of each half
        self.along = torch.zeros(count, 3 + number, dtype=torch.float64, device="cpu")
        # |h| and sign(h) . g of each half; sums of single numbers, see `add`
        self.of_halves = torch.zeros(2, number, dtype=torch.float64, device="cpu")
        self.single = torch.zeros(8, dtype=torch.float64, device="cpu")

    def add(self, away: Tensor, g: Tensor, s2: Tensor, a: Tensor) -> None:
        """Deviations [K, c]; g, sigma^2 and A, [c]."""
        halves = torch.addmm(g, self.scaled, away)
        signs, sizes = halves.sign(), halves.abs()
        self.gram += away @ away.T
        self.adam_gram += (away * a) @ away.T
        self.along += away @ torch.cat([torch.stack([g, g.sign(), a * g]), signs]).T
        self.of_halves += torch.stack([sizes.sum(1), signs @ g])
        swapped = signs.view(-1, 2, len(g)).flip(1).view_as(signs)
        g2 = g.square()
        self.single += torch.stack(
            [
                g2.sum(),
                s2.sum(),
                a @ g2,
                a @ s2,
                (s2 > 0).sum(),
                s2.sqrt().sum(),
                g.abs().sum(),
                (swapped * halves).sum(),
            ]
        )

    def join(self, other: _Running) -> None:
        """Add the coordinates of another group."""
        for name in ("gram", "adam_gram", "along", "of_halves", "single"):
            getattr(self, name).add_(getattr(other, name))

    def finish(self) -> BlockSums:
        """From deviations to block means."""
        norm, trace, adam_norm, adam_trace, noisy, sigma, plain, crossed = self.single.tolist()
        shrink, number = self.spread.shrink, len(self.halves)
        size = self.of_halves[0]
        in_halves = shrink[:, None] * self.along[:, 3:] + self.of_halves[1] - size
        both = ((self.halves.T > 0) * in_halves).sum(1) * (2 / number)
        return BlockSums(
            gram=_of_means(self.gram, self.along[:, 0], norm, shrink),
            adam_gram=_of_means(self.adam_gram, self.along[:, 2], adam_norm, shrink),
            adam_between=self.spread.block_size * self.adam_gram.diagonal().numpy(),
            norm=norm,
            trace=trace,
            adam_norm=adam_norm,
            adam_trace=adam_trace,
            noisy=int(noisy),
            one_norm=OneNorm(
                sigma=sigma,
                plain=plain,
                half=float(size.mean()),
                crossed=crossed / number,
                slopes=(2 * shrink * self.along[:, 1] - both).numpy(),
            ),
        )


def _of_means(gram: Tensor, along: Tensor, norm: float, shrink: Tensor) -> Array:
    """Gram matrix of g + s_j d_j from that of the d_j, d_j . g and g . g."""
    across = shrink * along
    found: Array = (norm + across + across[:, None] + shrink * shrink[:, None] * gram).numpy()
    return found
