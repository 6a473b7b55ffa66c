"""The parts of the optimum against plain references that share no code with them."""

from __future__ import annotations

from itertools import product
from math import erf, factorial, log, sqrt

import numpy as np
import pytest
from scipy.optimize import minimize

from empirical.errors import UsageError
from empirical.judge.calibration import SHAPES, exponentials
from empirical.judge.grid_losses import GridLosses, grid_losses
from empirical.judge.local_problem import (
    SHAPE_COVARIANCE,
    SHAPE_MEAN,
    local_problem,
    misfit_of,
    nearest,
    window_of,
)
from empirical.judge.misfit import lone_noise, pooled_misfit, pooled_repetitions
from empirical.judge.noise_level import NoiseLevel, Residual, known_noise
from empirical.judge.optimum_bounds import order_bounds
from empirical.judge.optimum_convex import convex_profile
from empirical.judge.optimum_local import bootstrap_minima
from empirical.judge.optimum_quadratic import crossing, fit_local

SIGMA = 2e-3


def noisy_grid(seed: int, seeds: int = 1, step: float = log(2), count: int = 7) -> GridLosses:
    """A whole-run curve around ln eta = -7 with c = 0.03, off centre, with seed effects."""
    rng = np.random.default_rng(seed)
    x = -7.2 + step * (np.arange(count) - count // 2)
    curve = 3 + 0.03 * exponentials(0.1, 1.0)(x + 7)
    losses = curve + SIGMA * rng.standard_normal((seeds, count)) + rng.standard_normal((seeds, 1))
    names = np.repeat(np.arange(seeds), count)
    return grid_losses(np.exp(np.tile(x, seeds)), losses.ravel(), names if seeds > 1 else None)


def family_by_hand() -> tuple[np.ndarray, np.ndarray]:
    """Taylor coefficients of A e^(-pt) + C e^(qt), A p = C q, over that of t^2; plain loops."""
    rows = []
    for i, j in product(range(21), range(21)):
        p, q = -1 + 0.1 * i, 0.4 + 0.08 * j
        if p + q <= 0.2:
            continue
        # L' = 0 at t = 0: with C = p the first weight is A = q; p = 0 in the limit.
        a, c = (q / p, 1.0) if abs(p) > 1e-9 else (1e9, 1.0)
        p = p if abs(p) > 1e-9 else q / a
        terms = [(a * (-p) ** n + c * q**n) / factorial(n) for n in range(7)]
        rows.append([terms[n] / terms[2] for n in (3, 4, 5, 6)])
    ratios = np.array(rows)
    away = ratios - ratios.mean(0)
    spread = away.T @ away / (len(ratios) - 1)
    return ratios.mean(0), 2 * spread + np.diag([0.04, 0.01, 0.0016, 0.0004])


def test_the_family_of_shapes() -> None:
    """Rung: slow brute force (derivatives of the exponentials, averaged by loops)."""
    mean, covariance = family_by_hand()
    assert np.allclose(SHAPE_MEAN, mean, rtol=1e-6)
    assert np.allclose(SHAPE_COVARIANCE, covariance, rtol=1e-6)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_slope_is_that_of_a_gaussian_process(seeds: int) -> None:
    """Rung: slow brute force. The same model as a joint normal of losses and slopes, conditioned.

    a, b, c get a normal prior of 1 nat in place of none: it moves the slope by its variance
    times its value, 0.02 * 0.002 = 4e-5 of its standard error, and the probability by 0.4 of
    that; the dense solve loses 8 of 16 digits. Negative control: asymmetry 5 % wider is seen.
    """
    grid = noisy_grid(1, seeds)
    fit = fit_local(grid, known_noise(SIGMA))
    assert fit is not None and fit.dropped == 0
    inside = window_of(grid)
    t, y = grid.x[inside] - fit.centre, grid.loss[inside]
    mean, covariance = family_by_hand()
    shape = t**2 + sum(m * t ** (3 + i) for i, m in enumerate(mean))
    at = fit.places - fit.centre
    slope_shape = 2 * at + sum(m * (3 + i) * at ** (2 + i) for i, m in enumerate(mean))
    losses = np.column_stack([np.ones_like(t), t, shape, *(t**n for n in range(3, 7))])
    slopes = np.column_stack(
        [0 * at, np.ones_like(at), slope_shape, *(n * at ** (n - 1) for n in range(3, 7))]
    )
    noise = SIGMA**2 / seeds * np.eye(len(t))

    def conditioned(wider: float) -> np.ndarray:
        prior = np.eye(7)
        prior[3:, 3:] = covariance * fit.curvature**2 * wider
        gain = slopes @ prior @ losses.T @ np.linalg.inv(losses @ prior @ losses.T + noise)
        mean = gain @ (y - y.mean())
        variance = np.diag((slopes - gain @ losses) @ prior @ slopes.T)
        each = zip(mean, variance, strict=True)
        return np.array([0.5 - 0.5 * erf(m / sqrt(2 * v)) for m, v in each])

    assert np.abs(fit.falling - conditioned(1.0)).max() < 4e-5
    assert np.abs(fit.falling - conditioned(1.05)).max() > 4e-4


def test_bounds_by_another_route() -> None:
    """Rung: Monte Carlo. The minimum of each of 20,000 drawn curves against the closed form.

    A 2.5 % quantile of n draws of a normal has standard error 2.67 sd / sqrt(n) = 0.019 sd; the
    places are 0.0116 apart. Four of the one and one of the other are allowed.
    """
    fit = fit_local(noisy_grid(2), known_noise(SIGMA))
    assert fit is not None
    _, low, high = crossing(fit)
    drawn = bootstrap_minima(fit, np.random.default_rng(0), 20_000)
    tolerance = 4 * 0.019 * (high - low) / 3.92 + (fit.places[1] - fit.places[0])
    assert abs(np.quantile(drawn, 0.025) - low) < tolerance
    assert abs(np.quantile(drawn, 0.975) - high) < tolerance


def test_an_uncertain_noise_level_is_averaged_over() -> None:
    """Rung: quadrature by another route. P(slope < 0) over chi-squared draws of the variance.

    48 equally probable levels against 200 draws, each its own fit; the standard error of a mean of
    probabilities is at most 0.5 / sqrt(200) = 0.035, and four of them are allowed.
    """
    grid, level = noisy_grid(3), NoiseLevel(SIGMA, 5.0, "")
    fit = fit_local(grid, level)
    rng = np.random.default_rng(1)
    assert fit is not None
    total = np.zeros_like(fit.falling)
    for draw in SIGMA * np.sqrt(5 / rng.chisquare(5, 200)):
        one = fit_local(grid, known_noise(float(draw)))
        assert one is not None
        total += one.falling / 200
    assert np.abs(total - fit.falling).max() < 0.14
    exact = fit_local(grid, known_noise(SIGMA))
    assert exact is not None
    assert crossing(fit)[2] - crossing(fit)[1] > crossing(exact)[2] - crossing(exact)[1]


def test_seed_effects_by_plain_least_squares() -> None:
    """Rung: slow brute force (alternating means of an incomplete two-way table, to convergence)."""
    rng = np.random.default_rng(4)
    rate, seed = np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5)
    keep = np.array([i not in (2, 7, 13) for i in range(15)])
    rate, seed = rate[keep], seed[keep]
    losses = 0.1 * (rate - 2.0) ** 2 + 5.0 * seed + 0.01 * rng.standard_normal(len(rate))
    found = grid_losses(1e-3 * 2.0**rate, losses, seed)
    level, effect = np.zeros(5), np.zeros(3)
    for _ in range(2000):
        level = np.array([(losses - effect[seed])[rate == r].mean() for r in range(5)])
        effect = np.array([(losses - level[rate])[seed == s].mean() for s in range(3)])
        effect -= effect.mean()
    assert np.allclose(found.loss, level, atol=1e-9)
    rest = losses - level[rate] - effect[seed]
    assert found.replicates.sum_of_squares == pytest.approx(float(rest @ rest), rel=1e-6)
    assert found.replicates.degrees_of_freedom == 12 - 5 - 2
    # A difference of two levels: its variance over the variance of one run, by simulation.
    again = [
        grid_losses(1e-3 * 2.0**rate, rng.standard_normal(len(rate)), seed).loss
        for _ in range(2000)
    ]
    spread = np.var([levels[3] - levels[1] for levels in again])
    # Standard error of a variance from 2000 draws is sqrt(2 / 2000) = 3.2 %; three of them.
    assert abs(spread / found.rise_variance(1, 3) - 1) < 0.1


