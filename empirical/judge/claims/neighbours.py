"""Does a rule hold between neighbouring batch sizes, where it is asked for least?

Every pair of neighbours is judged by itself: ln of the measured change of eta* less the rule's,
within a quarter octave. A rule that fails over the whole range may hold between neighbours, and
one that holds between all neighbours may still drift. Pairs share optima; the confidence of each
is 1 - 5 %/pairs (Bonferroni), which needs no independence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import log

import numpy as np

from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.predictions import RULES, Prediction, Silence
from empirical.judge.verdict import (
    ERROR,
    TOLERANCE,
    Measured,
    Outcome,
    Verdict,
    counted,
    not_judged,
    together,
)
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdict_spread import Cost, cost, mean_regret, normal_measured


@dataclass(frozen=True)
class Pair:
    """Two neighbouring batch sizes. miss: ln of measured less predicted change, with variance."""

    where: str
    small: Cell
    large: Cell
    miss: float
    variance: float

    @property
    def cost(self) -> Cost:
        """Of following the rule from the smaller batch to the larger."""
        curvature = np.array([self.large.curvature])
        return cost(np.array([-self.miss]), np.array([[self.variance]]), curvature)

    @property
    def slope(self) -> float:
        """d ln eta* / d ln B between the two."""
        return (self.large.ln_eta - self.small.ln_eta) / log(self.large.batch / self.small.batch)


def neighbour_claims() -> tuple[Claim, ...]:
    """One per rule."""
    return tuple(
        Claim(
            _name(rule),
            f"{rule.name} holds between neighbouring batch sizes: {rule.formula}",
            rule.source,
            partial(judge_neighbours, rule=rule),
        )
        for rule in RULES
    )


def judge_neighbours(stratum: Stratum, known: Known, *, rule: Prediction) -> Sequence[Verdict]:
    """Every pair of every slice; a slice, and the stratum, must hold in all of its pairs."""
    by_slice = {each.label: pairs(each, rule, known) for each in stratum.slices}
    by_slice = {label: found for label, found in by_slice.items() if found}
    every = [pair for found in by_slice.values() for pair in found]
    if not every:
        return (not_judged(_name(rule), "no two neighbouring batch sizes have an optimum"),)
    error = ERROR / len(every)
    parts = tuple((label, _verdict(rule, found, error)) for label, found in by_slice.items())
    whole = _verdict(rule, every, error)
    return (replace(whole, parts=parts if len(parts) > 1 else ()),)


def pairs(each: Slice, rule: Prediction, known: Known) -> list[Pair]:
    """Neighbours in the slice that both have a number."""
    found = []
    for small, large in pairwise(each.cells):
        if not (small.identified and large.identified):
            continue
        ends = rule.ln_eta(small, known), rule.ln_eta(large, known)
        if isinstance(ends[0], Silence) or isinstance(ends[1], Silence):
            continue
        miss = large.ln_eta - small.ln_eta - (ends[1].value - ends[0].value)
        found.append(Pair(each.label, small, large, miss, small.variance + large.variance))
    return found


def _verdict(rule: Prediction, found: Sequence[Pair], error: float) -> Verdict:
    numbers = [_measured(pair, error) for pair in found]
    outcomes = [number.outcome for number in numbers]
    outcome = together(outcomes)
    worst = max(range(len(found)), key=lambda i: _rank(numbers[i], outcome))
    pair = found[worst]
    slopes = [pair.slope for pair in found]
    reason = (
        f"{counted(outcomes, 'pair')}; the worst: B {pair.small.batch:g} to {pair.large.batch:g} "
        f"of {pair.where}; slope of ln eta* {np.median(slopes):.2f} in the median"
    )
    return Verdict(
        _name(rule),
        outcome,
        reason,
        len({id(cell) for pair in found for cell in (pair.small, pair.large)}),
        numbers[worst],
        mean_regret([pair.cost for pair in found]),
    )


def _measured(pair: Pair, error: float) -> Measured:
    what = "measured over predicted change of eta*, worst pair"
    return normal_measured(what, pair.miss, pair.variance, (-TOLERANCE, TOLERANCE), error)


def _rank(number: Measured, outcome: Outcome) -> tuple[bool, float]:
    """The pair that decides: furthest outside for certain, else with the widest reach."""
    low, high = number.interval
    beyond = max(low - TOLERANCE, -TOLERANCE - high)
    reach = max(abs(low), abs(high))
    return number.outcome is outcome, beyond if outcome is Outcome.DISAGREES else reach


def _name(rule: Prediction) -> str:
    return f"{rule.name}, neighbours"
