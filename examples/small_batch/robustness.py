"""What the loss rises by where one setting of Adam is off its optimum by a factor.

A table of `robustness_*.toml` holds one batch size: learning rates around the best one with beta1
0.9 and the half-life of beta2 at its own, then at that learning rate other beta1 and other beta2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isinf, log
from pathlib import Path

from empirical.judge.run_record import Run
from empirical.judge.run_table import read_run_table
from examples.small_batch.cells import runs_of

FIRST_DECAY = 0.9
FOUR = 4.0
HOW_NEAR = 0.02
"""Factors are told apart from what six digits of a learning rate leave of them."""


@dataclass(frozen=True)
class Off:
    """One setting moved by a factor: the rise of the loss by seed, nats, and who diverged.

    setting: "learning rate", "half-life of beta1" or "half-life of beta2". factor: over the
    optimum.
    """

    setting: str
    factor: float
    rise: Mapping[str, float]
    diverged: tuple[str, ...]


def off_the_optimum(path: Path, best_rate: float, half_life_tokens: float) -> tuple[Off, ...]:
    """Every row of a table set against the runs at the optimum, seed by seed.

    best_rate: learning rate at the optimum. half_life_tokens: of beta2, at the optimum.
    """
    table = read_run_table(path)
    first = table.runs[0]
    assert first.tokens and first.steps  # columns of every exported sweep
    tokens = first.tokens / first.steps
    start = {run.seed: float(run.extra("start_loss")) for run in table.runs}
    grouped: dict[tuple[str, float], list[Run]] = {}
    for run in table.runs:
        for setting, factor in _factors(run, best_rate, half_life_tokens / tokens):
            grouped.setdefault((setting, factor), []).append(run)
    reference = _of(grouped, "learning rate", 1.0)
    found = []
    for (setting, factor), runs in sorted(grouped.items()):
        (by_seed,) = runs_of(runs).values()
        lost = tuple(sorted(seed for seed, loss in by_seed.items() if isinf(loss)))
        rise = {
            seed: (start[seed] if seed in lost else loss) - reference[seed]
            for seed, loss in by_seed.items()
        }
        found.append(Off(setting, factor, rise, lost))
    return tuple(found)


def off_by_four(every: Sequence[Off]) -> tuple[float, ...]:
    """The mean rise over the settings, four times too large and too small; one per seed."""
    far = [each for each in every if _same(each.factor, FOUR) or _same(each.factor, 1 / FOUR)]
    seeds = sorted(far[0].rise)
    return tuple(sum(each.rise[seed] for each in far) / len(far) for seed in seeds)


def _of(
    grouped: Mapping[tuple[str, float], list[Run]], setting: str, factor: float
) -> dict[str, float]:
    near = next(key for key in grouped if key[0] == setting and _same(key[1], factor))
    (by_seed,) = runs_of(grouped[near]).values()
    return by_seed


def _factors(run: Run, rate: float, half_life_steps: float) -> list[tuple[str, float]]:
    """The setting that a run moves and by how much; the run at the optimum stands for all three."""
    assert run.beta1 is not None and run.beta2 is not None  # Adam's
    moved = {
        "learning rate": run.lr / rate,
        "half-life of beta1": log(FIRST_DECAY) / log(run.beta1),
        "half-life of beta2": log(0.5) / log(run.beta2) / half_life_steps,
    }
    away = [setting for setting, factor in moved.items() if not _same(factor, 1.0)]
    if not away:
        return [(setting, 1.0) for setting in moved]
    (setting,) = away
    return [(setting, moved[setting])]


def _same(factor: float, other: float) -> bool:
    return abs(log(factor / other)) < HOW_NEAR
