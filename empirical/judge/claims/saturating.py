"""SGD's one-step law on tables of one-step losses: eta* = eta_max / (1 + B_noise/B).

The curves of such a table share their draws over learning rates, so that each is reduced to its
optimum by `fit_one_step`, not by `optimum`; the law's two parameters are fitted with the errors of
the draws alone, and the number is the spread of ln eta* round it. It depends on the part of each
curve that is fitted: the law's own degree and a window of twice the optimum decide, the other ways
stand in the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from empirical.errors import UsageError
from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.fit import fit_law
from empirical.judge.fit_data import Optima
from empirical.judge.fit_one_step import DEGREES, WINDOWS, StepCurve, step_curves, step_optimum
from empirical.judge.verdict import ERROR, TOLERANCE, Verdict, counted, not_judged, verdict_on
from empirical.judge.verdict_spread import Scatter, spread_measured
from scaling_theory.laws.table import LAW_FORMS

NAME = "one-step law of SGD"
FORM = LAW_FORMS["linear saturating"]
WINDOW, DEGREE = 2.0, 2


@dataclass(frozen=True)
class StepLaw:
    """The law fitted to one checkpoint. noise_batch: B_noise; optima: fitted."""

    scatter: Scatter
    noise_batch: float
    optima: int


def saturating_claim() -> Claim:
    """McCandlish et al.; only where the runs are single steps of SGD with standard errors."""
    return Claim(
        NAME,
        f"the best learning rate of one step follows {FORM.formula}",
        FORM.source,
        judge_saturating,
    )


def judge_saturating(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """Every checkpoint, and all of them pooled; nothing for other runs."""
    if stratum.held != "one-step" or not stratum.optimizer.lower().startswith("sgd"):
        return ()
    what = f"spread of eta*/{FORM.name}"
    found, parts = [], []
    error = ERROR / len(stratum.slices)
    for each in stratum.slices:
        try:
            curves = step_curves([run for cell in each.cells for run in cell.found.grid.runs])
            law = step_law(curves, WINDOW, DEGREE)
            others = [step_law(curves, window, degree) for window in WINDOWS for degree in DEGREES]
        except UsageError as problem:
            return (not_judged(NAME, str(problem)),)
        batches = [other.noise_batch for other in others]
        outcomes = [
            spread_measured(what, other.scatter, TOLERANCE, error).outcome for other in others
        ]
        words = (
            f"B_noise {law.noise_batch:.0f} ({min(batches):.0f} to {max(batches):.0f} "
            f"{counted(outcomes, 'way')})"
        )
        measured = spread_measured(what, law.scatter, TOLERANCE, error)
        parts.append((each.label, verdict_on(NAME, measured, law.optima, words)))
        found.append(law)
    if len(parts) == 1:
        return (parts[0][1],)
    total = found[0].scatter
    for law in found[1:]:
        total = total + law.scatter
    measured = spread_measured(what, total, TOLERANCE)
    reason = "; ".join(part.reason for _, part in parts)
    cells = sum(law.optima for law in found)
    return (verdict_on(NAME, measured, cells, reason, parts=parts),)


def step_law(curves: Sequence[StepCurve], window: float, degree: int) -> StepLaw:
    """The law fitted to the optima of one checkpoint by their own errors.

    Raises `UsageError` where fewer than 3 batch sizes have an optimum.
    """
    optima = [(curve.batch_size, step_optimum(curve, window, degree)) for curve in curves]
    found = [(batch, *optimum) for batch, optimum in optima if optimum is not None]
    if len(found) < 3:
        raise UsageError(f"{len(found)} batch size(s) have an optimum; at least 3 are wanted")
    batches, rates, errors = (np.array(column) for column in zip(*found, strict=True))
    data = Optima(
        group=np.zeros(len(found), dtype=np.int64),
        groups=("checkpoint",),
        log_batch=np.log(batches),
        log_rate=rates,
        standard_error=errors,
        side=np.zeros(len(found), dtype=np.int64),
        curvature=np.full(len(found), np.nan),
        covariates={},
    )
    fit = fit_law(FORM, {}, data, scatter=0.0)
    # Two parameters take their share of the weights, as one factor does in `verdict_spread`.
    norm = float((1 / errors**2).sum()) * fit.freedom / fit.optima
    noise = float(np.exp(fit.coefficients[FORM.parameters.index("noise_batch")]))
    return StepLaw(Scatter(fit.chi2, fit.freedom, norm), noise, len(found))
