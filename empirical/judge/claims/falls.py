"""Does the best learning rate of runs fall at the largest batches?

The number is the slope of ln eta* over ln B between the two largest batch sizes of a slice: chosen
beforehand, so that nothing is picked from the data. Where one of the two optima is a bound, the
bounds of both give bounds of the slope. The peak of a slice and what it falls by stands in the
reason, by the operational verdict of `scaling_theory.surge`, which allows for picking the peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, isfinite, log

import numpy as np

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.verdict import (
    ERROR,
    Measured,
    Verdict,
    counted,
    not_judged,
    together,
    verdict_on,
)
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import common_factor, normal_measured
from scaling_theory.surge import SurgeVerdict, surge_verdict

NAME = "eta* falls at the largest batches"
WHAT = "slope of ln eta* between the two largest batches"
FLAT = 0.05
"""A slope above -0.05 is no fall: the plateau of `scaling_theory.surge`."""

STEPS_FALL = "at fixed tokens the steps fall too, which moves eta* by itself"


def falls_claim() -> Claim:
    """Whether eta* falls, whatever the cause."""
    return Claim(
        NAME,
        f"between the two largest batch sizes d ln eta*/d ln B is below -{FLAT:g}",
        "the question of arXiv 2405.14578, asked of whole runs",
        judge_falls,
    )


def judge_falls(stratum: Stratum, known: Known) -> Sequence[Verdict]:
    """The weighted mean slope over slices, and each slice's own."""
    found = [each for each in stratum.slices if len(each.cells) > 1]
    error = ERROR / max(len(found), 1)
    rng = np.random.default_rng(known.seed)
    parts = []
    for each in found:
        slope = last_slope(each, error)
        if slope is not None:
            peak = surge_of(each.measured, rng, 1 - error)
            reason = "" if peak is None else _peak(peak)
            parts.append((each.label, verdict_on(NAME, slope, 2, reason)))
    if not parts:
        return (not_judged(NAME, "no optimum at the two largest batch sizes of a slice"),)
    reason = counted([part.outcome for _, part in parts], "slice")
    if stratum.held == "tokens":
        reason += f"; {STEPS_FALL}"
    kept = tuple(parts) if len(parts) > 1 else ()
    ends = [each.cells[-2:] for each in found]
    slopes = [
        _slope(small, large) for small, large in ends if small.identified and large.identified
    ]
    if not slopes:
        outcome = together([part.outcome for _, part in parts])
        return (Verdict(NAME, outcome, f"{reason}; by bounds alone", 0, parts=kept),)
    mean, variance = common_factor(*(np.array(column) for column in zip(*slopes, strict=True)))
    pooled = normal_measured(WHAT, mean, variance, (-inf, -FLAT), logarithm=False)
    return (verdict_on(NAME, pooled, 2 * len(slopes), reason, parts=kept),)


def last_slope(each: Slice, error: float) -> Measured | None:
    """Between the two largest batch sizes; by bounds where an optimum is one, None if they are
    open on both sides."""
    small, large = each.cells[-2:]
    region = (-inf, -FLAT)
    if small.identified and large.identified:
        return normal_measured(WHAT, *_slope(small, large), region, error, logarithm=False)
    octaves = log(large.batch / small.batch)
    low = (large.bounds[0] - small.bounds[1]) / octaves
    high = (large.bounds[1] - small.bounds[0]) / octaves
    if not (isfinite(low) or isfinite(high)):
        return None
    middle = 0.5 * (low + high) if isfinite(low) and isfinite(high) else high
    middle = middle if isfinite(middle) else low
    # Of one slice: each bound is missed with 2.5 %.
    return Measured(f"{WHAT}, by bounds", middle, (low, high), region, 1 - ERROR, False)


def surge_of(
    cells: Sequence[Cell], rng: np.random.Generator, confidence: float
) -> SurgeVerdict | None:
    """The operational verdict on measured optima; None for fewer than three."""
    if len(cells) < 3:
        return None
    rates = [exp(cell.ln_eta) for cell in cells]
    return surge_verdict(
        [cell.batch for cell in cells],
        rates,
        [rate * cell.variance**0.5 for rate, cell in zip(rates, cells, strict=True)],
        rng=rng,
        confidence=confidence,
    )


def _slope(small: Cell, large: Cell) -> tuple[float, float]:
    """d ln eta*/d ln B between two measured cells, and its variance."""
    reach = log(large.batch / small.batch)
    return (large.ln_eta - small.ln_eta) / reach, (small.variance + large.variance) / reach**2


def _peak(found: SurgeVerdict) -> str:
    low, high = found.interval
    return (
        f"largest eta* at B {found.peak_batch:g}, {found.ratio.value:.2f} times that of "
        f"B {found.last_batch:g} ({low:.2f} to {high:.2f})"
    )
