"""The optimal learning rate of one grid of runs, with its interval, or what is known instead.

An edge of the grid is never an optimum: where the lowest loss is at the largest or smallest
learning rate tried, the answer is one-sided. Runs that diverged are evidence that the optimum lies
below them, and are never fitted.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, isfinite
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from empirical.errors import UsageError
from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.local_problem import local_problem, misfit_of, nearest
from empirical.judge.misfit import lone_noise, pooled_repetitions, rough_noise
from empirical.judge.noise_level import NoiseLevel, known_noise
from empirical.judge.optimum_bounds import order_bounds
from empirical.judge.optimum_convex import convex_finding
from empirical.judge.optimum_finding import Finding, error_of
from empirical.judge.optimum_local import local_finding
from empirical.judge.optimum_record import Optimum, Status
from scaling_theory.estimate import Estimate

Method = Literal["quadratic", "convex"]
METHODS: tuple[Method, ...] = get_args(Method)
ENOUGH = 4
"""Degrees of freedom from repetitions that tell the noise level by themselves."""

FEWEST_ALONE = 4
"""Learning rates of a grid that can tell its noise without repetitions."""

LEAST_NOISE = 1e-8
"""Stated noise over the loss: below it least squares in double precision have no digits left."""


def find_optimum(
    learning_rates: ArrayLike,
    losses: ArrayLike,
    seeds: ArrayLike | None = None,
    censored: ArrayLike | None = None,
    noise: NoiseLevel | float | None = None,
    *,
    standard_errors: ArrayLike | None = None,
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
        standard_errors: [runs], of losses that are means themselves; in place of `noise`.
        method: "quadratic", a local fit that allows for asymmetry (`optimum_quadratic`), or
            "convex", which assumes no shape (`optimum_convex`).
        rng: the quadratic's bounds by parametric bootstrap; None: the same in closed form.

    Raises:
        UsageError: lengths differ, a learning rate is not positive, no such method.
    """
    if method not in METHODS:
        raise UsageError(f"method '{method}' is unknown: use one of {', '.join(METHODS)}")
    grid = grid_losses(learning_rates, losses, seeds, censored, standard_errors=standard_errors)
    level = noise_of(grid, noise)
    if level is None or len(grid.x) == 0:
        reason = "the noise is unknown: repeat with another seed, add learning rates or give it"
        if len(grid.x) == 0:
            reason = "no run trained" if grid.runs else "no runs"
        return _answer(
            grid,
            None,
            method,
            Finding("unclear"),
            Status.NOT_IDENTIFIED,
            (-inf, grid.first_divergent),
            reason,
        )
    if method == "convex":
        return _decide(grid, level, method, convex_finding(grid, level))
    return _decide(grid, level, method, local_finding(grid, level, rng))


def noise_of(grid: GridLosses, noise: NoiseLevel | float | None = None) -> NoiseLevel | None:
    """The noise level to use for this grid; None if it is not given and nothing tells it."""
    if isinstance(noise, NoiseLevel):
        return noise
    if noise is not None:
        level = known_noise(noise)
        typical = float(np.median(np.abs(grid.loss))) if len(grid.x) else 0.0
        if noise < LEAST_NOISE * typical:
            raise UsageError(
                f"noise level is {noise:g} beside losses near {typical:.3g}, fewer digits than "
                "can be told: give the spread of the loss over seeds"
            )
        return level
    if grid.unit is not None:
        return NoiseLevel(grid.unit, inf, "standard errors of the losses")
    repeated = grid.replicates
    if repeated.degrees_of_freedom >= ENOUGH and repeated.sum_of_squares > 0:
        return pooled_repetitions([repeated])
    if len(grid.x) < FEWEST_ALONE:
        return None
    problem = local_problem(grid, nearest(grid, 7))
    if problem is None:
        return rough_noise(grid.x, grid.loss, grid.relative_covariance)
    return lone_noise(misfit_of(problem), repeated)


def _decide(grid: GridLosses, noise: NoiseLevel, method: Method, finding: Finding) -> Optimum:
    """The kind of answer: an edge is never an optimum, and a number needs both bounds."""
    noise = replace(noise, standard_deviation=noise.standard_deviation * finding.inflation)
    order_low, order_high = order_bounds(grid, noise)
    # A method judges inside its window only; beyond it the order of the losses bounds.
    low = finding.low if isfinite(finding.low) else order_low
    high = min(finding.high, grid.first_divergent) if isfinite(finding.high) else order_high
    if grid.best == len(grid.x) - 1 or finding.tendency == "falls":
        high = grid.first_divergent
        status = Status.STABILITY_EDGE if isfinite(high) else Status.ABOVE
        known = isfinite(low)
    elif grid.best == 0 or finding.tendency == "rises":
        low, status, known = -inf, Status.BELOW, isfinite(high)
    else:
        status, known = Status.IDENTIFIED, isfinite(low) and isfinite(high)
        known = known and finding.middle is not None
    if not known:
        reason = _why(finding, low, high)
        return _answer(grid, noise, method, finding, Status.NOT_IDENTIFIED, (low, high), reason)
    return _answer(grid, noise, method, finding, status, (low, high), "")


def _why(finding: Finding, low: float, high: float) -> str:
    if not isfinite(low) and not isfinite(high):
        return "the losses differ by no more than noise"
    if finding.tendency == "unclear":
        return "the loss does not curve upwards around its lowest value"
    side = "smaller" if not isfinite(low) else "larger"
    return f"no rise above the noise towards {side} learning rates"


def _answer(
    grid: GridLosses,
    noise: NoiseLevel | None,
    method: Method,
    finding: Finding,
    status: Status,
    bounds: tuple[float, float],
    reason: str,
) -> Optimum:
    notes = finding.notes
    if grid.stray_divergent:
        rates = ", ".join(f"{np.exp(at):.3g}" for at in grid.stray_divergent)
        notes = (*notes, f"diverged below a learning rate that trains: {rates}")
    estimate = None
    if status is Status.IDENTIFIED and finding.middle is not None:
        estimate = Estimate(finding.middle, error_of(*bounds), grid.runs - grid.censored)
    return Optimum(
        status=status,
        reason=reason,
        ln_eta=estimate,
        bounds=bounds,
        loss_at_optimum=finding.loss if estimate else None,
        curvature=finding.curvature if estimate else None,
        regret=finding.regret if estimate else (),
        best_tried=float(np.exp(grid.x[grid.best])) if len(grid.x) else None,
        noise=noise,
        learning_rates=len(grid.x),
        runs=grid.runs,
        censored=grid.censored,
        method=method,
        notes=notes,
    )
