"""Which further runs of a cell would narrow the interval of its optimum most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, log

import numpy as np

from empirical.judge.noise_level import NoiseLevel
from empirical.judge.optimum_record import Optimum, Status
from empirical.sweep.lattice import PER_OCTAVE, position_of_log
from empirical.sweep.trials import Trial, grid_of, judged

REACH = PER_OCTAVE + PER_OCTAVE // 2
"""Farthest from the optimum that a run is tried to narrow it: an octave and a half."""

SPACING = PER_OCTAVE // 4
"""Finest spacing of the learning rates of one cell: a quarter octave."""

Place = tuple[int, int]
"""Position on the lattice and seed."""


@dataclass(frozen=True)
class Expected:
    """runs: in the order in which they were chosen. width: of ln eta* with all of them."""

    runs: tuple[Place, ...]
    width: float


def width_of(optimum: Optimum) -> float:
    """Width of the 95 % interval of ln eta*; infinite where it is not identified."""
    if optimum.status is not Status.IDENTIFIED:
        return inf
    return optimum.bounds[1] - optimum.bounds[0]


def most_telling(
    trials: Sequence[Trial],
    optimum: Optimum,
    noise: NoiseLevel,
    *,
    width: float,
    at_once: int,
    new_positions: int,
) -> Expected:
    """Runs of the seeds in `trials`, chosen one after the other, each to narrow as it can.

    A candidate is judged as if its loss were that of the parabola through the optimum. Stops at
    `at_once` runs, or where `width` (of ln eta) is expected; at most `new_positions` learning
    rates are new. Ties go to the lower position.
    """
    chosen: list[Place] = []
    imagined = list(trials)
    expected = width_of(optimum)
    curve = _parabola(trials, optimum)
    seeds = sorted({trial.seed for trial in trials})
    effect = {seed: _seed_effect(trials, seed, curve) for seed in seeds}
    while len(chosen) < at_once and expected > width:
        used = {trial.position for trial in imagined}
        best: tuple[float, Trial] | None = None
        for position in _candidates(trials, optimum, used):
            if position not in used and new_positions < 1:
                continue
            free = [
                s
                for s in seeds
                if not any(t.position == position and t.seed == s for t in imagined)
            ]
            if not free:
                continue
            # The seed that has the fewest runs so far.
            seed = min(free, key=lambda s: (sum(t.seed == s for t in imagined), s))
            guess = Trial(position, seed, curve(position) + effect[seed])
            found = width_of(judged([*imagined, guess], noise))
            if best is None or found < best[0]:
                best = (found, guess)
        if best is None:
            break
        expected, guess = best
        chosen.append((guess.position, guess.seed))
        new_positions -= guess.position not in used
        imagined.append(guess)
    return Expected(tuple(chosen), expected)


def _candidates(trials: Sequence[Trial], optimum: Optimum, used: set[int]) -> list[int]:
    """Positions tried already, and those a quarter octave apart, none beyond a divergence."""
    grid = grid_of(trials)
    middle = optimum.ln_eta.value if optimum.ln_eta else float(grid.x[grid.best])
    centre = position_of_log(middle)
    near = range(centre - REACH, centre + REACH + 1)
    end = grid.first_divergent
    fine = (p for p in near if p in used or not any(abs(p - u) < SPACING for u in used))
    return [p for p in fine if _ln(p) < end]


def _parabola(trials: Sequence[Trial], optimum: Optimum) -> Callable[[int], float]:
    """Loss by position; a flat line where there is no curvature to go by."""
    grid = grid_of(trials)
    if optimum.ln_eta and optimum.loss_at_optimum and optimum.curvature:
        level, centre = optimum.loss_at_optimum.value, optimum.ln_eta.value
        half = optimum.curvature.value / 2
    else:
        near = slice(max(grid.best - 1, 0), grid.best + 2)
        level, centre, half = float(grid.loss[grid.best]), float(grid.x[grid.best]), 0.0
        if len(grid.x[near]) == 3:
            half, _, _ = np.polyfit(grid.x[near] - centre, grid.loss[near] - level, 2)
            half = max(float(half), 0.0)
    return lambda position: level + half * (_ln(position) - centre) ** 2


def _seed_effect(trials: Sequence[Trial], seed: int, curve: Callable[[int], float]) -> float:
    left = [t.loss - curve(t.position) for t in trials if t.seed == seed and t.loss is not None]
    return float(np.mean(left)) if left else 0.0


def _ln(position: int) -> float:
    return position * log(2) / PER_OCTAVE
