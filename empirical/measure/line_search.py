"""The one-step truth, second way: the learning rate at which the true loss is lowest.

For batches k the loss L(theta - eta u_k) is evaluated along eta on random parts of the pool. Its
first-order part is known far better from the descent E[u]^T g of all batches, so only the rest,

    R(eta) = E[L(theta - eta u) - L(theta) + eta u^T g],

is averaged, and described by eta^2 (a + b eta + c eta^2). The minimum of R(eta) - eta E[u]^T g is
free of the quadratic model: where it differs from the ratio, the quadratic model fails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.measure.curvature import Surroundings
from empirical.measure.effort import Effort
from empirical.measure.gradients import batch_gradients
from empirical.measure.landscape import losses_at
from empirical.measure.one_step import BLOCK
from empirical.measure.truth import OneStepTruth
from empirical.train.optimizers import softsign
from empirical.train.randomness import numpy_generator, private_generator
from scaling_theory.estimate import Estimate

FACTORS = (0.4, 0.7, 1.0, 1.4, 2.0)
"""Learning rates that are tried, in units of E[u]^T g / (|signal| + |noise| curvature)."""

REACH = (0.2, 2.6)
"""A minimum outside this range, in the same units, is reported as beyond the search."""

RESAMPLES = 1000


@dataclass(frozen=True)
class LineSearch:
    """The minimum of the true one-step loss, or why there is none.

    Attributes:
        learning_rate: the minimum over eta, None if it lies beyond the search.
        interval: its 95 % bootstrap interval, None if an end lies beyond the search.
        loss_change: mean L(theta - eta u) - L(theta) at FACTORS, in nats per token.
        status: "ok", or what is not known and why.
        batches: how many batches were searched along.
    """

    learning_rate: float | None
    interval: tuple[float, float] | None
    loss_change: tuple[float, ...]
    status: str
    batches: int


def search_line(around: Surroundings, truth: OneStepTruth, effort: Effort, seed: int) -> LineSearch:
    """The learning rate that minimises the true loss after one step, averaged over batches."""
    unit = truth.scale
    if unit == 0:
        return LineSearch(None, None, (), "no descent along the mean update to search along", 0)
    where = f"{truth.batch_size}, {truth.epsilon!r}"
    rng = private_generator(seed, f"line search at {where}")
    batches = truth.batches[: effort.line_search_batches]
    rates = np.array(FACTORS) * unit
    rest = np.concatenate(
        [
            _remainders(around, update, rates, effort.subset, rng)
            for block in torch.split(batches, BLOCK)
            for update in softsign(batch_gradients(around.gradients, block), truth.epsilon)
        ]
    )
    draws = numpy_generator(seed, f"line search at {where}")
    return line_minimum(rest, truth.descent, unit, draws)


def line_minimum(
    rest: np.ndarray, slope: Estimate, unit: float, draws: np.random.Generator
) -> LineSearch:
    """The minimum of mean R(eta) - eta E[u]^T g, and its bootstrap interval.

    Args:
        rest: R at FACTORS times `unit` for each batch, [n, n_eta].
        slope: E[u]^T g.
        unit: a learning rate of the right size.
        draws: of the bootstrap.
    """
    rates = np.array(FACTORS) * unit
    picks = draws.integers(len(rest), size=(RESAMPLES, len(rest)))
    slopes = slope.value + slope.standard_error * draws.standard_normal(RESAMPLES)
    best = _minimum(rest.mean(0)[None], np.array([slope.value]), unit)[0]
    resampled = _minimum(rest[picks].mean(1), slopes, unit)
    change = rest.mean(0) - rates * slope.value
    low, high = np.quantile(resampled, [0.025, 0.975])
    inside = [REACH[0] * unit < value < REACH[1] * unit for value in (best, low, high)]
    return LineSearch(
        learning_rate=float(best) if inside[0] else None,
        interval=(float(low), float(high)) if all(inside) else None,
        loss_change=tuple(float(value) for value in change),
        status="ok" if all(inside) else _beyond(best / unit, low / unit, high / unit),
        batches=len(rest),
    )


def _remainders(
    around: Surroundings, update: Tensor, rates: np.ndarray, subset: int, rng: torch.Generator
) -> np.ndarray:
    """L(theta - eta u) - L(theta) + eta u^T g on one random subset, for each eta, [1, n_eta]."""
    scape = around.landscape
    drawn = torch.randint(scape.sequences, (subset,), generator=rng, device=rng.device)
    indices = drawn.to(update.device)
    slope = (around.gradients[indices] @ update).double()
    here = around.losses[indices].double()
    rests = []
    for rate in rates.tolist():
        there = losses_at(scape, scape.point - rate * update, indices).double()
        rests.append((there - here + rate * slope).mean())
    rest: np.ndarray = torch.stack(rests).cpu().numpy()[None]
    return rest


def _minimum(rest: np.ndarray, slopes: np.ndarray, unit: float) -> np.ndarray:
    """Minimiser over eta of eta^2 (a + b eta + c eta^2) - slope eta for each row of [n, n_eta]."""
    factors = np.array(FACTORS)
    powers = np.stack([np.ones_like(factors), factors, factors**2], axis=1)
    coefficients = np.linalg.lstsq(powers, (rest / factors**2).T, rcond=None)[0]
    grid = np.geomspace(REACH[0], REACH[1], 1025)
    shape = np.stack([grid**2, grid**3, grid**4])
    loss = coefficients.T @ shape - slopes[:, None] * unit * grid
    best: np.ndarray = grid[loss.argmin(axis=1)] * unit
    return best


def _beyond(best: float, low: float, high: float) -> str:
    span = f"{REACH[0]} to {REACH[1]} times descent over curvature"
    if low <= REACH[0] * 1.001 and high >= REACH[1] * 0.999:
        return f"not identified: the interval spans the whole search, {span}"
    side = "below" if best <= REACH[0] * 1.001 or low <= REACH[0] * 1.001 else "above"
    return f"the minimum or its interval lies {side} the search, {span}"
