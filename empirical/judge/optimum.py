"""The optimal learning rate of one grid of runs, with its interval, or what is known instead.

An edge of the grid is never an optimum: where the lowest loss is at the largest or smallest
learning rate tried, the answer is one-sided. Runs that diverged are evidence that the optimum lies
below them, and are never fitted.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from empirical.errors import UsageError
from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.misfit import lone_noise, pooled_repetitions
from empirical.judge.noise_level import NoiseLevel, known_noise
from empirical.judge.optimum_bounds import order_bounds
from empirical.judge.optimum_cost import at_minimum, regrets
from empirical.judge.optimum_quadratic import crossing, fit_local, local_problem, misfit_of, nearest
from empirical.judge.optimum_record import Optimum, Regret, Status
from scaling_theory.estimate import Estimate

Method = Literal["quadratic"]
METHODS: tuple[Method, ...] = get_args(Method)
INTERVAL_WIDTH = 3.92
"""Width of a 95 % interval of a normal, in standard errors."""

ENOUGH = 4
"""Degrees of freedom from repetitions that tell the noise level by themselves."""


def find_optimum(
    learning_rates: ArrayLike,
    losses: ArrayLike,
    seeds: ArrayLike | None = None,
    censored: ArrayLike | None = None,
    noise: NoiseLevel | float | None = None,
    *,
    method: Method = "quadratic",
    rng: np.random.Generator | None = None,
) -> Optimum:
    """Find the learning rate of least loss among runs that differ in nothing else.

    Args:
        learning_rates: [runs], > 0, on any grid.
        losses: [runs], nats; NaN and infinite ones count as censored.
        seeds: [runs]; runs of one seed see the same batches and are compared with each other.
        censored: [runs], true where a run diverged.
        noise: standard deviation of one run's loss, or a `NoiseLevel` pooled from other grids.
            None: from repetitions where they leave at least 4 degrees of freedom, else from
            them, from the misfit of the curve and from a usual ratio of noise to curvature.
        method: "quadratic": see `optimum_quadratic`.
        rng: not needed by this method, whose intervals are in closed form.

    Raises:
        UsageError: lengths differ, a learning rate is not positive, no such method.
    """
    if method not in METHODS:
        raise UsageError(f"method '{method}' is unknown: use one of {', '.join(METHODS)}")
    grid = grid_losses(learning_rates, losses, seeds, censored)
    level = noise_of(grid, noise)
    if len(grid.x) == 0:
        reason = "no run trained" if grid.runs else "no runs"
        return _answer(
            grid, None, method, Status.NOT_IDENTIFIED, (-inf, grid.first_divergent), reason
        )
    if level is None:
        reason = "the noise is unknown: repeat with another seed, add learning rates or give it"
        return _answer(
            grid, None, method, Status.NOT_IDENTIFIED, (-inf, grid.first_divergent), reason
        )
    return _by_quadratic(grid, level, method)


def noise_of(grid: GridLosses, noise: NoiseLevel | float | None = None) -> NoiseLevel | None:
    """The noise level to use for this grid; None if it is not given and nothing tells it."""
    if isinstance(noise, NoiseLevel):
        return noise
    if noise is not None:
        return known_noise(noise)
    repeated = grid.replicates
    if repeated.degrees_of_freedom >= ENOUGH and repeated.sum_of_squares > 0:
        return pooled_repetitions([repeated])
    problem = local_problem(grid, nearest(grid, 7)) if len(grid.x) >= 4 else None
    return None if problem is None else lone_noise(misfit_of(problem), repeated)


def _by_quadratic(grid: GridLosses, noise: NoiseLevel, method: Method) -> Optimum:
    order_low, order_high = order_bounds(grid, noise)
    fit = fit_local(grid, noise)
    middle, low, high = (None, -inf, inf) if fit is None else crossing(fit)
    # The slope is judged inside the window only; beyond it the order of the losses bounds.
    low = low if isfinite(low) else order_low
    high = min(high, grid.first_divergent) if isfinite(high) else order_high
    last = len(grid.x) - 1
    rising = fit is not None and middle is None and fit.falling[-1] < 0.5
    falling = fit is not None and middle is None and fit.falling[-1] >= 0.5
    bounds = (low, high)
    if grid.best == last or (falling and fit is not None and fit.places[-1] >= grid.x[last]):
        if isfinite(grid.first_divergent):
            status, bounds = Status.STABILITY_EDGE, (low, grid.first_divergent)
        else:
            status, bounds = Status.ABOVE, (low, inf)
        known = isfinite(low)
    elif grid.best == 0 or (rising and fit is not None and fit.places[0] <= grid.x[0]):
        status, bounds, known = Status.BELOW, (-inf, high), isfinite(high)
    else:
        status, known = Status.IDENTIFIED, isfinite(low) and isfinite(high)
    if not known or (status is Status.IDENTIFIED and middle is None):
        reason = _why(fit is None, middle is None, *bounds)
        return _answer(grid, noise, method, Status.NOT_IDENTIFIED, bounds, reason)
    if fit is None or middle is None or status is not Status.IDENTIFIED:
        return _answer(grid, noise, method, status, bounds, "")
    estimate = Estimate(middle, (high - low) / INTERVAL_WIDTH, grid.runs - grid.censored)
    loss, curvature = at_minimum(fit, middle, estimate.samples)
    costs = regrets(fit, grid, noise, middle, estimate.samples)
    return _answer(grid, noise, method, status, bounds, "", estimate, loss, curvature, costs)


def _why(not_curved: bool, no_turn: bool, low: float, high: float) -> str:
    if not isfinite(low) and not isfinite(high):
        return "the losses differ by no more than noise"
    if not_curved or no_turn:
        return "the loss does not curve upwards around its lowest value"
    side = "smaller" if not isfinite(low) else "larger"
    return f"no rise above the noise towards {side} learning rates"


def _answer(
    grid: GridLosses,
    noise: NoiseLevel | None,
    method: Method,
    status: Status,
    bounds: tuple[float, float],
    reason: str,
    estimate: Estimate | None = None,
    loss: Estimate | None = None,
    curvature: Estimate | None = None,
    costs: tuple[Regret, ...] = (),
) -> Optimum:
    notes = []
    if grid.stray_divergent:
        rates = ", ".join(f"{np.exp(at):.3g}" for at in grid.stray_divergent)
        notes.append(f"diverged below a learning rate that trains: {rates}")
    return Optimum(
        status=status,
        reason=reason,
        ln_eta=estimate,
        bounds=bounds,
        loss_at_optimum=loss,
        curvature=curvature,
        regret=costs,
        best_tried=float(np.exp(grid.x[grid.best])) if len(grid.x) else None,
        noise=noise,
        learning_rates=len(grid.x),
        runs=grid.runs,
        censored=grid.censored,
        method=method,
        notes=tuple(notes),
    )
