"""The one-step truth, first way: eta* = E[u]^T g / E[u^T H u] from real batches.

Batches are drawn with replacement from the pool. With u-bar the mean update over M of them,

    E[u^T H u] = u-bar^T H u-bar + (1 - 1/M) E[(u_k - u-bar)^T H (u_k - u-bar)] M / (M - 1),

an identity: the first term is one curvature on the whole pool, and only the second needs many,
each on a small random part of the pool. No assumption on the noise enters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from empirical.measure.curvature import Surroundings, curvature_along, curvature_samples
from empirical.measure.effort import Effort
from empirical.measure.gradients import batch_gradients, draw_batches
from empirical.measure.hessian import hessian_vector
from empirical.measure.truth import OneStepTruth, assemble_truth
from empirical.train.optimizers import softsign
from empirical.train.randomness import numpy_generator, private_generator

BLOCK = 16
"""Batch gradients held at a time."""


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

    draws = numpy_generator(seed, f"bootstrap at {batch_size}")
    return assemble_truth(
        indices, epsilon, descents, raw_signal, noise.numpy(), slopes.numpy(), draws
    )
