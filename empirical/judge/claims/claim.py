"""What a claim is asked about, and what is known beside the table of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from empirical.judge.run_table import RunTable
from empirical.judge.verdict import Verdict
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Held, Slice
from scaling_theory.fitted_law import FittedLaw
from scaling_theory.surface import SurfaceStatistics

GIVE_STATISTICS = "give --stats: statistics measured where the runs begin"
GIVE_LAW = "give --law: a law file of `scaling-theory fit`"


@dataclass(frozen=True)
class Known:
    """What predictions may use.

    statistics: those measured where the runs of a cell begin, None if there are none.
    any_statistics: whether some were given. law: of a law file. laws: names of those to fit to the
    runs, None for all; fitting takes longest. seed: of simulated quantiles and the bootstrap.
    """

    statistics: Callable[[Cell], SurfaceStatistics | None] = lambda cell: None
    any_statistics: bool = False
    law: FittedLaw | None = None
    laws: tuple[str, ...] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Stratum:
    """Slices that may be judged together: one optimizer, one kind of thing held fixed."""

    table: RunTable
    held: Held
    optimizer: str
    slices: tuple[Slice, ...]


@dataclass(frozen=True)
class Claim:
    """A statement about runs, where it comes from, and how a stratum is asked about it.

    judge: one verdict, or several where the claim is a family, such as one per law; none where
    it says nothing of such runs.
    """

    name: str
    statement: str
    source: str
    judge: Callable[[Stratum, Known], Sequence[Verdict]]
