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

from empirical.measure.groups import Group
from empirical.measure.spread import Spread
from scaling_theory.estimate import Estimate
from scaling_theory.noise_scale import NoiseScale, noise_scale, signal_of
from scaling_theory.one_norm import OneNorm, sign_scale

Array = NDArray[np.float64]

COLUMNS = 1 << 15
"""Coordinates worked on at a time."""


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


def group_noise(
    spread: Spread, group: Group, number: int, adam_scale: Tensor, tokens: float
) -> GroupNoise:
    """The noise of one group.

    number: of the group in spread.traces. adam_scale: A, [P]. tokens: per sample.
    """
    sums = _one_look(spread, group, adam_scale)
    count = spread.samples
    seen = spread.traces[:, number].numpy()
    error = float(np.std(seen, ddof=1)) / sqrt(len(seen))
    trace = Estimate(sums.trace, error, count)
    signal = signal_of(sums.norm, sums.trace, sums.gram, count)
    covariance = _covariance(sums.gram, seen)
    weighted = Estimate(sums.adam_trace, _spread_error(sums.adam_between), count)
    adam_signal = signal_of(sums.adam_norm, sums.adam_trace, sums.adam_gram, count)
    return GroupNoise(
        name=group.name,
        parameters=group.size,
        gradient_norm_squared=signal.estimate,
        trace_covariance=trace,
        rms_sigma=sqrt(sums.trace / max(sums.noisy, 1)),
        simple=noise_scale("simple", trace, signal, covariance, tokens),
        sign=sign_scale(sums.one_norm, count, tokens),
        adam=noise_scale(
            "adam",
            weighted,
            adam_signal,
            _covariance(sums.adam_gram, sums.adam_between),
            tokens,
        ),
    )


def preconditioner(variance: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """A = 1 / (sqrt(g^2 + sigma^2) + epsilon), [P]: Adam's at batches of one sample; 0 for 0/0."""
    return inverse(variance + gradient.square(), epsilon)


def inverse(v: Tensor, epsilon: float) -> Tensor:
    """1 / (sqrt(v) + epsilon), and 0 for coordinates that never had a gradient."""
    root = v.sqrt() + epsilon
    return root.reciprocal().where(v > 0, root.new_zeros(()))


@dataclass
class _Sums:
    """Sums over the coordinates of a group; Gram matrices are those of block means."""

    gram: Array
    adam_gram: Array
    adam_between: Array
    one_norm: OneNorm
    norm: float = 0.0
    trace: float = 0.0
    adam_norm: float = 0.0
    adam_trace: float = 0.0
    noisy: int = 0


def _one_look(spread: Spread, group: Group, adam_scale: Tensor) -> _Sums:
    count = len(spread.blocks)
    shrink = spread.shrink.numpy()[:, None]
    sums = _Sums(
        np.zeros((count, count)), np.zeros((count, count)), np.zeros(count), OneNorm(count)
    )
    for piece in group.slices:
        for start in range(piece.start, piece.stop, COLUMNS):
            here = slice(start, min(start + COLUMNS, piece.stop))
            g = _numbers(spread.gradient[here])
            s2 = _numbers(spread.variance[here])
            a = _numbers(adam_scale[here])
            away = _numbers(spread.blocks[:, here])
            means = g + shrink * away
            root = np.sqrt(a)
            sums.gram += means @ means.T
            scaled = root * means
            sums.adam_gram += scaled @ scaled.T
            sums.adam_between += spread.block_size * (away**2 @ a)
            sums.norm += float(g @ g)
            sums.trace += float(s2.sum())
            sums.adam_norm += float(a @ g**2)
            sums.adam_trace += float(a @ s2)
            sums.noisy += int((s2 > 0).sum())
            sums.one_norm.add(g, s2, means)
    return sums


def _numbers(values: Tensor) -> Array:
    found: Array = values.cpu().double().numpy()
    return found


def _spread_error(values: Array) -> float:
    return float(np.std(values, ddof=1)) / sqrt(len(values))


def _covariance(gram: Array, traces: Array) -> float:
    """Of the estimates of |g|^2 and of the trace: both move with the same blocks."""
    count = len(gram)
    along = (gram.sum(axis=1) - np.diag(gram)) / (count - 1)
    return 2 * float(np.cov(along, traces)[0, 1]) / count
