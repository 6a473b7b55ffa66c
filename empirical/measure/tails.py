"""Heavy tails: how far the gradient of a sample, and so of a batch, is from Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch

from empirical.measure.spread import Spread

HEAVY = 1.0
"""Excess kurtosis of the batch gradient above which it is not called Gaussian."""

FEWEST = 8
"""Micro-batches below which a fourth moment says nothing."""


@dataclass(frozen=True)
class Tails:
    """Excess kurtosis of one sample's gradient; that of a batch of B is this over B.

    excess_kurtosis: median over coordinates with noise, without bias; 0 is Gaussian.
    upper: the coordinate in ten with heavier tails. coordinates: how many were looked at.
    known: False where there are too few micro-batches to tell.
    """

    excess_kurtosis: float
    upper: float
    coordinates: int
    known: bool

    @property
    def gaussian_from(self) -> int:
        """Batch size, in samples, from which Gaussian moments may be trusted."""
        return max(1, ceil(self.excess_kurtosis / HEAVY))

    def at(self, batch_size: float) -> float:
        """Excess kurtosis of a batch gradient, E[d^4]/E[d^2]^2 - 3, that of one sample over B."""
        return self.excess_kurtosis / batch_size

    def allow(self, batch_size: float) -> bool:
        """Whether Gaussian moments may be trusted at this batch size."""
        return self.known and self.at(batch_size) <= HEAVY

    def verdict(self, batch_size: float) -> str:
        """ "Gaussian", or "not Gaussian at this B" with the number; "cannot tell"."""
        if not self.known:
            return "cannot tell: too few micro-batches for a fourth moment"
        if self.allow(batch_size):
            return "Gaussian"
        here = self.at(batch_size)
        return f"not Gaussian at this B: excess kurtosis {here:.3g}, at most {HEAVY:g} is wanted"


def tails_of(spread: Spread) -> Tails:
    """Kurtosis from the deviations of micro-batches on a few coordinates.

    The unbiased form for normal samples, (M - 1) ((M + 1) k + 6) / ((M - 2) (M - 3)), k the plain
    excess kurtosis, times the size of the micro-batch.
    """
    away = spread.tails
    count = len(away)
    variance = away.square().mean(0)
    noisy = variance > 0
    if count < FEWEST or not bool(noisy.any()):
        return Tails(0.0, 0.0, int(noisy.sum()), known=False)
    scaled = away[:, noisy] / variance[noisy].sqrt()
    plain = scaled.square().square().mean(0) - 3
    free = (count - 1) * ((count + 1) * plain + 6) / ((count - 2) * (count - 3))
    one = free * spread.tail_size
    high = torch.quantile(one, 0.9)
    return Tails(float(one.median()), float(high), int(noisy.sum()), known=True)
