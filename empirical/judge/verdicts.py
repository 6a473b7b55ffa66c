"""All claims judged on a table of runs, stratum by stratum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from empirical.errors import UsageError
from empirical.judge.claims.claim import Claim, Known, Stratum
from empirical.judge.claims.table import CLAIMS
from empirical.judge.run_table import RunTable
from empirical.judge.verdict import Verdict
from empirical.judge.verdict_cells import FEWEST_RATES, Cell, table_cells
from empirical.judge.verdict_slices import HELD, Slice, table_slices


@dataclass(frozen=True)
class Judged:
    """One claim's verdict on one stratum."""

    claim: Claim
    stratum: Stratum
    verdict: Verdict


@dataclass(frozen=True)
class TableVerdicts:
    """What a table says.

    cells: with enough learning rates; sparse: those with fewer. alone: cells in no slice.
    """

    table: RunTable
    slices: tuple[Slice, ...]
    cells: tuple[Cell, ...]
    sparse: int
    alone: int
    judged: tuple[Judged, ...]


def judge_table(
    table: RunTable,
    known: Known,
    *,
    hold: Sequence[str] = (),
    noise: float | None = None,
    claims: Sequence[Claim] = CLAIMS,
    on_claim: Callable[[str], None] = lambda name: None,
) -> TableVerdicts:
    """Slices of the table, and every claim on every stratum of them.

    hold: further columns that tell cells apart. noise: of one run's loss, nats, if it is known.
    on_claim: called before each claim, for progress.

    Raises `UsageError` where no slice has two batch sizes.
    """
    cells, sparse = table_cells(table, hold, noise)
    found = table_slices(table, cells)
    if not found.slices:
        raise UsageError(
            f"{table.source} has no two batch sizes of one group, epsilon and length with at "
            f"least {FEWEST_RATES} learning rates each ({sparse} cells have fewer): "
            "nothing can be judged"
        )
    judged = []
    for stratum in strata(table, found.slices):
        for claim in claims:
            on_claim(claim.name)
            judged += [Judged(claim, stratum, each) for each in claim.judge(stratum, known)]
    return TableVerdicts(table, found.slices, cells, sparse, len(found.alone), tuple(judged))


def strata(table: RunTable, slices: Sequence[Slice]) -> tuple[Stratum, ...]:
    """Slices by what is held fixed and by optimizer: only these are ever pooled."""
    keys = dict.fromkeys((each.held, each.optimizer) for each in slices)
    order = sorted(keys, key=lambda key: (HELD.index(key[0]), key[1]))
    return tuple(
        Stratum(
            table,
            held,
            optimizer,
            tuple(each for each in slices if (each.held, each.optimizer) == (held, optimizer)),
        )
        for held, optimizer in order
    )
