"""B_noise from one-step loss changes of SGD, and how much it depends on the way it is fitted.

The law is eta*(B) = eta_max / (1 + B_noise/B) (arXiv 1812.06162, section 2.2). The data are mean
loss changes of one step against the learning rate, several draws per batch size, the same draws at
every learning rate: the points of one curve go up and down together. Each curve is therefore
reduced to its optimum first, with a standard error from how the errors of the points grow with
eta, and the law is fitted to the optima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, get_args

import numpy as np
from scipy.optimize import brentq

from empirical.errors import UsageError
from empirical.judge.fit import fit_law
from empirical.judge.fit_data import Array, Optima
from empirical.judge.profile import Interval, profile
from empirical.judge.run_record import Run
from scaling_theory.laws.table import LAW_FORMS

Weights = Literal["errors", "equal"]
NEGLIGIBLE = 1e-3
"""Standard error of ln eta* given to every optimum where the weights are equal."""

WINDOWS = (1.0, 1.5, 2.0, 3.0)
DEGREES = (2, 3)
ROUNDS = 20
GRID = 4001


@dataclass(frozen=True)
class StepCurve:
    """Mean loss change of one step, nats, at `rates` [n]; error: its standard error [n], > 0."""

    batch_size: float
    rates: Array
    change: Array
    error: Array


@dataclass(frozen=True)
class NoiseBatchFit:
    """B_noise by one way of fitting.

    window: learning rates up to this multiple of the optimum are used. degree: of the polynomial
    in eta; 2 is the law's own. smallest_batch: batch sizes fitted. weights: "errors", from each
    curve's draws, or "equal" in ln eta*, with a scatter from the misfit of the law alone.
    noise_batch, eta_max: with 95 % profile intervals. scatter: of ln eta* beyond the errors.
    chi2, freedom: of the fit, at that scatter.
    """

    window: float
    degree: int
    smallest_batch: float
    weights: Weights
    noise_batch: Interval
    eta_max: Interval
    scatter: float
    chi2: float
    freedom: int

    @property
    def label(self) -> str:
        """The way of fitting in words."""
        return (
            f"degree {self.degree}, rates up to {self.window:g} eta*, "
            f"B >= {self.smallest_batch:g}, weights from {self.weights}"
        )


def step_curves(runs: Sequence[Run]) -> list[StepCurve]:
    """The curves of one checkpoint, by batch size; runs with loss and standard error only."""
    batches = sorted({run.batch_size for run in runs})
    found = []
    for batch in batches:
        rows = sorted(
            (run.lr, run.loss, run.loss_standard_error)
            for run in runs
            if run.batch_size == batch and run.loss is not None and run.loss_standard_error
        )
        if len(rows) >= 4:
            found.append(
                StepCurve(batch, *(np.array(part, dtype=float) for part in zip(*rows, strict=True)))
            )
    if len(found) < 3:
        raise UsageError(
            f"{len(found)} batch size(s) have 4 learning rates with a standard error (loss_se); "
            "at least 3 are wanted"
        )
    return found


def noise_batch_fits(
    curves: Sequence[StepCurve],
    windows: Sequence[float] = WINDOWS,
    degrees: Sequence[int] = DEGREES,
    smallest: Sequence[float] = (0.0,),
) -> list[NoiseBatchFit]:
    """B_noise for every window, degree, smallest batch size and kind of weights.

    Raises `UsageError` where fewer than 3 batch sizes have an optimum.
    """
    return [
        _fitted([curve for curve in curves if curve.batch_size >= least], window, degree, weights)
        for weights in get_args(Weights)
        for least in smallest
        for degree in degrees
        for window in windows
    ]


def step_optimum(curve: StepCurve, window: float, degree: int) -> tuple[float, float] | None:
    """(ln eta*, standard error) of a polynomial through 0; None where it has no minimum.

    L(eta) = -a eta + h eta^2/2 + ...; Var L(eta) = V_a eta^2 - C eta^3 + V_h eta^4/4 gives the
    covariance of a and h, and so the error of ln eta* = ln a - ln h (higher terms as they are).
    """
    reach = curve.rates[int(np.argmin(curve.change))]
    optimum = float(reach)
    for _ in range(ROUNDS):
        used = curve.rates <= max(window * optimum, np.sort(curve.rates)[degree])
        coefficients = _polynomial(curve, used, degree)
        found = _minimum(coefficients, float(curve.rates.max()))
        if found is None:
            return None
        settled = abs(np.log(found / optimum)) < 1e-6
        optimum = found
        if settled:
            break
    return float(np.log(optimum)), _error(curve, used, optimum)


def _polynomial(curve: StepCurve, used: Array, degree: int) -> Array:
    """Coefficients of eta, eta^2, ... [degree], by least squares with weights 1/error^2."""
    rates = curve.rates[used]
    design = rates[:, None] ** np.arange(1, degree + 1) / curve.error[used][:, None]
    scale = np.linalg.norm(design, axis=0)
    solution = np.linalg.lstsq(design / scale, curve.change[used] / curve.error[used], rcond=None)
    return np.asarray(solution[0] / scale)


def _minimum(coefficients: Array, largest: float) -> float | None:
    """The smallest eta up to twice `largest` where the derivative turns positive."""
    slope = np.polynomial.Polynomial(coefficients * np.arange(1, len(coefficients) + 1))
    # Signs on a fine grid, then bisection: roots of a cubic whose cubic term is next to nothing
    # lose half their digits.
    grid = np.linspace(0.0, 2 * largest, GRID)
    turns = np.flatnonzero((slope(grid[:-1]) < 0) & (slope(grid[1:]) >= 0))
    if not turns.size:
        return None
    return float(brentq(slope, grid[turns[0]], grid[turns[0] + 1], rtol=1e-12))


def _error(curve: StepCurve, used: Array, optimum: float) -> float:
    """Of ln eta*: slope error at the optimum over (eta* times curvature).

    With L' = -a + h eta, Var L'(eta*) = V_a - 2 C eta* + V_h eta*^2 and
    d ln eta* = dL' / (eta* h).
    """
    rates = curve.rates[used]
    # Relative weights: the variance grows by many orders of magnitude along a curve.
    target = curve.error[used] ** 2
    design = np.column_stack([rates**2, -(rates**3), rates**4 / 4]) / target[:, None]
    scale = np.linalg.norm(design, axis=0)
    parts = np.linalg.lstsq(design / scale, np.ones(len(rates)), rcond=None)[0] / scale
    variance = parts[0] - 2 * (parts[1] / 2) * optimum + parts[2] * optimum**2
    curvature = 2 * _polynomial(curve, used, 2)[1]
    if not (variance > 0 and curvature > 0):
        # The three parts are not told apart: the whole error of the loss change is taken.
        at = float(np.interp(optimum, curve.rates, curve.error))
        variance = (2 * at / optimum) ** 2
    return sqrt(float(variance)) / (optimum * abs(float(curvature)))


def _fitted(
    curves: Sequence[StepCurve], window: float, degree: int, weights: Weights
) -> NoiseBatchFit:
    optima = [(curve, step_optimum(curve, window, degree)) for curve in curves]
    found = [(curve.batch_size, *optimum) for curve, optimum in optima if optimum is not None]
    if len(found) < 3:
        raise UsageError(f"{len(found)} batch size(s) have an optimum; at least 3 are wanted")
    batches, rates, errors = (np.array(part) for part in zip(*found, strict=True))
    n = len(found)
    data = Optima(
        group=np.zeros(n, dtype=np.int64),
        groups=("checkpoint",),
        log_batch=np.log(batches),
        log_rate=rates,
        standard_error=errors if weights == "errors" else np.full(n, NEGLIGIBLE),
        side=np.zeros(n, dtype=np.int64),
        curvature=np.full(n, np.nan),
        covariates={},
    )
    fit = fit_law(LAW_FORMS["linear saturating"], {}, data)
    eta_max, noise = profile(fit, data)
    return NoiseBatchFit(
        window=window,
        degree=degree,
        smallest_batch=float(batches.min()),
        weights=weights,
        noise_batch=noise,
        eta_max=eta_max,
        scatter=fit.scatter,
        chi2=fit.chi2,
        freedom=fit.freedom,
    )
