"""Where the least squares of a law begin, and how far its parameters may go."""

from __future__ import annotations

from itertools import product

import numpy as np

from empirical.judge.fit_curve import log_rates
from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_ties import Design
from scaling_theory.laws.form import LawForm, Parameter

# Batch scales this far outside the data cannot be told from 0 or infinity.
BEYOND = np.log(1e3)
STEEPEST = 6.0
_STARTS = 4


def starts_of(form: LawForm, design: Design, data: Optima) -> list[Array]:
    """Coefficients [k] of coarse guesses; learning rates moved so that the mean residual is 0."""
    choices = [_guesses(term, data) for term in form.terms]
    starts = []
    for guess in product(*choices):
        start = np.zeros(len(design.columns))
        for value, part in zip(guess, design.parts, strict=True):
            for place in range(part.start, part.stop):
                if design.columns[place].is_value:
                    start[place] = value
        starts.append(start)
    return [_levelled(form, design, data, start) for start in starts]


def bounds_of(form: LawForm, design: Design, data: Optima) -> tuple[Array, Array]:
    """Lowest and highest coefficient, [k] each."""
    lower = np.full(len(design.columns), -STEEPEST)
    upper = np.full(len(design.columns), STEEPEST)
    for term, part in zip(form.terms, design.parts, strict=True):
        low, high = _range(term, data)
        for place in range(part.start, part.stop):
            if design.columns[place].is_value:
                lower[place], upper[place] = low, high
    return lower, upper


def _range(term: Parameter, data: Optima) -> tuple[float, float]:
    if term.kind == "exponent":
        return term.lower, term.upper
    if term.kind == "batch size":
        return float(data.log_batch.min() - BEYOND), float(data.log_batch.max() + BEYOND)
    if term.kind == "epsilon":
        known = data.covariates["epsilon"]
        positive = np.log(known[known > 0])
        return float(positive.min() - BEYOND), float(positive.max() + BEYOND)
    if term.kind == "ratio":
        return float(np.log(term.lower)), float(np.log(term.upper))
    return -60.0, 30.0


def _guesses(term: Parameter, data: Optima) -> tuple[float, ...]:
    low, high = float(data.log_batch.min()), float(data.log_batch.max())
    if term.kind == "batch size":
        return tuple(np.linspace(low - 1, high + 1, _STARTS))
    if term.kind == "epsilon":
        known = data.covariates["epsilon"]
        return tuple(np.quantile(np.log(known[known > 0]), (0.1, 0.5, 0.9)))
    if term.kind == "ratio":
        below, above = np.log(term.lower), np.log(term.upper)
        return (0.7 * below + 0.3 * above, 0.4 * below + 0.6 * above)
    if term.kind == "exponent":
        return (0.3, 0.8)
    return (float(np.mean(data.log_rate)),)


def _levelled(form: LawForm, design: Design, data: Optima, start: Array) -> Array:
    gap = data.log_rate - log_rates(form, design, start, data)
    levelled = start.copy()
    for term, part in zip(form.terms, design.parts, strict=True):
        if term.kind != "learning rate":
            continue
        for place in range(part.start, part.stop):
            column = design.columns[place]
            if column.group is not None:
                levelled[place] += gap[data.group == column.group].mean()
            elif column.is_value:
                levelled[place] += gap.mean()
    return levelled
