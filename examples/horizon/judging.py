"""All starts of the experiment as cells, and the candidates' league."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from empirical.errors import UsageError
from empirical.judge.horizon_candidates import candidates_for
from empirical.judge.horizon_cells import Cells, HorizonCell, horizon_cells
from empirical.judge.horizon_trial import (
    SCOPES,
    SPLITS,
    Scope,
    Split,
    Verdict,
    prepare,
    try_candidates,
)
from empirical.judge.run_table import read_run_table
from empirical.spectra_files import read_spectra
from empirical.statistics_files import read_statistics
from empirical.sweep.configuration import SweepConfig
from empirical.train.schedule import schedule_multiple


@dataclass(frozen=True)
class League:
    """cells: all starts. verdicts: by scope and split, the best candidate first."""

    cells: Cells
    verdicts: dict[tuple[Scope, Split], tuple[Verdict, ...]]


def judge_starts(starts: Sequence[tuple[str, SweepConfig, Path]], seed: int = 0) -> League:
    """starts: name, sweep and table of runs of each."""
    identified: list[HorizonCell] = []
    others: list[str] = []
    for name, config, table in starts:
        if config.statistics is None:
            raise UsageError(f"the sweep {name} names no statistics; they are wanted")

        def multiples(steps: int, config: SweepConfig = config) -> np.ndarray:
            each = [schedule_multiple(k, steps, config.schedule) for k in range(1, steps + 1)]
            return np.array(each)

        found = horizon_cells(
            name,
            read_run_table(table),
            read_statistics(config.statistics).surface,
            multiples,
            read_spectra(config.statistics),
        )
        identified += found.identified
        others += found.others
    cells = Cells(tuple(identified), tuple(others))
    ready = [prepare(candidate, cells.identified) for candidate in candidates_for(cells.identified)]
    verdicts = {
        (scope, split): try_candidates(
            ready, cells.identified, split, scope=scope, rng=np.random.default_rng(seed)
        )
        for scope in SCOPES
        for split in SPLITS
    }
    return League(cells, verdicts)
