"""The one-step truth, first way: eta* = E[u]^T g / E[u^T H u] from real batches.

Batches are drawn with replacement from the pool. With u-bar the mean update over M of them,

    E[u^T H u] = u-bar^T H u-bar + (1 - 1/M) E[(u_k - u-bar)^T H (u_k - u-bar)] M / (M - 1),

an identity: the first term is one curvature on the whole pool, and only the second needs many,
each on a small random part of the pool. No assumption on the noise enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import bootstrap
from torch import Tensor

from empirical.measure.curvature import Surroundings, curvature_along, curvature_samples
from empirical.measure.effort import Effort
from empirical.measure.gradients import batch_gradients, draw_batches
from empirical.measure.hessian import hessian_vector
from empirical.train.optimizers import softsign
from empirical.train.randomness import numpy_generator, private_generator
from scaling_theory.estimate import Estimate, mean_estimate
from scaling_theory.law import NoOptimalStep, optimal_step

BLOCK = 16
"""Batch gradients held at a time."""

RESAMPLES = 2000
"""Bootstrap samples behind an interval."""


@dataclass(frozen=True)
class OneStepTruth:
    """The measured one-step optimum at one batch size and epsilon.

    Attributes:
        batch_size: B, in sequences.
        epsilon: in units of the gradient (nats per token per parameter).
        learning_rate: eta*, with standard error and the number of batches; None if there is none.
        interval: its 95 % bootstrap interval.
        status: "ok", or why there is no eta* (negative curvature, no descent).
        descent: E[u]^T g.
        signal: E[u]^T H E[u].
        noise: Tr(H Cov u).
        batches: indices of the batches in the pool, [M, B].
    """

    batch_size: int
    epsilon: float
    learning_rate: Estimate | None
    interval: tuple[float, float] | None
    status: str
    descent: Estimate
    signal: Estimate
    noise: Estimate
    batches: Tensor

    @property
    def relative_error(self) -> float:
        """Standard error of eta* over its value; 0 where there is no eta* to sharpen."""
        rate = self.learning_rate
        return rate.standard_error / rate.value if rate else 0.0

    @property
    def scale(self) -> float:
        """A learning rate of the right size even where there is no eta*; 0 without descent."""
        sizes = abs(self.signal.value) + abs(self.noise.value)
        return max(self.descent.value, 0.0) / sizes if sizes > 0 else 0.0


def measure_one_step(
    around: Surroundings,
    gradient: Tensor,
    batch_size: int,
    epsilons: Sequence[float],
    effort: Effort,
    seed: int,
) -> list[OneStepTruth]:
    """The measured eta* at one batch size, for several epsilon, from the same batches.

    Args:
        around: the network at its checkpoint.
        gradient: the pool gradient g, [P].
        batch_size: B, in sequences.
        epsilons: in units of the gradient.
        effort: how much to measure.
        seed: all randomness derives from it and from the batch size.
    """
    batches, largest = effort.batches_at(batch_size), effort.error_at(batch_size)
    for more in (1, 2, 4):
        truths = _measure(around, gradient, batch_size, more * batches, epsilons, effort, seed)
        if all(truth.relative_error <= largest for truth in truths):
            break
    return truths


def _measure(
    around: Surroundings,
    gradient: Tensor,
    batch_size: int,
    batches: int,
    epsilons: Sequence[float],
    effort: Effort,
    seed: int,
) -> list[OneStepTruth]:
    rng = private_generator(seed, f"batches of {batch_size}")
    indices = draw_batches(around.landscape.sequences, batches, batch_size, rng)
    descents, means = _first_pass(around, gradient, indices, epsilons)
    return [
        _second_pass(around, indices, epsilon, descents[k].numpy(), means[k], effort, seed)
        for k, epsilon in enumerate(epsilons)
    ]


def _first_pass(
    around: Surroundings, gradient: Tensor, indices: Tensor, epsilons: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """u_k^T g of every batch, [n_eps, M] (on the CPU), and the mean update, [n_eps, P]."""
    descents = []
    sums = torch.zeros(len(epsilons), len(gradient), dtype=gradient.dtype, device=gradient.device)
    for block in torch.split(indices, BLOCK):
        x = batch_gradients(around.gradients, block)
        slopes = []
        for k, epsilon in enumerate(epsilons):
            update = softsign(x, epsilon)
            slopes.append(update @ gradient)
            sums[k] += update.sum(0)
        descents.append(torch.stack(slopes))
    return torch.cat(descents, dim=1).double().cpu(), sums / len(indices)


def _second_pass(
    around: Surroundings,
    indices: Tensor,
    epsilon: float,
    descents: np.ndarray,
    mean_update: Tensor,
    effort: Effort,
    seed: int,
) -> OneStepTruth:
    """Curvatures along the mean update and around it; the ratio with its interval."""
    batches, batch_size = indices.shape
    rng = private_generator(seed, f"curvature at {batch_size}, {epsilon!r}")
    raw_signal = curvature_along(around, mean_update)
    pull = hessian_vector(around, mean_update, rng)

    def look(part: Tensor) -> tuple[Tensor, Tensor]:
        noise, slopes = [], []
        for block in torch.split(part, BLOCK):
            update = softsign(batch_gradients(around.gradients, block), epsilon)
            slopes.append((update @ pull).double().cpu())
            away = update - mean_update
            noise.append(curvature_samples(around, away, subset=effort.subset, rng=rng))
        return torch.cat(noise), torch.cat(slopes)

    pilot = min(effort.pilot, batches)
    noise, slopes = look(indices[:pilot])
    size = abs(raw_signal) + abs(float(noise.mean()))
    share = float(noise.std()) / size if size > 0 else 0.0
    wanted = min(batches, max(pilot, round((share / effort.precision) ** 2)))
    if wanted > pilot:
        more = look(indices[pilot:wanted])
        noise, slopes = torch.cat([noise, more[0]]), torch.cat([slopes, more[1]])

    bias = batches / (batches - 1)
    noise_k = noise.numpy() * bias
    # the mean of M updates carries 1/M of the noise curvature
    signal_value = raw_signal - float(noise_k.mean()) / batches
    signal_k = 2.0 * slopes.numpy()
    signal = Estimate(signal_value, float(signal_k.std(ddof=1)) / batches**0.5, batches)
    noise_part, descent = mean_estimate(noise_k), mean_estimate(descents)
    curvature = Estimate(
        signal_value + noise_part.value,
        float(np.hypot(signal.standard_error, noise_part.standard_error)),
        len(noise_k),
    )
    try:
        step = optimal_step(descent, curvature)
    except NoOptimalStep as none:
        return OneStepTruth(
            batch_size, epsilon, None, None, str(none), descent, signal, noise_part, indices
        )
    interval, error = _bootstrap_ratio(
        descents,
        noise_k,
        signal_k,
        curvature.value,
        numpy_generator(seed, f"bootstrap at {batch_size}"),
    )
    rate = Estimate(step.learning_rate.value, error, len(noise_k))
    return OneStepTruth(
        batch_size, epsilon, rate, interval, "ok", descent, signal, noise_part, indices
    )


def _bootstrap_ratio(
    descents: np.ndarray,
    noise: np.ndarray,
    signal: np.ndarray,
    curvature: float,
    rng: np.random.Generator,
) -> tuple[tuple[float, float], float]:
    """95 % interval and standard error of the ratio, by resampling batches.

    Of the M batches, K have a curvature of their own: these K are resampled, whole, and what the
    descent and the signal curvature owe to all M is scaled by sqrt(K / M).
    """
    drawn = len(noise)
    shrink = (drawn / len(descents)) ** 0.5
    middle, s, z, c = descents.mean(), descents[:drawn], signal, noise

    def ratio(s_k: np.ndarray, z_k: np.ndarray, c_k: np.ndarray, axis: int = -1) -> np.ndarray:
        top = middle + shrink * (s_k.mean(axis) - s.mean())
        bottom = curvature + shrink * (z_k.mean(axis) - z.mean()) + (c_k.mean(axis) - c.mean())
        result: np.ndarray = top / bottom
        return result

    drawn_ratio = bootstrap(
        (s, z, c),
        ratio,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=rng,
        n_resamples=RESAMPLES,
    )
    low, high = drawn_ratio.confidence_interval
    return (float(low), float(high)), float(drawn_ratio.standard_error)
