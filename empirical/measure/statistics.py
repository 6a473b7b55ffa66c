"""Gradient statistics of the pool: g, sigma^2, noise batch, tails, and gradient deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.measure.gradients import batch_gradients, draw_batches
from scaling_theory.estimate import Estimate, mean_estimate

COLUMNS = 8192
"""Coordinates worked on at a time, so that no second [N, P] array is needed."""

ENOUGH = 20
"""A pool of fewer than this many B_simple sequences identifies nothing: its own gradient is then
mostly noise of the pool, and every batch refers to that noise."""

HEAVY = 1.0
"""Excess kurtosis of the batch gradient above which it is not called Gaussian."""


@dataclass(frozen=True)
class PoolStatistics:
    """Statistics of the per-sequence gradients of the pool.

    Attributes:
        gradient: g, mean over the pool, [P].
        variance: sigma^2 per sequence (over the pool, divisor N), [P].
        sequences: N.
        gradient_norm_squared: |g|^2 of the text, the pool's own noise subtracted.
        trace_covariance: tr Sigma per sequence.
        simple_noise_batch: B_simple = tr Sigma / |g|^2 in sequences; None if not identified.
        noise_status: "ok", or why B_simple or the pool identifies nothing and what it needs.
        rms_sigma: root mean sigma^2 over the coordinates with sigma > 0, per sequence.
        zero_sigma_fraction: share of coordinates with sigma = 0 (unused embedding rows).
        excess_kurtosis: of one sequence's gradient, median over coordinates with sigma > 0;
            that of a batch is this over B.
    """

    gradient: Tensor
    variance: Tensor
    sequences: int
    gradient_norm_squared: Estimate
    trace_covariance: Estimate
    simple_noise_batch: Estimate | None
    noise_status: str
    rms_sigma: float
    zero_sigma_fraction: float
    excess_kurtosis: float

    @property
    def sufficient(self) -> bool:
        """Whether the pool is large enough for what is measured on it to mean something."""
        return self.noise_status == "ok"

    def batch_kurtosis(self, batch_size: int) -> float:
        """Excess kurtosis of a batch gradient, E[d^4]/E[d^2]^2 - 3, that of one sequence over B."""
        return self.excess_kurtosis / batch_size

    def is_gaussian(self, batch_size: int) -> bool:
        """Whether the batch gradient's tails allow Gaussian moments at this batch size."""
        return self.batch_kurtosis(batch_size) <= HEAVY


def pool_statistics(gradients: Tensor) -> PoolStatistics:
    """Statistics of sequence gradients [N, P]."""
    sequences = len(gradients)
    mean = gradients.mean(0)
    variance, kurtosis = _central_moments(gradients, mean)
    noisy = variance > 0
    norms, trace, noise_batch, status = _noise_scale(gradients, mean)
    return PoolStatistics(
        gradient=mean,
        variance=variance,
        sequences=sequences,
        gradient_norm_squared=norms,
        trace_covariance=trace,
        simple_noise_batch=noise_batch,
        noise_status=status,
        rms_sigma=float(variance[noisy].mean().sqrt()),
        zero_sigma_fraction=1.0 - float(noisy.double().mean()),
        excess_kurtosis=float(kurtosis[noisy].median()),
    )


def _central_moments(gradients: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Variance (divisor N) and excess kurtosis of each coordinate, [P] each; 0/0 is 0."""
    variance, kurtosis = torch.empty_like(mean), torch.empty_like(mean)
    for start in range(0, len(mean), COLUMNS):
        here = slice(start, start + COLUMNS)
        squares = (gradients[:, here] - mean[here]).square()
        variance[here] = squares.mean(0)
        # in units of the variance first: a fourth power underflows in float32
        scale = variance[here].clamp_min(torch.finfo(mean.dtype).tiny)
        kurtosis[here] = (squares / scale).square().mean(0) - 3.0
    return variance, kurtosis


def _noise_scale(
    gradients: Tensor, mean: Tensor
) -> tuple[Estimate, Estimate, Estimate | None, str]:
    """|g|^2, tr Sigma and B_simple = tr Sigma / |g|^2 (arXiv 1812.06162), with their errors.

    |mean|^2 exceeds |g|^2 by tr Sigma / N on average, which is subtracted. Errors are those of
    the influence functions of one sequence.
    """
    count = len(gradients)
    along = (gradients @ mean).double().cpu().numpy()
    size = torch.linalg.vector_norm(gradients, dim=1).double().square().cpu().numpy()
    square = float(mean.double().square().sum())
    spread = (size - 2 * along + square) * count / (count - 1)
    trace = mean_estimate(spread)
    norm = mean_estimate(2 * (along - square) + square - spread / count)
    enough = f"the pool holds {count} sequences"
    if norm.value <= 2 * norm.standard_error:
        # |g|^2 may be as large as this, no larger
        highest = max(norm.value + 2 * norm.standard_error, np.finfo(float).tiny)
        more = max(round(ENOUGH * trace.value / highest) - count, count)
        return norm, trace, None, f"not identified: {enough}, needs about {more} more or beyond"
    ratio = trace.value / norm.value
    influence = (spread - trace.value) / norm.value - ratio / norm.value * 2 * (along - square)
    error = float(np.std(influence, ddof=1)) / count**0.5
    noise_batch = Estimate(ratio, error, count)
    if count < ENOUGH * ratio:
        more = round(ENOUGH * ratio) - count
        text = f"{enough}, {ENOUGH} B_simple are wanted: it identifies nothing; add {more} or more"
        return norm, trace, noise_batch, text
    return norm, trace, noise_batch, "ok"


def draw_deviations(
    gradients: Tensor, mean: Tensor, count: int, micro_batch: int, rng: torch.Generator
) -> Tensor:
    """Gradient deviations of random micro-batches, [count, P]: their covariance is Sigma / b.

    Each is the mean of b sequences drawn with replacement, less the pool gradient.
    """
    indices = draw_batches(len(gradients), count, micro_batch, rng)
    blocks = [batch_gradients(gradients, block) - mean for block in torch.split(indices, 64)]
    return torch.cat(blocks)
