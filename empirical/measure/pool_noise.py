"""How far the descent and the curvature of a step would move on another pool of N samples.

The pool's mean g_N has covariance Sigma / N. A function of it has the variance a^T Sigma a / N, a
its derivative (delta method). K block deviations d_k of covariance Sigma / b, b = N / K, stand for
Sigma: a^T Sigma a / N = sum_k (a^T d_k)^2 / K^2.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from empirical.measure.directional import blocks_for, hessian_vector_ahead
from empirical.measure.point import Point

PULL_SAMPLES = 128
"""Samples of the product H E[u], which only serves a standard error."""


@dataclass(frozen=True)
class PoolNoise:
    """Variances over pools of E[u]^T g and E[u^T H u], and their covariance."""

    descent: float
    curvature: float
    covariance: float


def pool_noise(at: Point, pull: Tensor, mean: Tensor, gain: Tensor) -> PoolNoise:
    """From the derivatives by g_N: `pull` of the descent, and 2 A H E[u] of the curvature.

    pull, [P]: E[u + A g]. mean: E[u], [P]. gain: the diagonal A of E[du/dG], [P]. How the gain
    itself moves is left out.
    """
    few = range(blocks_for(at, PULL_SAMPLES))
    bent = 2 * gain * hessian_vector_ahead(at, mean, few)
    rows = at.spread.blocks
    down, across = ((rows @ by.to(rows)).double() / len(rows) for by in (pull, bent))
    return PoolNoise(float(down @ down), float(across @ across), float(down @ across))
