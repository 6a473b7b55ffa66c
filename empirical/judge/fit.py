"""Least squares of ln eta* over groups: weights from intervals, scatter from the data, censoring.

A measured optimum enters with variance s^2 + tau^2: s its own standard error, tau the scatter of
optima around any smooth law, estimated so that chi^2 equals its degrees of freedom (Paule and
Mandel 1982, J. Res. NBS 87, 377). An optimum beyond the grid enters with the probability that it
lies there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log, pi

import numpy as np
from numpy.typing import NDArray

from empirical.errors import UsageError
from empirical.judge.fit_curve import jacobian, log_rates
from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_problem import Problem
from empirical.judge.fit_start import bounds_of
from empirical.judge.fit_ties import Column, Design, Ties, design_of
from scaling_theory.laws.form import LawForm

FIRST_SCATTER = 0.1
ROUNDS = 6
SETTLED = 1e-4


@dataclass(frozen=True)
class Fit:
    """A law fitted to optima.

    coefficients, covariance: [k], [k, k], logarithms (exponents as they are), in `columns`' order.
    scatter: tau of ln eta*. chi2: at that tau. log_likelihood: of all optima, at that tau.
    at_bound: coefficients that ended at a bound, so that the law is one of its limits.
    references: where covariates were centred. fitted_groups: places with parameters of their own.
    """

    form: LawForm
    ties: Ties
    columns: tuple[Column, ...]
    coefficients: Array
    covariance: Array
    scatter: float
    chi2: float
    log_likelihood: float
    optima: int
    at_bound: tuple[str, ...]
    references: Mapping[str, float]
    fitted_groups: NDArray[np.int64]

    @property
    def aicc(self) -> float:
        """Akaike's criterion with the correction for few data; infinite where it has none."""
        k = len(self.coefficients) + 1  # and the scatter
        left = self.optima - k - 1
        return 2 * k - 2 * self.log_likelihood + (2 * k * (k + 1) / left if left > 0 else inf)

    @property
    def freedom(self) -> int:
        """Optima less coefficients."""
        return self.optima - len(self.coefficients)

    def design(self, data: Optima) -> Design:
        """Of this law on other optima of the same groups or, without free parameters, on any."""
        return design_of(self.form, self.ties, data, self.references, self.fitted_groups)

    def predict(self, data: Optima) -> Array:
        """ln eta* at the batch sizes and covariates of `data`, [n]."""
        return log_rates(self.form, self.design(data), self.coefficients, data)

    def standard_error(self, data: Optima) -> Array:
        """Of `predict`, from the covariance of the coefficients alone, [n]."""
        slopes = jacobian(self.form, self.design(data), self.coefficients, data)
        variance = np.einsum("ij,jk,ik->i", slopes, self.covariance, slopes)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def fit_law(
    form: LawForm,
    ties: Ties,
    data: Optima,
    *,
    references: Mapping[str, float] | None = None,
    start: Array | None = None,
    near: Fit | None = None,
    held: Mapping[int, float] | None = None,
    scatter: float | None = None,
) -> Fit:
    """Fit `form` with `ties` to `data`.

    references: where covariates are centred (default: their geometric means here). start:
    coefficients to start at (default: the best of a coarse search). near: a fit of the same law
    to similar optima; its coefficients are tried beside the first of the coarse search. held:
    coefficients, by place, kept at a value. scatter: tau, if it is given and not estimated.

    Raises `UsageError` where there are not more measured optima than coefficients.
    """
    centred = data.references() if references is None else references
    groups = np.unique(data.group)
    design = design_of(form, ties, data, centred, groups)
    kept = dict(held or {})
    free = np.array([i for i in range(len(design.columns)) if i not in kept], dtype=np.int64)
    if data.measured.sum() <= len(free):
        raise UsageError(
            f"{data.measured.sum()} measured optima came for the {len(free)} coefficients of "
            f"'{form.name}'; more are wanted: share parameters, or measure more batch sizes"
        )
    problem = Problem(form, design, data, free)
    tau = FIRST_SCATTER if scatter is None else scatter
    if start is None and near is not None:
        tau = near.scatter if scatter is None else scatter
        found = problem.searched(tau, kept, _matched(near, design))
    elif start is None:
        found = problem.searched(tau, kept)
    else:
        found = problem.solved(np.asarray(start), tau, kept)
    for _ in range(ROUNDS if scatter is None else 0):
        previous, tau = tau, problem.scatter(found)
        found = problem.solved(found, tau, kept)
        if abs(tau - previous) < SETTLED:
            break
    return _result(problem, found, tau, ties, centred, groups)


def _matched(near: Fit, design: Design) -> Array | None:
    """The coefficients of `near` in the order of `design`; None where one is missing."""
    known = dict(zip(near.columns, near.coefficients, strict=True))
    if not all(column in known for column in design.columns):
        return None
    return np.array([known[column] for column in design.columns])


def _result(
    problem: Problem,
    found: Array,
    tau: float,
    ties: Ties,
    references: Mapping[str, float],
    groups: NDArray[np.int64],
) -> Fit:
    data, design = problem.data, problem.design
    residuals, weights = problem.residuals(found, tau)
    lower, upper = bounds_of(problem.form, design, data)
    stuck = (np.abs(found - lower) < 1e-4) | (np.abs(found - upper) < 1e-4)
    usable = np.array([i for i in problem.free if not stuck[i]], dtype=np.int64)
    slopes = weights[:, None] * jacobian(problem.form, design, found, data)
    covariance = np.zeros((len(found),) * 2)
    if len(usable):
        information = slopes[:, usable].T @ slopes[:, usable]
        # A flat direction gets no error bar of its own: the pseudo-inverse leaves it out.
        inverse = np.linalg.pinv(information, rcond=1e-12, hermitian=True)
        covariance[np.ix_(usable, usable)] = inverse
    widths = np.hypot(data.standard_error, tau)[data.measured]
    chi2 = float(np.sum(residuals**2))
    normalisation = float(np.sum(np.log(widths))) + 0.5 * log(2 * pi) * len(widths)
    return Fit(
        form=problem.form,
        ties=ties,
        columns=design.columns,
        coefficients=found,
        covariance=covariance,
        scatter=tau,
        chi2=chi2,
        log_likelihood=-0.5 * chi2 - normalisation,
        optima=len(data),
        at_bound=tuple(design.columns[i].name for i in np.flatnonzero(stuck)),
        references=dict(references),
        fitted_groups=groups,
    )
