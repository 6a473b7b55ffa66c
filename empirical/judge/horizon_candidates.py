"""Candidates for the learning rate of a whole run, eta*(B, S, epsilon): one fitted number at most.

The number is either a common factor of all learning rates (a tuned run fixes it), or the depth a
of a saturating descent, in nats. What is fitted is stated; everything else is measured at the
branch point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log
from typing import Literal

import numpy as np

from empirical.judge.horizon_cells import HorizonCell
from scaling_theory.branch_point import Promise
from scaling_theory.errors import InputError

Kind = Literal["nothing", "factor", "depth"]

DEPTHS = tuple(float(x) for x in np.geomspace(3e-3, 30.0, 33))
"""Depths a, nats, between which a fitted one is interpolated."""


@dataclass(frozen=True)
class Candidate:
    """A rule. fitted: what its one number is. ln_rate: (cell, depth) -> ln eta* up to the factor.

    says: the rule in words.
    """

    name: str
    says: str
    fitted: Kind
    ln_rate: Callable[[HorizonCell, float], float]


def _run_forward(cell: HorizonCell, depth: float, promise: Promise = "quadratic") -> float:
    """The optimum of what the spectra promise; the one-step optimum where they do not bound it."""
    try:
        return log(cell.point.best_learning_rate(cell.multiples, depth, promise))
    except InputError:
        return log(cell.point.one_step)


def _mean_multiple(cell: HorizonCell) -> float:
    return float(cell.multiples.mean())


def _capped(cell: HorizonCell) -> float:
    """The one-step optimum, no higher than where the largest eigenvalue is stable."""
    return log(min(cell.point.one_step, 2 / max(cell.point.largest, 1e-300)))


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("keep", "one learning rate for all", "factor", lambda c, _: 0.0),
    Candidate("square root", "proportional to √B", "factor", lambda c, _: 0.5 * log(c.batch_size)),
    Candidate("linear", "proportional to B", "factor", lambda c, _: log(c.batch_size)),
    Candidate(
        "greedy", "the one-step optimum itself", "nothing", lambda c, _: log(c.point.one_step)
    ),
    Candidate(
        "one-step shape", "one factor times η₁", "factor", lambda c, _: log(c.point.one_step)
    ),
    Candidate(
        "one-step shape, mean rate",
        "the schedule's mean learning rate is one factor times η₁",
        "factor",
        lambda c, _: log(c.point.one_step / _mean_multiple(c)),
    ),
    Candidate(
        "one-step shape, capped",
        "one factor times the smaller of η₁ and 2/λ_max",
        "factor",
        lambda c, _: _capped(c),
    ),
    Candidate(
        "stability", "one factor times 2/λ_max", "factor", lambda c, _: log(2 / c.point.largest)
    ),
    Candidate(
        "local quadratic",
        "the measured spectra run forward",
        "nothing",
        lambda c, _: _run_forward(c, inf),
    ),
    Candidate(
        "local quadratic, factor",
        "one factor times the local quadratic's",
        "factor",
        lambda c, _: _run_forward(c, inf),
    ),
    Candidate(
        "saturating quadratic",
        "its descent x bent to a ln(1 + x/a), one depth a",
        "depth",
        _run_forward,
    ),
    Candidate(
        "bias and variance",
        "ηE[u]ᵀgΣs bent to a ln(1 + x/a) against the noise's relaxing loss, stable below 2/λ_max",
        "depth",
        lambda c, depth: _run_forward(c, depth, "straight"),
    ),
)
