"""Which learning rates to try next in one cell, from what its runs have given so far.

Three an octave apart around the start, with the first seed; further out until the lowest loss has
neighbours on both sides; every seed around it; then the runs that would narrow the 95 % interval
of ln eta* most, each judged as if it came out as the curve says, until it is as narrow as asked;
more seeds where learning rates alone do not get there. A pure function of trials and noise level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log
from typing import Literal

from empirical.judge.grid_losses import GridLosses
from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_record import Optimum, Status
from empirical.sweep.expected_width import Place, most_telling, width_of
from empirical.sweep.lattice import PER_OCTAVE, position_of_log
from empirical.sweep.trials import Trial, grid_of, judged

OCTAVE = PER_OCTAVE
AT_ONCE = 6
"""Runs that a cell adds in one round at most while it narrows its interval."""

FINEST = PER_OCTAVE // 4
"""Positions between the largest learning rate that trains and divergence, below which it stays."""

Rule = Literal["start", "extend", "fill", "seeds", "narrow", "done", "given up"]


@dataclass(frozen=True)
class Limits:
    """When a cell is done. width: of the interval in octaves. most: learning rates at most.

    seeds: those that every cell gets. more_seeds: those that it may get beyond them.
    """

    width: float
    most: int
    seeds: tuple[int, ...]
    more_seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Move:
    """The next runs of a cell, or its end.

    wanted: (position on the lattice, seed) each; empty: the cell has ended. numbers: what the
    move was decided on. optimum: of all trials so far, None before the first.
    """

    rule: Rule
    what: str
    wanted: tuple[Place, ...] = ()
    optimum: Optimum | None = None
    expected_width: float | None = None


def next_move(
    trials: Sequence[Trial], start: int, limits: Limits, noise: NoiseLevel | None
) -> Move:
    """The next runs of a cell that began around position `start`."""
    first = limits.seeds[0]
    if not trials:
        around = (start - OCTAVE, start, start + OCTAVE)
        return Move(
            "start", "three learning rates an octave apart", tuple((p, first) for p in around)
        )
    optimum = judged(trials, noise)
    bracket = _bracket(trials, first, limits, optimum)
    if bracket is not None:
        return bracket
    missing = _missing_seeds(trials, limits.seeds)
    if missing:
        return Move("seeds", "every seed around the lowest loss", missing, optimum)
    wanted = limits.width * log(2)
    if width_of(optimum) <= wanted:
        return Move("done", "the interval is as narrow as asked", (), optimum)
    return _narrow(trials, limits, optimum, noise or optimum.noise, wanted)


def _bracket(trials: Sequence[Trial], seed: int, limits: Limits, optimum: Optimum) -> Move | None:
    """Runs that put the lowest loss between two higher ones; None where it is."""
    grid = grid_of(trials)
    positions = sorted({trial.position for trial in trials})
    full = len(positions) >= limits.most

    def move(rule: Rule, what: str, *wanted: int) -> Move | None:
        if not full:
            return Move(rule, what, tuple((p, seed) for p in wanted), optimum)
        # Between two higher losses, if far ones, further seeds still tell something.
        if rule == "fill":
            return None
        return Move("given up", f"the most learning rates were tried: {what}", (), optimum)

    if not len(grid.x):
        return move("extend", "every run diverged", positions[0] - 2 * OCTAVE)
    trained = [position_of_log(x) for x in grid.x]
    best, low, high = trained[grid.best], trained[0], trained[-1]
    # The first step out is an octave, the following ones are two.
    far = 2 * OCTAVE if len(positions) > 3 else OCTAVE
    if best == low:
        return move("extend", "the lowest loss is at the smallest learning rate", low - far)
    if best == high:
        if not isfinite(grid.first_divergent):
            return move("extend", "the lowest loss is at the largest learning rate", high + far)
        end = position_of_log(grid.first_divergent)
        if end - high > FINEST:
            return move("fill", "the lowest loss is next to divergence", (high + end) // 2)
        return None
    wide = [
        (a + b) // 2
        for a, b in ((trained[grid.best - 1], best), (best, trained[grid.best + 1]))
        # A learning rate that diverged there below one that trains is not tried again.
        if b - a > OCTAVE and (a + b) // 2 not in positions
    ]
    return move("fill", "the lowest loss has a far neighbour", *wide) if wide else None


def _missing_seeds(trials: Sequence[Trial], seeds: Sequence[int]) -> tuple[Place, ...]:
    """Runs at the lowest loss and its neighbours that some seed does not have."""
    around = _around(grid_of(trials))
    have = {(trial.position, trial.seed) for trial in trials}
    short = [s for s in seeds if sum(trial.seed == s for trial in trials) < len(around)]
    return tuple((p, s) for s in short for p in around if (p, s) not in have)


def _around(grid: GridLosses) -> list[int]:
    near = grid.x[max(grid.best - 1, 0) : grid.best + 2]
    return [position_of_log(x) for x in near]


def _between(grid: GridLosses) -> list[int]:
    """Halfway to the neighbours of the lowest loss, where there is room."""
    near = _around(grid)
    return [(a + b) // 2 for a, b in pairwise(near) if b - a > FINEST]


def _narrow(
    trials: Sequence[Trial],
    limits: Limits,
    optimum: Optimum,
    noise: NoiseLevel | None,
    wanted: float,
) -> Move:
    positions = {trial.position for trial in trials}
    left = limits.most - len(positions)
    if noise is None and left > 0:
        # Three learning rates fit any parabola: what scatters about the curve is not known yet.
        seeds = sorted({trial.seed for trial in trials})
        between = _between(grid_of(trials))[:left]
        wanted_runs = tuple((p, seed) for p in between for seed in seeds)
        if wanted_runs:
            return Move("fill", "half an octave from the lowest loss", wanted_runs, optimum)
    if optimum.status is Status.STABILITY_EDGE and noise is not None:
        return Move("done", "the optimum is at the edge of divergence", (), optimum)
    if noise is not None:
        expected = most_telling(
            trials, optimum, noise, width=wanted, at_once=AT_ONCE, new_positions=left
        )
        if expected.runs:
            what = "the runs expected to narrow the interval most"
            return Move("narrow", what, expected.runs, optimum, expected.width / log(2))
    used = {trial.seed for trial in trials}
    fresh = [seed for seed in (*limits.seeds, *limits.more_seeds) if seed not in used]
    if fresh:
        around = _around(grid_of(trials))
        what = "one more seed around the lowest loss"
        return Move("seeds", what, tuple((p, fresh[0]) for p in around), optimum)
    return Move("given up", "the most learning rates and seeds were tried", (), optimum)
