"""A law on optima: ln eta* from coefficients through the ties, and its slopes."""

from __future__ import annotations

import numpy as np

from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_ties import Design
from scaling_theory.laws.form import LawForm

STEP = 1e-5
"""Of z for slopes: truncation of the order 1e-10, rounding 1e-11."""


def log_rates(form: LawForm, design: Design, coefficients: Array, data: Optima) -> Array:
    """ln eta* of the law, [n]."""
    return _log_rates(form, design.values(coefficients), data)


def jacobian(form: LawForm, design: Design, coefficients: Array, data: Optima) -> Array:
    """d ln eta* / d coefficients, [n, k]: central differences in z, times the design."""
    values = design.values(coefficients)
    parts = []
    for place, matrix in enumerate(design.matrices):
        above, below = (
            _log_rates(form, [*values[:place], values[place] + h, *values[place + 1 :]], data)
            for h in (STEP, -STEP)
        )
        parts.append(matrix * ((above - below) / (2 * STEP))[:, None])
    return np.concatenate(parts, axis=1)


def _log_rates(form: LawForm, values: list[Array], data: Optima) -> Array:
    natural = [
        np.exp(z) if term.positive else z for term, z in zip(form.terms, values, strict=True)
    ]
    if form.epsilon:
        natural.append(data.covariates["epsilon"])
    return form.log_rate(data.log_batch, *natural)
