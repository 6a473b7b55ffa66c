"""The one-step truth of any model and any update rule, from real batches.

As `one_step`, for models whose sample gradients do not fit anywhere: the gradients of M real
batches, drawn with replacement from the pool, are made once and kept (on disk, if memory is
short); every rule turns the same gradients into updates. With u-bar the mean of M updates,

    E[u^T H u] = u-bar^T H u-bar - N / M + N,
    N = M / (M - 1) mean_k (u_k - u-bar)^T H (u_k - u-bar),

an identity. The first term is one curvature on the whole pool, N is looked at along every update on
a few samples each. Nothing is assumed of the noise. (arXiv 1812.06162, appendix A, for the law.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.block_store import open_store
from empirical.measure.directional import (
    Point,
    block_curvatures,
    blocks_for,
    curvature_at,
    hessian_vector_ahead,
)
from empirical.measure.gradients import draw_batches
from empirical.measure.rows import gradient_of
from empirical.measure.truth import OneStepTruth, assemble_truth
from empirical.train.optimizers import softsign
from empirical.train.randomness import numpy_generator, private_generator

FEWEST = 8
"""Batches below which a spread over batches says nothing."""

PULL_SAMPLES = 128
"""Samples of the product H u-bar, which only serves a standard error."""


@dataclass(frozen=True)
class Rule:
    """How the gradient of a batch, [P], becomes an update u, [P]: theta <- theta - eta u.

    epsilon: the one that the result is filed under, in the unit of a gradient.
    """

    epsilon: float
    apply: Callable[[Tensor], Tensor]


def softsign_rule(epsilon: float) -> Rule:
    """SoftSignSGD: u = x / sqrt(x^2 + epsilon^2)."""
    return Rule(epsilon, lambda gradient: softsign(gradient, epsilon))


def measure_steps(
    at: Point,
    batch_size: int,
    rules: Sequence[Rule],
    *,
    batches: int,
    subset: int = 8,
    max_memory: int | None = None,
    seed: int = 0,
) -> list[OneStepTruth]:
    """The measured eta* of each rule at one batch size, from the same real batches.

    Example: measure_steps(found.point, 16, [softsign_rule(1e-3)], batches=256).

    Args:
        at: the measured point, `Measurement.point`.
        batch_size: B, in samples.
        rules: what makes updates of gradients.
        batches: M; their gradients cost M B / N gradients of the pool.
        subset: samples per directional curvature, about; every rule looks along all M updates.
        max_memory: bytes for M gradients before they go to disk.
        seed: all randomness derives from it and from the batch size.

    Raises UsageError for too few batches or samples.
    """
    if batch_size < 1 or batches < FEWEST or subset < 1:
        raise UsageError(
            f"batch size {batch_size}, {batches} batches, subset {subset} came; at least 1, "
            f"{FEWEST} and 1 are wanted"
        )
    rng = private_generator(seed, f"batches of {batch_size}")
    indices = draw_batches(at.problem.samples, batches, batch_size, rng)
    rows = open_store(batches, at.problem.point, max_memory).rows
    if len(rows) < batches:
        raise UsageError(
            f"there is room for {len(rows)} gradients, {batches} are wanted: ask for fewer "
            "batches or give more memory or disk"
        )
    for row, picked in zip(rows, indices, strict=True):
        row.copy_(gradient_of(at.problem, picked.to(at.problem.point.device)))
    return [_truth(at, indices, rows, rule, subset, seed) for rule in rules]


def _truth(
    at: Point, indices: Tensor, rows: Tensor, rule: Rule, subset: int, seed: int
) -> OneStepTruth:
    """Curvatures along the mean update and around it; the ratio with its interval."""
    point, batch_size = at.problem.point, indices.shape[1]
    where = f"{batch_size}, {rule.epsilon!r}"

    def updates() -> Iterator[Tensor]:
        for row in rows:
            yield rule.apply(row.to(point))

    mean, descents = torch.zeros_like(point), []
    for update in updates():
        mean += update / len(rows)
        descents.append(float(update.double() @ at.spread.gradient.double()))
    pull = hessian_vector_ahead(at, mean, range(blocks_for(at, PULL_SAMPLES)))
    slopes = []

    def away() -> Iterator[Tensor]:
        for update in updates():
            slopes.append(float(update @ pull))
            yield update - mean

    # the blocks are random parts of the pool, and know nothing of the batches
    noise = block_curvatures(at, away(), subset)
    return assemble_truth(
        indices,
        rule.epsilon,
        np.array(descents),
        curvature_at(at, mean),
        noise.numpy(),
        np.array(slopes),
        numpy_generator(seed, f"bootstrap at {where}"),
    )
