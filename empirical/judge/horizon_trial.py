"""Candidates on trial: fitted on some cells, judged on the others, with intervals.

Splits: "one tuned run": the number is fixed by one cell in the middle and every other cell is
predicted, as a user would. "upward": fitted on the cheaper half of the cells, B S sequences,
judged on the dearer half. "batch size", "steps", "epsilon", "start": each value in turn left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import log, nan
from typing import Literal, get_args

import numpy as np

from empirical.judge.cluster_bootstrap import Array, Mask, cluster_draws, drawn_rms, interval
from empirical.judge.horizon_candidates import DEPTHS, Candidate
from empirical.judge.horizon_cells import HorizonCell

Split = Literal["one tuned run", "upward", "batch size", "steps", "epsilon", "start"]
SPLITS: tuple[Split, ...] = get_args(Split)

Scope = Literal["everything", "start and optimizer", "start, optimizer and epsilon"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""For what one number is fitted. Only the last is fair to rules that do not know epsilon."""


@dataclass(frozen=True)
class Score:
    """How a candidate predicts cells that its number was not fitted to.

    rms: of ln eta* predicted less measured, with its 95 % interval from a bootstrap over the
    series of one start, optimizer and epsilon, whose cells share what was measured. regret: mean
    loss above the optimum's, nats, by each cell's local quadratic. excess: rms less that of the
    best candidate, paired, with its interval. cells: judged.
    """

    candidate: str
    split: Split
    rms: float
    rms_interval: tuple[float, float]
    regret: float
    excess: float
    excess_interval: tuple[float, float]
    cells: int

    @property
    def refuted(self) -> bool:
        """Worse than the best of its split with 97.5 % confidence."""
        return self.excess_interval[0] > 0


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a candidate says of each cell at each depth: ln eta, [cells, depths or 1]."""

    candidate: Candidate
    table: Array

    def number(self, measured: Array, cells: Mask) -> float:
        """The fitted number: a factor's ln (median), or a depth's ln (least absolute error)."""
        if self.candidate.fitted == "nothing" or not cells.any():
            return nan if self.candidate.fitted != "nothing" else 0.0
        if self.candidate.fitted == "factor":
            return float(np.median(measured[cells] - self.table[cells, 0]))
        fine = np.linspace(log(DEPTHS[0]), log(DEPTHS[-1]), 121)
        errors = [np.abs(self.at(x)[cells] - measured[cells]).mean() for x in fine]
        return float(fine[int(np.argmin(errors))])

    def at(self, number: float) -> Array:
        """ln eta of every cell for a fitted number."""
        if self.candidate.fitted != "depth":
            found: Array = self.table[:, 0] + number
            return found
        places = np.log(DEPTHS)
        return np.array([np.interp(number, places, row) for row in self.table])


def prepare(candidate: Candidate, cells: Sequence[HorizonCell]) -> Prepared:
    """Evaluate a candidate once for every cell."""
    depths = DEPTHS if candidate.fitted == "depth" else (np.inf,)
    table = [candidate.ln_rates(cell, depths) for cell in cells]
    return Prepared(candidate, np.array(table, dtype=np.float64))


def predictions(ready: Prepared, cells: Sequence[HorizonCell], split: Split, scope: Scope) -> Array:
    """Predicted ln eta* of every cell that the split judges, NaN elsewhere, [cells]."""
    measured = np.array([cell.ln_eta for cell in cells])
    found = np.full(len(cells), nan)
    for pool in _scopes(cells, scope):
        for fitted, judged in _folds(cells, pool, split):
            number = ready.number(measured, fitted)
            found[judged] = ready.at(number)[judged]
    return found


def try_candidates(
    ready: Sequence[Prepared],
    cells: Sequence[HorizonCell],
    split: Split,
    *,
    scope: Scope,
    rng: np.random.Generator,
) -> tuple[Score, ...]:
    """All candidates on one split, the best first."""
    measured = np.array([cell.ln_eta for cell in cells])
    bend = np.array(
        [cell.optimum.curvature.value if cell.optimum.curvature else nan for cell in cells]
    )
    errors = np.array([predictions(each, cells, split, scope) - measured for each in ready])
    judged = np.isfinite(errors).all(0)
    if not judged.any():
        return ()
    # cells of one start, optimizer and epsilon share what was measured
    series = [(cell.start, cell.optimizer, cell.epsilon_ratio) for cell in cells]
    draws = cluster_draws([name for name, used in zip(series, judged, strict=True) if used], rng)
    errors, bend = errors[:, judged], bend[judged]
    rms = np.sqrt((errors**2).mean(1))
    everywhere = np.ones(errors.shape[1], dtype=np.bool_)
    spread = [drawn_rms(each, everywhere, draws) for each in errors]
    best = int(np.argmin(rms))
    order = np.argsort(rms)
    return tuple(
        Score(
            candidate=ready[k].candidate.name,
            split=split,
            rms=float(rms[k]),
            rms_interval=interval(spread[k]),
            regret=float(np.nanmean(bend * errors[k] ** 2 / 2)),
            excess=float(rms[k] - rms[best]),
            excess_interval=interval(spread[k] - spread[best]),
            cells=int(judged.sum()),
        )
        for k in order
    )


def _scopes(cells: Sequence[HorizonCell], scope: Scope) -> Iterator[Mask]:
    keys = {"everything": 0, "start and optimizer": 2, "start, optimizer and epsilon": 3}
    names = [(c.start, c.optimizer, c.epsilon_ratio)[: keys[scope]] for c in cells]
    for name in dict.fromkeys(names):
        yield np.array([each == name for each in names])


def _folds(cells: Sequence[HorizonCell], pool: Mask, split: Split) -> Iterator[tuple[Mask, Mask]]:
    """Pairs (fitted on, judged on) within the pool."""
    if split == "one tuned run":
        middle = _middle([cell for cell, used in zip(cells, pool, strict=True) if used])
        tuned = np.array([cell is middle for cell in cells])
        yield tuned, pool & ~tuned
        return
    if split == "upward":
        cost = np.array([cell.batch_size * cell.steps for cell in cells], dtype=np.float64)
        dear = cost > np.median(cost[pool])
        yield pool & ~dear, pool & dear
        return
    of: dict[Split, Callable[[HorizonCell], object]] = {
        "batch size": lambda c: c.batch_size,
        "steps": lambda c: c.steps,
        "epsilon": lambda c: c.epsilon_ratio,
        "start": lambda c: c.start,
    }
    values = [of[split](cell) for cell in cells]
    for value in dict.fromkeys(values):
        out = np.array([each == value for each in values])
        if (pool & ~out).any() and (pool & out).any():
            yield pool & ~out, pool & out


def _middle(cells: Sequence[HorizonCell]) -> HorizonCell:
    """The cell nearest to the middle of ln B, ln S and the order of epsilons."""

    def away(values: Sequence[float]) -> Array:
        ranks = np.searchsorted(np.unique(values), values).astype(np.float64)
        return np.asarray(np.abs(ranks - (len(np.unique(values)) - 1) / 2))

    total = (
        away([c.batch_size for c in cells])
        + away([c.steps for c in cells])
        + away([c.epsilon_ratio for c in cells])
    )
    return cells[int(np.argmin(total))]
