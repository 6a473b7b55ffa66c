"""The one-step truth, second way: the learning rate at which the true loss is lowest.

For batches k the loss L(theta - eta u_k) is evaluated along eta on random parts of the pool. Its
first-order part is known far better from the descent E[u]^T g of all batches, so only the rest,

    R(eta) = E[L(theta - eta u) - L(theta) + eta u^T g],

is averaged, and described by eta^2 (a + b eta + c eta^2). The minimum of R(eta) - eta E[u]^T g is
free of the quadratic model: where it differs from the ratio, the quadratic model fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from empirical.measure.batches import batches_of
from empirical.measure.effort import Effort
from empirical.measure.losses import weighted_losses
from empirical.measure.measured_step import Rule
from empirical.measure.point import Point
from empirical.measure.problem import Problem
from empirical.measure.truth import OneStepTruth
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


def search_line(
    at: Point, truth: OneStepTruth, rule: Rule, effort: Effort, seed: int
) -> LineSearch:
    """The learning rate that minimises the true loss after one step, averaged over batches.

    rule: that of the truth.
    """
    unit = truth.scale
    if unit == 0:
        return LineSearch(None, None, (), "no descent along the mean update to search along", 0)
    where = f"{truth.batch_size}, {truth.epsilon!r}"
    rng = private_generator(seed, f"line search at {where}")
    drawn = batches_of(at, truth.batches[: effort.line_search_batches])
    rates = [factor * unit for factor in FACTORS]
    several = at.units_for(effort.subset)
    rest = []
    for gradient in drawn.gradients():
        update = rule.apply(gradient)
        units = torch.randint(at.units, (several,), generator=rng, device="cpu").tolist()
        seen = at.look(update, units)
        count = len(seen.samples)
        rest.append(
            remainders(
                at.problem, update, seen.samples, rates, seen.here / count, seen.slope / count
            )
        )
    draws = numpy_generator(seed, f"line search at {where}")
    return line_minimum(np.stack(rest), truth.descent, unit, draws)


def remainders(
    problem: Problem,
    update: Tensor,
    samples: Tensor,
    rates: Sequence[float],
    here: float,
    slope: float,
) -> NDArray[np.float64]:
    """L(theta - eta u) - L(theta) + eta u^T g on these samples, for each eta, [n_eta].

    here, slope: L(theta) and u^T g on the same samples.
    """
    found = []
    for rate in rates:
        moved = torch.add(problem.point, update, alpha=-rate)
        there = float(weighted_losses(problem, moved, samples).sum()) / len(samples)
        found.append(there - here + rate * slope)
    return np.array(found)


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
