"""The one-step truth of any model and any update rule, from real batches.

Every rule turns the gradients of the same M real batches, drawn with replacement from the pool (see
`batches`), into updates. With u-bar the mean of M updates,

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
from numpy.typing import NDArray
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.batches import Batches, batches_of, draw_batches
from empirical.measure.directional import (
    block_curvatures,
    blocks_for,
    curvature_at,
    hessian_vector_ahead,
)
from empirical.measure.effort import Effort
from empirical.measure.point import Point
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
    precision: float = 0.0,
    pilot: int = FEWEST,
    max_memory: int | None = None,
    seed: int = 0,
) -> list[OneStepTruth]:
    """The measured eta* of each rule at one batch size, from the same real batches.

    Example: measure_steps(found.point, 16, [softsign_rule(1e-3)], batches=256).

    Args:
        at: the measured point, `Measurement.point`.
        batch_size: B, in samples.
        rules: what makes updates of gradients.
        batches: M; their gradients cost M B / N gradients of the pool, or nothing where the
            gradient of every sample is kept.
        subset: samples per directional curvature, about.
        precision: standard error wanted of the noise curvature's part in E[u^T H u], relative;
            0: every rule looks along all M updates.
        pilot: updates that decide how many have to be looked along for it.
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
    drawn = batches_of(at, indices, max_memory)
    descents, means = _first_pass(drawn, rules)
    looks = _Looks(subset, precision, min(pilot, batches))
    return [_truth(drawn, rule, descents[k], means[k], looks, seed) for k, rule in enumerate(rules)]


def settled_steps(
    at: Point, batch_size: int, rules: Sequence[Rule], effort: Effort, seed: int
) -> list[OneStepTruth]:
    """The same, with as many batches as make every eta* as sure as the effort wants it.

    Wants a point with the gradient of every sample: it asks for up to 3,072 batches.
    """
    batches, largest = effort.batches_at(batch_size), effort.error_at(batch_size)
    for more in (1, 2, 4):
        truths = measure_steps(
            at,
            batch_size,
            rules,
            batches=more * batches,
            subset=effort.subset,
            precision=effort.precision,
            pilot=effort.pilot,
            seed=seed,
        )
        if all(truth.relative_error <= largest for truth in truths):
            break
    return truths


@dataclass(frozen=True)
class _Looks:
    """How the curvature around the mean update is looked at, see `measure_steps`."""

    subset: int
    precision: float
    pilot: int

    def wanted(self, signal: float, noise: Tensor, batches: int) -> int:
        """Updates to look along, from the curvatures of the pilot."""
        size = abs(signal) + abs(float(noise.mean()))
        share = float(noise.std()) / size if size > 0 else 0.0
        if share >= self.precision * batches**0.5:
            return batches
        return max(len(noise), round((share / self.precision) ** 2))


def _first_pass(drawn: Batches, rules: Sequence[Rule]) -> tuple[NDArray[np.float64], list[Tensor]]:
    """u_k^T g of every batch, [n, M], and the mean update of each rule, [P]."""
    g = drawn.at.spread.gradient
    means = [torch.zeros_like(g) for _ in rules]
    descents = np.empty((len(rules), len(drawn.indices)))
    for k, gradient in enumerate(drawn.gradients()):
        for number, rule in enumerate(rules):
            update = rule.apply(gradient)
            means[number].add_(update, alpha=1 / len(drawn.indices))
            descents[number, k] = float(update.double() @ g.double())
    return descents, means


def _truth(
    drawn: Batches,
    rule: Rule,
    descents: NDArray[np.float64],
    mean: Tensor,
    looks: _Looks,
    seed: int,
) -> OneStepTruth:
    """Curvatures along the mean update and around it; the ratio with its interval."""
    at, (batches, batch_size) = drawn.at, drawn.indices.shape
    signal = curvature_at(at, mean)
    pull = hessian_vector_ahead(at, mean, range(blocks_for(at, PULL_SAMPLES)))
    slopes: list[float] = []

    def along(first: int, last: int) -> Tensor:
        def away() -> Iterator[Tensor]:
            for gradient in drawn.gradients(first, last):
                update = rule.apply(gradient)
                slopes.append(float(update @ pull))
                yield update - mean

        # what is looked at is a random part of the pool, and knows nothing of the batches
        return block_curvatures(at, away(), looks.subset, first=first)

    noise = along(0, looks.pilot)
    wanted = looks.wanted(signal, noise, batches)
    noise = torch.cat([noise, along(looks.pilot, wanted)])
    return assemble_truth(
        drawn.indices,
        rule.epsilon,
        descents,
        signal,
        noise.numpy(),
        np.array(slopes),
        numpy_generator(seed, f"bootstrap at {batch_size}, {rule.epsilon!r}"),
    )
