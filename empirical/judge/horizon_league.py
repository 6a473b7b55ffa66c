"""Runs that branch from measured places: their cells, and the league of candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from empirical.judge.horizon_candidates import candidates_for
from empirical.judge.horizon_cells import Cells, HorizonCell, horizon_cells
from empirical.judge.horizon_trial import (
    SCOPES,
    SPLITS,
    Scope,
    Score,
    Split,
    prepare,
    try_candidates,
)
from empirical.judge.run_table import read_run_table
from empirical.spectra_files import NAME, read_spectra
from empirical.statistics_files import read_statistics
from scaling_theory.schedule import Schedule


@dataclass(frozen=True)
class Start:
    """Runs that branch from one place. table: of runs. measured: folder of statistics, spectra."""

    name: str
    table: Path
    measured: Path
    schedule: Schedule


@dataclass(frozen=True)
class League:
    """cells: all starts. scores: by scope and split, the best candidate first."""

    cells: Cells
    scores: dict[tuple[Scope, Split], tuple[Score, ...]]


def cells_of(start: Start) -> Cells:
    """The cells of one start, with spectra where its folder has them."""

    return horizon_cells(
        start.name,
        read_run_table(start.table),
        read_statistics(start.measured).surface,
        start.schedule,
        read_spectra(start.measured) if (start.measured / NAME).exists() else None,
    )


def judge_starts(starts: Sequence[Start], seed: int = 0, *, largest_epsilon: float = inf) -> League:
    """All cells of these starts in one league, those of larger epsilon (rms sigma) left out."""
    identified: list[HorizonCell] = []
    others: list[str] = []
    for start in starts:
        found = cells_of(start)
        identified += [c for c in found.identified if c.epsilon_ratio <= largest_epsilon]
        others += found.others
    cells = Cells(tuple(identified), tuple(others))
    ready = [prepare(candidate, identified) for candidate in candidates_for(identified)]
    scores = {
        (scope, split): try_candidates(
            ready, identified, split, scope=scope, rng=np.random.default_rng(seed)
        )
        for scope in SCOPES
        for split in SPLITS
    }
    return League(cells, scores)
