"""Candidates for the learning rate of a whole run, eta*(B, S, epsilon): one fitted number at most.

The number is either a common factor of all learning rates (a tuned run fixes it), or the depth a
of a saturating descent, in nats. What is fitted is stated; everything else is measured at the
branch point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from empirical.judge.horizon_cells import HorizonCell
from scaling_theory.branch_point import Promise

Array = NDArray[np.float64]
Kind = Literal["nothing", "factor", "depth"]

DEPTHS = tuple(float(x) for x in np.geomspace(3e-3, 30.0, 33))
"""Depths a, nats, between which a fitted one is interpolated."""


@dataclass(frozen=True)
class Candidate:
    """A rule. fitted: what its one number is. says: the rule in words.

    ln_rates: (cell, depths) -> ln eta* up to the factor, one per depth; a rule without depth
    repeats itself.
    """

    name: str
    says: str
    fitted: Kind
    ln_rates: Callable[[HorizonCell, Sequence[float]], Array]


def _shape(of: Callable[[HorizonCell], float]) -> Callable[[HorizonCell, Sequence[float]], Array]:
    """A rule without depth."""
    return lambda cell, depths: np.full(len(depths), of(cell))


def _run_forward(cell: HorizonCell, depths: Sequence[float], promise: Promise) -> Array:
    """The optimum of what the spectra promise; the one-step optimum where they do not bound it."""
    found = cell.point.best_learning_rates(cell.multiples, depths, promise)
    return np.log(np.where(np.isnan(found), cell.point.one_step, found))


def _quadratic(cell: HorizonCell, depths: Sequence[float]) -> Array:
    return _run_forward(cell, depths, "quadratic")


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("keep", "one learning rate for all", "factor", _shape(lambda c: 0.0)),
    Candidate(
        "square root", "proportional to √B", "factor", _shape(lambda c: 0.5 * log(c.batch_size))
    ),
    Candidate("linear", "proportional to B", "factor", _shape(lambda c: log(c.batch_size))),
    Candidate(
        "greedy", "the one-step optimum itself", "nothing", _shape(lambda c: log(c.point.one_step))
    ),
    Candidate(
        "one-step shape",
        "one factor times η₁",
        "factor",
        _shape(lambda c: log(c.point.one_step)),
    ),
    Candidate(
        "one-step shape, mean rate",
        "the schedule's mean learning rate is one factor times η₁",
        "factor",
        _shape(lambda c: log(c.point.one_step / float(c.multiples.mean()))),
    ),
    Candidate(
        "one-step shape, capped",
        "one factor times the smaller of η₁ and 2/λ_max",
        "factor",
        _shape(lambda c: log(min(c.point.one_step, 2 / c.point.largest))),
    ),
    Candidate(
        "stability",
        "one factor times 2/λ_max",
        "factor",
        _shape(lambda c: log(2 / c.point.largest)),
    ),
    Candidate("local quadratic", "the measured spectra run forward", "nothing", _quadratic),
    Candidate(
        "local quadratic, factor", "one factor times the local quadratic's", "factor", _quadratic
    ),
    Candidate(
        "saturating quadratic",
        "its descent x bent to a ln(1 + x/a), one depth a",
        "depth",
        _quadratic,
    ),
    Candidate(
        "bias and variance",
        "ηE[u]ᵀgΣs bent to a ln(1 + x/a) against the noise's relaxing loss, stable below 2/λ_max",
        "depth",
        lambda c, depths: _run_forward(c, depths, "straight"),
    ),
)
