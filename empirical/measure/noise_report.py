"""Noise scales of the whole model and of every group, from one pass over the pool.

Four scales, all in samples (arXiv 1812.06162 for the first two):

    simple  tr Sigma / |g|^2
    sgd     Tr(H Sigma) / g^T H g                     (module `curvature_scale`)
    sign    (sum_i sigma_i / sum_i |g_i|)^2           where sign updates feel noise and signal alike
    adam    sum_i A_i sigma_i^2 / sum_i A_i g_i^2     A = 1 / (sqrt(v) + epsilon)

`simple` is `sgd` for H a multiple of 1, `adam` its like for A^(1/2) H A^(1/2) a multiple of 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from empirical.measure.block_sums import BlockSums, block_sums
from empirical.measure.groups import Group
from empirical.measure.spread import Spread
from scaling_theory.estimate import Estimate
from scaling_theory.noise_scale import NoiseScale, noise_scale, signal_of
from scaling_theory.one_norm import sign_scale

Array = NDArray[np.float64]

ENOUGH = 20
"""A pool of fewer than this many B_simple samples identifies nothing: its own gradient is then
mostly noise of the pool, and every batch refers to that noise."""


@dataclass(frozen=True)
class GroupNoise:
    """Signal and noise of one group of coordinates.

    Attributes:
        name: of the group; "all" is the whole model.
        parameters: how many coordinates it has.
        gradient_norm_squared: |g|^2 without the noise of the sample; may be negative.
        trace_covariance: tr Sigma of one sample.
        rms_sigma: root mean sigma^2 over the coordinates with sigma > 0.
        simple, sign, adam: noise scales, in samples.
    """

    name: str
    parameters: int
    gradient_norm_squared: Estimate
    trace_covariance: Estimate
    rms_sigma: float
    simple: NoiseScale
    sign: NoiseScale
    adam: NoiseScale


def pool_status(noise: GroupNoise) -> str:
    """ "ok", or why a pool of so many samples identifies nothing and how many more it wants."""
    simple = noise.simple.estimate
    if simple is None:
        return noise.simple.status
    count = simple.samples
    if count >= ENOUGH * simple.value:
        return "ok"
    more = round(ENOUGH * simple.value) - count
    return (
        f"the pool holds {count} sequences, {ENOUGH} B_simple are wanted: it identifies nothing; "
        f"add {more} or more"
    )


def noise_of(
    spread: Spread,
    groups: tuple[Group, ...],
    *,
    second_moment: Tensor | None,
    epsilon: float,
    tokens: float,
) -> dict[str, GroupNoise]:
    """The noise of every group, the first of which is the whole.

    second_moment: Adam's v, [P]; None: g^2 + sigma^2, which it is at batches of one sample.
    tokens: per sample.
    """
    sums = block_sums(spread, groups, second_moment, epsilon)
    return {
        group.name: _group_noise(spread, group, seen.numpy(), part, tokens)
        for group, part, seen in zip(groups, sums, spread.traces.T, strict=True)
    }


def _group_noise(
    spread: Spread, group: Group, seen: Array, sums: BlockSums, tokens: float
) -> GroupNoise:
    count = spread.samples
    trace = Estimate(sums.trace, _spread_error(seen), count)
    signal = signal_of(sums.norm, sums.trace, sums.gram, count)
    weighted = Estimate(sums.adam_trace, _spread_error(sums.adam_between), count)
    adam_signal = signal_of(sums.adam_norm, sums.adam_trace, sums.adam_gram, count)
    return GroupNoise(
        name=group.name,
        parameters=group.size,
        gradient_norm_squared=signal.estimate,
        trace_covariance=trace,
        rms_sigma=sqrt(sums.trace / max(sums.noisy, 1)),
        simple=noise_scale("simple", trace, signal, _covariance(sums.gram, seen), tokens),
        sign=sign_scale(sums.one_norm, count, tokens),
        adam=noise_scale(
            "adam",
            weighted,
            adam_signal,
            _covariance(sums.adam_gram, sums.adam_between),
            tokens,
        ),
    )


def _spread_error(values: Array) -> float:
    return float(np.std(values, ddof=1)) / sqrt(len(values))


def _covariance(gram: Array, traces: Array) -> float:
    """Of the estimates of |g|^2 and of the trace: both move with the same blocks."""
    count = len(gram)
    along = (gram.sum(axis=1) - np.diag(gram)) / (count - 1)
    return 2 * float(np.cov(along, traces)[0, 1]) / count
