"""Does the fall at large batches weaken as epsilon grows, as both noise closures say?

The fall at one epsilon is ln(eta* at a reference batch / eta* at the largest). The reference is
the batch size below the largest with the highest eta* in the mean over epsilons: common to all of
them, so that picking it does not favour a trend. A line through the falls over the rank of
epsilon, weighted by their errors, gives the change from the smallest to the largest epsilon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf

import numpy as np

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.fit_data import Array
from empirical.judge.verdict import (
    ERROR,
    MARGIN,
    Outcome,
    Verdict,
    counted,
    not_judged,
    verdict_on,
)
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import common_factor, normal_measured, normal_quantile

NAME = "the fall weakens with epsilon"


@dataclass(frozen=True)
class Trend:
    """Falls of one set of slices that differ in epsilon alone.

    reference, last: batch sizes. falls, variances: at each epsilon, [m]. change: of the fall from
    the smallest to the largest epsilon, with its variance.
    """

    where: str
    reference: float
    last: float
    falls: Array
    variances: Array
    change: float
    variance: float


def epsilon_claim() -> Claim:
    """kexue.fm/archives/10563: epsilon softens the sign and with it the surge."""
    return Claim(
        NAME,
        "from the smallest to the largest epsilon the fall of ln eta* to the largest batch "
        "shrinks by more than 10 %",
        "kexue.fm/archives/10563 section 2",
        judge_epsilons,
    )


def judge_epsilons(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """The weighted mean change, where eta* falls at the smallest epsilon at all."""
    alike: dict[tuple[object, ...], list[Slice]] = defaultdict(list)
    for each in stratum.slices:
        if each.epsilon is not None:
            alike[each.family, each.amount, each.settings].append(each)
    found = [trend for held in alike.values() if (trend := trend_of(held)) is not None]
    if not found:
        reason = "two epsilons with optima at two common batch sizes are wanted"
        return (not_judged(NAME, reason),)
    error = ERROR / len(found)
    parts = tuple((trend.where, _verdict(trend, error)) for trend in found)
    falling = [trend for trend in found if _falls(trend, error) is not False]
    reason = counted([part.outcome for _, part in parts], "epsilon set")
    kept = parts if len(parts) > 1 else ()
    cells = sum(2 * len(trend.falls) for trend in found)
    if not falling:
        why = f"eta* does not fall at the smallest epsilon: nothing to weaken; {reason}"
        return (Verdict(NAME, Outcome.CANNOT_TELL, why, cells, parts=kept),)
    mean, variance = common_factor(
        np.array([trend.change for trend in falling]),
        np.array([trend.variance for trend in falling]),
    )
    whole = normal_measured(_WHAT, mean, variance, _REGION)
    if len(parts) == 1:
        reason = parts[0][1].reason
    return (verdict_on(NAME, whole, cells, reason, parts=kept),)


_WHAT = "fall at the largest over fall at the smallest epsilon"
_REGION = (-inf, -MARGIN)


def trend_of(held: Sequence[Slice]) -> Trend | None:
    """The falls over epsilon, None for fewer than two epsilons with two common batch sizes."""
    rows = sorted(held, key=lambda each: each.epsilon or 0.0)
    cells = [{cell.batch: cell for cell in each.measured} for each in rows]
    common = sorted(set.intersection(*(set(row) for row in cells))) if cells else []
    if len(rows) < 2 or len(common) < 2:
        return None
    means = [np.mean([row[batch].ln_eta for row in cells]) for batch in common[:-1]]
    reference, last = common[int(np.argmax(means))], common[-1]
    pairs: list[tuple[Cell, Cell]] = [(row[reference], row[last]) for row in cells]
    falls = np.array([high.ln_eta - low.ln_eta for high, low in pairs])
    variances = np.array([high.variance + low.variance for high, low in pairs])
    slope, variance = _line(falls, variances)
    steps = len(rows) - 1
    where = f"{rows[0].family}, all eps, {rows[0].kept}"
    return Trend(where, reference, last, falls, variances, slope * steps, variance * steps**2)


def _line(falls: Array, variances: Array) -> tuple[float, float]:
    """Weighted slope over the rank, and its variance."""
    rank, weights = np.arange(len(falls), dtype=float), 1 / variances
    away = rank - weights @ rank / weights.sum()
    norm = float(weights @ away**2)
    return float((weights * away) @ falls) / norm, 1 / norm


def _falls(trend: Trend, error: float) -> bool | None:
    """Whether eta* falls by 10 % at the smallest epsilon; None where that is open."""
    half = normal_quantile(error) * float(trend.variances[0]) ** 0.5
    if trend.falls[0] + half < MARGIN:
        return False
    return True if trend.falls[0] - half > MARGIN else None


def _verdict(trend: Trend, error: float) -> Verdict:
    measured = normal_measured(_WHAT, trend.change, trend.variance, _REGION, error)
    shown = ", ".join(f"{exp(fall):.2f}" for fall in trend.falls)
    reason = f"eta*(B {trend.reference:g}) over eta*(B {trend.last:g}) by epsilon: {shown}"
    cells = 2 * len(trend.falls)
    if _falls(trend, error) is False:
        reason += "; no fall at the smallest epsilon, nothing to weaken"
        return Verdict(NAME, Outcome.CANNOT_TELL, reason, cells)
    return verdict_on(NAME, measured, cells, reason)
