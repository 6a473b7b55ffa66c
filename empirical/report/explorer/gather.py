"""From what was measured, fitted and trained to what the page shows; any part may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import GridOptimum
from empirical.report.explorer.league import league_view
from empirical.report.explorer.measured_run import measured_run
from empirical.report.explorer.page import Explorer
from empirical.report.explorer.scenes import Scene, next_step, whole_run
from empirical.report.explorer.surfaces import surface_panel
from empirical.report.explorer.truth import truth_of_report, truth_of_statistics
from empirical.report.numerals import plain
from empirical.report.schema import Report
from empirical.statistics_files import SavedStatistics
from scaling_theory import __version__
from scaling_theory.fitted_law import FittedLaw


@dataclass(frozen=True)
class Gathered:
    """Inputs of the page. optima: of `runs`, in the order of its grids. fit: a record of `fit`."""

    runs: RunTable | None = None
    optima: Sequence[GridOptimum] = ()
    fit: Mapping[str, Any] | None = None
    law: FittedLaw | None = None
    statistics: SavedStatistics | None = None
    demo: Report | None = None
    notes: tuple[str, ...] = ()


def explorer_of(found: Gathered) -> Explorer:
    """The page's contents."""
    scenes: list[Scene] = []
    truth: list[dict[str, Any]] = []
    if found.statistics is not None:
        scenes += [next_step(found.statistics), measured_run(found.statistics)]
        truth = truth_of_statistics(found.statistics)
    if found.demo is not None:
        truth = truth_of_report(found.demo)
    if found.law is not None:
        scenes.append(whole_run(found.law))
    return Explorer(
        surfaces=None if found.runs is None else surface_panel(found.runs, found.optima),
        league=None if found.fit is None else league_view(found.fit),
        truth=truth,
        scenes=tuple(scenes),
        notes=(*found.notes, *_other_runs(found)),
        provenance=tuple(_provenance(found)),
    )


def _other_runs(found: Gathered) -> Iterator[str]:
    """What stands on one page and comes from different tables of runs."""
    league = None if found.fit is None else found.fit["table"]["sha256"]
    law = None if found.law is None else found.law.data_sha256
    runs = None if found.runs is None else found.runs.sha256
    for first, second, names in (
        (runs, league, "The league of laws was fitted to other runs than those shown."),
        (league or runs, law, "The fitted law comes from other runs than the rest of this page."),
    ):
        if first is not None and second is not None and first != second:
            yield names


def _provenance(found: Gathered) -> list[tuple[str, str]]:
    """Names without folders: a page is passed on."""
    said: list[tuple[str, str]] = []
    if found.runs is not None:
        runs = found.runs
        said.append(
            (
                "runs",
                f"{Path(runs.source).name}: {len(runs)} used, {runs.censored} of them diverged, "
                f"{len(runs.rejected)} rows rejected; SHA-256 {runs.sha256}",
            )
        )
    if found.fit is not None:
        table = found.fit["table"]
        name = Path(table["source"]).name
        said.append(("league", f"fitted to {name}, SHA-256 {table['sha256']}"))
    if found.law is not None:
        law = found.law
        values = ", ".join(f"{name} = {plain(value, 4)}" for name, value in law.parameters.items())
        said.append(("law", f"{law.form}: {values}; fitted to data of SHA-256 {law.data_sha256}"))
    if found.statistics is not None:
        scalars, surface = found.statistics.scalars, found.statistics.surface
        said.append(
            (
                "statistics",
                f"{scalars.parameters:,} parameters, a pool of {scalars.pool_sequences:,} "
                f"sequences of {scalars.sequence_length:,} tokens; {surface.batch_sizes.size} "
                f"batch sizes × {surface.epsilons.size} ε, moments: {surface.moments}",
            )
        )
    if found.demo is not None:
        demo = found.demo
        said.append(
            (
                "one-step truth",
                f"{demo.model.parameters:,} parameters, text {demo.corpus.name} "
                f"({demo.corpus.bytes:,} bytes, SHA-256 {demo.corpus.sha256})",
            )
        )
    return [*said, ("made by", f"scaling-theory {__version__}")]
