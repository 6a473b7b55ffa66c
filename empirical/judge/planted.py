"""Simulated optima of a law whose parameters are known: for recovery, coverage and refutation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from empirical.judge.fit_curve import log_rates
from empirical.judge.fit_data import Array, Optima
from empirical.judge.fit_ties import Tie, design_of
from empirical.judge.league_entries import Entry
from scaling_theory.laws.table import LAW_FORMS

SCATTER = 0.08
ERRORS = (0.04, 0.12)
EDGE = 0.03
"""Part of the optima, the smallest ones, that lie below the grid."""

VALUES: dict[str, dict[str, float]] = {
    "constant": {"eta_constant": 2e-3},
    "power": {"eta_one": 3e-4, "exponent": 0.35},
    "linear": {"eta_one": 2e-5},
    "square root": {"eta_one": 1e-4},
    "square root saturating": {"eta_infinity": 3e-3, "saturation_batch": 100.0},
    "linear saturating": {"eta_infinity": 3e-3, "noise_batch": 100.0},
    "saturating": {"eta_infinity": 3e-3, "noise_batch": 100.0, "exponent": 0.7},
    "surge": {"eta_peak": 3e-3, "peak_batch": 100.0},
    "canonical": {"eta_infinity": 1e-3, "noise_batch": 30.0, "saturation_batch": 600.0},
    "canonical epsilon": {
        "eta_infinity": 1e-3,
        "noise_batch": 30.0,
        "saturation_batch": 600.0,
        "epsilon_scale": 1e-4,
    },
    "two groups": {
        "eta_infinity": 1e-3,
        "noise_ratio": 0.03,
        "first_saturation": 10.0,
        "saturation_ratio": 100.0,
        "second_share": 3.0,
    },
    "two slopes": {"eta_break": 3e-3, "break_batch": 100.0, "rise": 0.8, "fall": 0.3},
    "noise and curvature": {"eta_one": 3e-5, "eta_infinity": 2e-3, "saturation_batch": 500.0},
}
"""The planted parameters at the middle of the covariates; batch sizes in sequences."""

POWERS = {
    "learning rate": {"n_params": -0.6, "tokens": 0.2},
    "batch size": {"tokens": 0.5},
}
"""How the planted parameters of each kind go with the covariates."""

PARAMETERS, TOKENS = (1e8, 3e8, 9e8), (4e9, 1.2e10, 4e10)
BATCHES = 2.0 ** np.arange(1, 13)
EPSILONS = (0.0, 3e-5, 1e-4, 1e-3)


@dataclass(frozen=True)
class Planted:
    """A law with known coefficients, [k], in the order of its columns, and where it is seen."""

    entry: Entry
    coefficients: Array
    names: tuple[str, ...]
    design: Optima
    curve: Array


def planted(name: str) -> Planted:
    """The law `name` in nine groups of n_params and tokens, and at several epsilons if it has any.

    The first of several laws of one kind keeps the powers of `POWERS`.
    """
    form = LAW_FORMS[name]
    ties = {
        term.name: Tie(powers=tuple(POWERS[term.kind]))
        for term in form.terms
        if term.kind in POWERS
    }
    where = _places(form.epsilon)
    design = design_of(form, ties, where, where.references(), np.unique(where.group))
    coefficients = []
    for column in design.columns:
        term = form.term(column.parameter)
        value = VALUES[name][term.name]
        if column.of:
            coefficients.append(POWERS[term.kind][column.of])
        else:
            coefficients.append(float(np.log(value)) if term.positive else value)
    found = np.array(coefficients)
    curve = log_rates(form, design, found, where)
    names = tuple(column.name for column in design.columns)
    return Planted(Entry(name, form, "tokens", ties), found, names, where, curve)


def drawn(law: Planted, rng: np.random.Generator) -> Optima:
    """One simulated table: errors, scatter, and optima beyond the lower edge of their grid."""
    n = len(law.curve)
    errors = rng.uniform(*ERRORS, n)
    optima = law.curve + rng.normal(size=n) * np.hypot(errors, SCATTER)
    # Where the grid ends does not depend on what was drawn.
    edge = float(np.quantile(law.curve, EDGE))
    below = optima < edge
    return Optima(
        group=law.design.group,
        groups=law.design.groups,
        log_batch=law.design.log_batch,
        log_rate=np.where(below, edge, optima),
        standard_error=errors,
        side=np.where(below, -1, 0),
        curvature=np.full(n, 0.1),
        covariates=law.design.covariates,
    )


def _places(epsilons: bool) -> Optima:
    seen = EPSILONS if epsilons else (1e-8,)
    batches = BATCHES[::2] if epsilons else BATCHES
    rows = [
        (place, parameters, tokens, batch, epsilon)
        for place, (parameters, tokens) in enumerate(
            (parameters, tokens) for parameters in PARAMETERS for tokens in TOKENS
        )
        for batch in batches
        for epsilon in seen
    ]
    group, parameters, tokens, batch, epsilon = (np.array(each) for each in zip(*rows, strict=True))
    zero = np.zeros(len(rows))
    return Optima(
        group=group,
        groups=tuple(f"N{n:.0e}_D{d:.0e}" for n in PARAMETERS for d in TOKENS),
        log_batch=np.log(batch),
        log_rate=zero,
        standard_error=zero + 1,
        side=zero.astype(np.int64),
        curvature=zero + 0.1,
        covariates={"n_params": parameters, "tokens": tokens, "epsilon": epsilon},
    )
