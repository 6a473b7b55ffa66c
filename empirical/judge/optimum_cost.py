"""Loss, curvature and the cost of a wrong factor at the minimum of a local fit."""

from __future__ import annotations

from math import hypot, log, sqrt

import numpy as np
from scipy.interpolate import PchipInterpolator

from empirical.judge.grid_losses import GridLosses
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_quadratic import LocalFit, derivative_rows
from empirical.judge.optimum_record import Regret
from scaling_theory.estimate import Estimate

FACTORS = (0.25, 0.5, 2.0, 4.0)
SLACK = 0.35
"""Half an octave beyond the window the fit still says more than a straight line does."""


def at_minimum(fit: LocalFit, place: float, samples: int) -> tuple[Estimate, Estimate]:
    """Loss and second derivative at ln eta = place, nats.

    The minimum moves with the coefficients, d t* = -slope row . d coefficients / L''; the slope
    there is zero, so that this reaches the second derivative and not the loss.
    """
    t = np.array([place - fit.centre])
    mean, covariance = _average(fit)
    value, slope, second, third = (derivative_rows(t, order)[0] for order in range(4))
    loss, curvature = float(value @ mean), float(second @ mean)
    moved = second - float(third @ mean) / curvature * slope if curvature > 0 else second
    return (
        Estimate(loss, sqrt(float(value @ covariance @ value)), samples),
        Estimate(curvature, sqrt(float(moved @ covariance @ moved)), samples),
    )


def fitted_regrets(
    fit: LocalFit, grid: GridLosses, noise: NoiseLevel, place: Estimate, loss: Estimate
) -> tuple[Regret, ...]:
    """Cost of each of `FACTORS`: by the fit to `SLACK` beyond its window, else `tried_regrets`."""
    mean, covariance = _average(fit)
    here = np.array([place.value - fit.centre])
    value, slope, second = (derivative_rows(here, order)[0] for order in range(3))
    curvature = float(second @ mean)
    found = []
    for regret in tried_regrets(grid, noise, place, loss):
        there = place.value + log(regret.factor)
        near = fit.places[0] - SLACK <= there <= fit.places[-1] + SLACK
        if regret.cost is None or not near or curvature <= 0:
            found.append(regret)
            continue
        t = np.array([there - fit.centre])
        away, slope_away = derivative_rows(t, 0)[0], derivative_rows(t, 1)[0]
        change = away - value - float(slope_away @ mean) / curvature * slope
        error = sqrt(float(change @ covariance @ change))
        cost = Estimate(float((away - value) @ mean), error, loss.samples)
        found.append(Regret(regret.factor, cost, False))
    return tuple(found)


def tried_regrets(
    grid: GridLosses, noise: NoiseLevel, place: Estimate, loss: Estimate
) -> tuple[Regret, ...]:
    """Cost of each of `FACTORS` by a monotone cubic through the measured losses.

    Its distance from the straight line counts as error, and so does the place of the optimum.
    Unknown beyond the grid.
    """
    between_tried = PchipInterpolator(grid.x, grid.loss)
    found = []
    for factor in FACTORS:
        there = place.value + log(factor)
        cost = None
        if grid.x[0] <= there <= min(grid.x[-1], grid.first_divergent):
            share = np.array([np.interp(there, grid.x, unit) for unit in np.eye(len(grid.x))])
            variance = noise.standard_deviation**2 * share @ grid.relative_covariance @ share
            between = float(between_tried(there))
            straight = float(share @ grid.loss)
            moved = float(between_tried(there, 1)) * place.standard_error
            error = hypot(sqrt(float(variance)), loss.standard_error, between - straight, moved)
            cost = Estimate(between - loss.value, error, loss.samples)
        found.append(Regret(factor, cost, there >= grid.first_divergent))
    return tuple(found)


def _average(fit: LocalFit) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the coefficients over the plausible noise levels, [7], [7, 7]."""
    mean = fit.means.mean(axis=0)
    away = fit.means - mean
    return mean, fit.covariances.mean(axis=0) + away.T @ away / len(away)