def test_the_convex_profile_by_general_optimisation() -> None:
    """Rung: another library (SLSQP over the fitted values and the value at the minimum).

    The reference has one unknown per learning rate and one for the minimum itself, and asks for
    slopes that increase, negative to the left and positive to the right. SLSQP stops at 1e-12 of
    the objective; its constraints are kept to 1e-8, of about 20 units of squares.
    """
    grid = noisy_grid(5, count=5)
    window = np.arange(5)
    profile = convex_profile(grid, window, SIGMA**2)
    for at in (8, 30, 47, 60, 77):
        place = float(profile.places[at])
        knots = np.union1d(grid.x, [place])
        middle = int(np.flatnonzero(knots == place)[0])
        data = np.searchsorted(knots, grid.x)
        y = (grid.loss - grid.loss.min()) / SIGMA

        def slopes(f: np.ndarray, knots: np.ndarray = knots) -> np.ndarray:
            return np.asarray(np.diff(f) / np.diff(knots))

        def kept(f: np.ndarray, middle: int = middle, knots: np.ndarray = knots) -> np.ndarray:
            s = slopes(f, knots)
            return np.concatenate([np.diff(s), -s[:middle], s[middle:]])

        found = minimize(
            lambda f, data=data, y=y: float(((f[data] - y) ** 2).sum()),
            np.interp(knots, grid.x, y),
            constraints={"type": "ineq", "fun": kept},
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-12},
        )
        assert found.success
        assert profile.squares[at] == pytest.approx(found.fun, abs=2e-4)


