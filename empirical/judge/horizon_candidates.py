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
from scaling_theory.branch_point import BranchPoint, Promise
from scaling_theory.run_law import RunFactors, settled_factors

Array = NDArray[np.float64]
Kind = Literal["nothing", "factor", "depth"]

DEPTHS = tuple(float(x) for x in np.geomspace(3e-3, 30.0, 33))
"""Depths a, nats, between which a fitted one is interpolated."""


@dataclass(frozen=True)
class Candidate:
    """A rule. fitted: what its one number is. says: the rule in words.

    ln_rates: (cell, depths) -> ln eta* up to the factor, one per depth; a rule without depth
    repeats itself. spectral: it wants the spectra of a cell.
    """

    name: str
    says: str
    fitted: Kind
    ln_rates: Callable[[HorizonCell, Sequence[float]], Array]
    spectral: bool = False


def candidates_for(cells: Sequence[HorizonCell]) -> tuple[Candidate, ...]:
    """Those that can speak of all these cells."""
    known = all(cell.point is not None for cell in cells)
    return tuple(c for c in CANDIDATES if known or not c.spectral)


def _shape(of: Callable[[HorizonCell], float]) -> Callable[[HorizonCell, Sequence[float]], Array]:
    """A rule without depth."""
    return lambda cell, depths: np.full(len(depths), log(of(cell)))


def _spectra(cell: HorizonCell) -> BranchPoint:
    if cell.point is None:
        raise ValueError(f"no spectra were measured for {cell.label}")
    return cell.point


def _run_forward(cell: HorizonCell, depths: Sequence[float], promise: Promise) -> Array:
    """The optimum of what the spectra promise; the one-step optimum where they do not bound it."""
    found = _spectra(cell).best_learning_rates(cell.multiples, depths, promise)
    return np.asarray(np.log(np.where(np.isnan(found), cell.one_step, found)))


def _quadratic(cell: HorizonCell, depths: Sequence[float]) -> Array:
    return _run_forward(cell, depths, "quadratic")


def _stable(cell: HorizonCell) -> float:
    return 2 / _spectra(cell).largest


CANDIDATES: tuple[Candidate, ...] = (
    Candidate("keep", "one learning rate for all", "factor", _shape(lambda c: 1.0)),
    Candidate(
        "square root", "proportional to √B", "factor", _shape(lambda c: float(c.batch_size) ** 0.5)
    ),
    Candidate("linear", "proportional to B", "factor", _shape(lambda c: float(c.batch_size))),
    Candidate("greedy", "the one-step optimum itself", "nothing", _shape(lambda c: c.one_step)),
    Candidate("one-step shape", "one factor times η₁", "factor", _shape(lambda c: c.one_step)),
    Candidate(
        "run law",
        "one factor times D/(κQ + νN), κ and ν of the run's steps, schedule and momentum",
        "factor",
        _shape(lambda c: c.run_law),
    ),
    Candidate(
        "run law itself", "D/(κQ + νN) with the factor 1", "nothing", _shape(lambda c: c.run_law)
    ),
    Candidate(
        "settled momentum",
        "one factor times D/(ρQ + N), as after many steps at a constant learning rate",
        "factor",
        _shape(lambda c: c.shape(settled_factors(c.beta1))),
    ),
    Candidate(
        "settled momentum, mean rate",
        "the schedule's mean learning rate is one factor times D/(ρQ + N)",
        "factor",
        _shape(lambda c: c.shape(settled_factors(c.beta1)) / float(c.multiples.mean())),
    ),
    Candidate(
        "momentum on the noise",
        "one factor times D/(Q + ρN), as one step sees it",
        "factor",
        _shape(lambda c: c.shape(RunFactors(1.0, settled_factors(c.beta1).curvature))),
    ),
    Candidate(
        "one-step shape, capped",
        "one factor times the smaller of η₁ and 2/λ_max",
        "factor",
        _shape(lambda c: min(c.one_step, _stable(c))),
        spectral=True,
    ),
    Candidate("stability", "one factor times 2/λ_max", "factor", _shape(_stable), spectral=True),
    Candidate(
        "local quadratic", "the measured spectra run forward", "nothing", _quadratic, spectral=True
    ),
    Candidate(
        "local quadratic, factor",
        "one factor times the local quadratic's",
        "factor",
        _quadratic,
        spectral=True,
    ),
    Candidate(
        "saturating quadratic",
        "its descent x bent to a ln(1 + x/a), one depth a",
        "depth",
        _quadratic,
        spectral=True,
    ),
    Candidate(
        "bias and variance",
        "ηE[u]ᵀgΣs bent to a ln(1 + x/a) against the noise's relaxing loss, stable below 2/λ_max",
        "depth",
        lambda c, depths: _run_forward(c, depths, "straight"),
        spectral=True,
    ),
)
