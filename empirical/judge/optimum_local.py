"""The two ways to find the minimum of a grid by its shape: local fit in closed form, or drawn."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from empirical.judge.grid_losses import GridLosses
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_bounds import TAIL
from empirical.judge.optimum_cost import at_minimum, fitted_regrets
from empirical.judge.optimum_finding import Finding, Tendency, error_of
from empirical.judge.optimum_quadratic import LocalFit, crossing, derivative_rows, fit_local
from scaling_theory.estimate import Estimate

DRAWS = 2000


def local_finding(grid: GridLosses, noise: NoiseLevel, rng: np.random.Generator | None) -> Finding:
    """The minimum by the local fit; with `rng`, its bounds by parametric bootstrap."""
    fit = fit_local(grid, noise)
    if fit is None:
        return Finding("unclear")
    middle, low, high = crossing(fit)
    if rng is not None:
        low, high = np.quantile(bootstrap_minima(fit, rng), [TAIL, 1 - TAIL], method="nearest")
    noise = replace(noise, standard_deviation=noise.standard_deviation * fit.inflation)
    notes = []
    if fit.dropped:
        notes.append(f"{fit.dropped} learning rate(s) do not follow the curve: left out")
    if fit.inflation > 1:
        notes.append(
            f"the rest scatter more than the noise: taken {fit.inflation:.2g} times larger"
        )
    if middle is None:
        at_top = fit.falling[-1] >= 0.5
        reaches = fit.places[-1] >= grid.x[-1] if at_top else fit.places[0] <= grid.x[0]
        tendency: Tendency = "unclear" if not reaches else "falls" if at_top else "rises"
        return Finding(
            tendency, None, float(low), float(high), None, None, (), fit.inflation, tuple(notes)
        )
    loss, curvature = at_minimum(fit, middle, grid.runs - grid.censored)
    # A bound that the window does not give is at least as far as its end.
    ends = max(low, fit.places[0]), min(high, fit.places[-1])
    place = Estimate(middle, error_of(*ends), loss.samples)
    regret = fitted_regrets(fit, grid, noise, place, loss)
    bounds = float(low), float(high)
    return Finding("turns", middle, *bounds, loss, curvature, regret, fit.inflation, tuple(notes))


def bootstrap_minima(fit: LocalFit, rng: np.random.Generator, draws: int = DRAWS) -> np.ndarray:
    """ln eta of the minimum of `draws` curves that the runs could have come from, [draws].

    Noise level, coefficients and asymmetry are drawn from what is plausible; -inf or inf where a
    curve does not turn within the window. Another route to the bounds of `crossing`.
    """
    levels = rng.integers(len(fit.means), size=draws)
    roots = np.linalg.cholesky(fit.covariances + 1e-300 * np.eye(fit.means.shape[1]))
    normal = rng.standard_normal((draws, fit.means.shape[1]))
    curves = fit.means[levels] + np.einsum("dij,dj->di", roots[levels], normal)
    slope = curves @ derivative_rows(fit.places - fit.centre, 1).T
    turns = (slope[:, :-1] < 0) & (slope[:, 1:] >= 0)
    distance = np.where(turns, np.abs(fit.places[:-1] - fit.centre), inf)
    first = distance.argmin(axis=1)
    step = fit.places[1] - fit.places[0]
    before, after = (np.take_along_axis(slope, (first + k)[:, None], 1)[:, 0] for k in (0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = fit.places[first] + step * before / (before - after)
    beyond = np.where(slope[:, -1] < 0, inf, -inf)
    return np.asarray(np.where(turns.any(axis=1), inside, beyond))