def test_bounds_by_order_alone() -> None:
    """Rung: closed form (three losses; t quantiles of a table: 2.241 at 1.25 % each side)."""
    grid = grid_losses([1.0, 2.0, 4.0], [3.0, 2.9, 3.0])
    # The rises are 0.1; they count where 0.1 > 2.2414 sigma sqrt(2), sigma < 0.031547.
    low, high = order_bounds(grid, known_noise(0.0315))
    assert low == pytest.approx(0.0) and high == pytest.approx(log(4))
    assert np.isinf(order_bounds(grid, known_noise(0.0316))).all()
    # With 2 degrees of freedom the quantile is 6.205.
    assert np.isinf(order_bounds(grid, NoiseLevel(0.0115, 2.0, ""))).all()
    assert not np.isinf(order_bounds(grid, NoiseLevel(0.0113, 2.0, ""))).any()


@pytest.mark.parametrize("spoiled", [0, 12], ids=["clean", "30 % spoiled"])
def test_the_pooled_noise_is_that_planted(spoiled: int) -> None:
    """Rung: planted parameters, of eight shapes, three standard errors of ln sigma allowed.

    Negative control: the plain mean of squares is off by a factor where grids are spoiled.
    """
    rng = np.random.default_rng(6)
    misfits, shapes = [], list(SHAPES.values())
    for number in range(40):
        x = -7 + log(2) / 2 * (np.arange(9) - 4 + rng.uniform(-1, 1))
        losses = 3 + 0.03 * shapes[number % 8](x + 7) + SIGMA * rng.standard_normal(9)
        if number < spoiled:
            losses += 0.02 * rng.standard_normal(9)
        grid = grid_losses(np.exp(x), losses)
        problem = local_problem(grid, nearest(grid))
        if problem is not None:
            misfits.append(misfit_of(problem))
    found = pooled_misfit(misfits)
    shift = 0.0 if not spoiled else 0.35
    # Spoiled grids move the median from 50 % to at most 50 / 70 = 71 %: ln sigma by about 0.35.
    assert abs(log(found.standard_deviation / SIGMA)) < 3 * found.relative_error + shift
    assert 4 < found.degrees_of_freedom < 200
    plain = sqrt(np.mean(np.concatenate([each.values for each in misfits]) ** 2))
    assert spoiled == 0 or plain > 3 * SIGMA


def test_the_pooled_noise_of_repetitions() -> None:
    """Rung: planted parameters (three standard errors), and the plain formula for few grids."""
    rng = np.random.default_rng(7)
    left = [Residual(float(SIGMA**2 * rng.chisquare(4)), 4) for _ in range(60)]
    found = pooled_repetitions(left)
    assert abs(log(found.standard_deviation / SIGMA)) < 3 * found.relative_error
    few = pooled_repetitions([Residual(3.0, 2), Residual(0.0, 0), Residual(1.0, 2)])
    assert (few.standard_deviation, few.degrees_of_freedom) == (1.0, 4)
    with pytest.raises(UsageError, match="no learning rate was run twice"):
        pooled_repetitions([Residual(0.0, 0)])


def test_where_noise_cannot_be_pooled_it_says_so() -> None:
    """Rung: closed form (few grids; grids without any noise)."""
    problem = local_problem(noisy_grid(9), np.arange(1, 6))
    assert problem is not None
    with pytest.raises(UsageError, match="at least 5 are wanted"):
        pooled_misfit([misfit_of(problem)] * 4)
    x = -7 + log(2) * (np.arange(5) - 2)
    smooth = local_problem(grid_losses(np.exp(x), 3 + 0.03 * (x + 7) ** 2), np.arange(5))
    assert smooth is not None
    with pytest.raises(UsageError, match="repeat some runs"):
        pooled_misfit([misfit_of(smooth)] * 9)


def test_a_lone_grid_knows_its_noise_to_a_factor() -> None:
    """Rung: planted parameters. ln sigma over 200 grids is centred within 0.5, and the stated
    degrees of freedom hold the truth in their 95 % interval nine times in ten or more.
    """
    logs, held = [], 0
    for seed in range(200):
        grid = noisy_grid(seed)
        problem = local_problem(grid, nearest(grid, 7))
        assert problem is not None
        found = lone_noise(misfit_of(problem), grid.replicates)
        plausible = found.plausible(1000)
        logs.append(log(found.standard_deviation / SIGMA))
        held += np.quantile(plausible, 0.025) < SIGMA < np.quantile(plausible, 0.975)
    assert abs(np.mean(logs)) < 0.5
    assert held >= 180
