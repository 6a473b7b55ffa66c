"""Which of two predictions lies nearer to the runs, each with one factor per slice.

With y = ln eta* and P the weighted projection that takes out the factor, the difference of the two
chi-squared is linear in y and so exactly normal: its mean is the difference of the squared
distances of the truth from the two predictions, its variance 4 (p - q)' P (p - q). This is the
likelihood ratio test of two fixed predictions (Cox 1961, Proc. 4th Berkeley Symposium 1, 105).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, sqrt

import numpy as np

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.compared import Compared, compared
from empirical.judge.claims.predictions import CORRELATED, INDEPENDENT, Prediction, Silence
from empirical.judge.fit_data import Array
from empirical.judge.verdict import ERROR, Verdict, counted, not_judged, verdict_on
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import common_factor, normal_measured

NAME = "correlated nearer than independent"


def nearer_claim() -> Claim:
    """Correlated noise against the closure of the published articles."""
    return Claim(
        NAME,
        "the shape of eta* over batch sizes is nearer to the greedy step with correlated noise "
        "than to that with independent noise",
        CORRELATED.source,
        judge_nearer,
    )


def judge_nearer(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """The sum over slices of the difference of chi-squared, and each slice's own."""
    if missing := CORRELATED.missing(known, stratum.held):
        return (not_judged(NAME, missing),)
    found = [
        (each.label, *pair)
        for each in stratum.slices
        if (pair := _pair(each, (CORRELATED, INDEPENDENT), known)) is not None
    ]
    if not found:
        return (not_judged(NAME, "no slice has two batch sizes that both predictions speak of"),)
    numbers = [_difference(near, far) for _, near, far in found]
    parts = tuple(
        (where, _verdict(value, variance, len(near), ERROR / len(found), _spreads([near], [far])))
        for (where, near, far), (value, variance) in zip(found, numbers, strict=True)
    )
    nears, fars = [near for _, near, _ in found], [far for _, _, far in found]
    reason = f"{_spreads(nears, fars)}; {counted([p.outcome for _, p in parts], 'slice')}"
    value, variance = (float(total) for total in np.sum(numbers, axis=0))
    whole = _verdict(value, variance, sum(map(len, nears)), ERROR, reason)
    return (replace(whole, parts=parts if len(parts) > 1 else ()),)


def _verdict(value: float, variance: float, cells: int, error: float, reason: str) -> Verdict:
    what = "standard errors by which correlated is nearer"
    measured = normal_measured(
        what, value / sqrt(variance), 1.0, (0.0, inf), error, logarithm=False
    )
    return verdict_on(NAME, replace(measured, statistic=""), cells, reason)


def _pair(
    each: Slice, predictions: tuple[Prediction, Prediction], known: Known
) -> tuple[Compared, Compared] | None:
    first, second = (compared(each, prediction, known) for prediction in predictions)
    if isinstance(first, Silence) or isinstance(second, Silence):
        return None
    if first.cells != second.cells or len(first) < 2:
        return None
    # Predictions of one shape are at one distance from anything.
    return (first, second) if np.ptp(first.predicted - second.predicted) > 0 else None


def _difference(near: Compared, far: Compared) -> tuple[float, float]:
    """Chi-squared of `far` less that of `near`, with errors of both, and its variance."""
    variances = np.maximum(near.variances, far.variances)
    gap = near.predicted - far.predicted

    def squares(deviations: Array) -> float:
        away = deviations - common_factor(deviations, variances)[0]
        return float(away**2 @ (1 / variances))

    return squares(far.deviations) - squares(near.deviations), 4 * squares(gap)


def _spreads(nears: Sequence[Compared], fars: Sequence[Compared]) -> str:
    spreads = []
    for parts in (nears, fars):
        scatters = [part.scatter(free_factor=True) for part in parts]
        total = scatters[0]
        for each in scatters[1:]:
            total = total + each
        spreads.append(np.exp(total.spread))
    return f"spread x{spreads[0]:.2f} with correlated, x{spreads[1]:.2f} with independent noise"
