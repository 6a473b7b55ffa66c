"""`scaling-theory report`: one page to explore runs, laws, one-step truth and what-ifs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from empirical.cli.table_input import Columns, PresetName, SequenceLength, UnitName
from empirical.errors import UsageError

if TYPE_CHECKING:
    from empirical.cli.fit import FitAnswer
    from empirical.report.explorer.gather import Gathered

HELP = """One page to explore: loss surfaces, laws, one-step truth, and what-if sliders.

Writes a single HTML file that opens from disk, needs no network and works on a phone. It shows
what it is given, at least one of: runs (loss over batch size and learning rate, and the league of
laws fitted to them), statistics of a checkpoint (the best next step at any batch size and
epsilon), a demo's record (measured against predicted), a fitted law (whole runs).

\b
Examples:
  scaling-theory report --demo runs/demo/report.json
  scaling-theory report --runs runs.csv --out runs.html
  scaling-theory report --runs runs.csv --fit runs/fit/fit.json --law law.json --stats runs/stats
"""


NO_LAW = (
    "The best law that was fitted has values of its own for each group of runs and says nothing of "
    "a new one: there is no what-if for whole runs. Choose a law with: scaling-theory fit --choose"
)


@dataclass(frozen=True)
class ReportQuestion:
    """The options as they were typed."""

    runs: Path | None = None
    columns: Sequence[str] = ()
    preset: str | None = None
    unit: str | None = None
    sequence_length: int | None = None
    league: bool = True
    fit: Path | None = None
    law: Path | None = None
    statistics: Path | None = None
    demo: Path | None = None
    seed: int = 0


def gather(question: ReportQuestion) -> Gathered:
    """Read everything, fit where that is wanted; raises for wrong use."""
    from empirical.law_files import read_law
    from empirical.report.explorer.gather import Gathered
    from empirical.report.explorer.league import read_fit
    from empirical.report.schema import read_report
    from empirical.statistics_files import read_statistics

    given = (question.runs, question.fit, question.law, question.statistics, question.demo)
    if not any(given):
        raise UsageError(
            "nothing to show: give --runs TABLE, --stats DIR, --demo FILE, --law FILE or --fit FILE"
        )
    statistics = question.statistics
    if statistics is None and question.demo is not None:
        beside = question.demo.parent / "statistics"
        statistics = beside if beside.is_dir() else None
    record = None if question.fit is None else read_fit(question.fit)
    law = None if question.law is None else read_law(question.law)
    saved = None if statistics is None else read_statistics(statistics)
    demo = None if question.demo is None else read_report(question.demo)
    if question.runs is None:
        return Gathered(fit=record, law=law, statistics=saved, demo=demo)
    answer, notes = None, list[str]()
    if record is None and question.league:
        answer, notes = _fitted(question)
    if answer is not None:
        record = answer.record
        if law is None:
            law = _law_of(answer)
            notes += [NO_LAW] if law is None else []
        runs, optima = answer.table, (*answer.found.cells, *answer.found.unused)
    else:
        runs, optima = _optima(question)
    return Gathered(runs, optima, record, law, saved, demo, tuple(notes))


def _fitted(question: ReportQuestion) -> tuple[FitAnswer | None, list[str]]:
    """What `fit` says of the runs; where it can say nothing, why, for the page."""
    from empirical.cli.fit import FitQuestion, run_fit

    assert question.runs is not None
    try:
        found = FitQuestion(
            table=question.runs,
            columns=question.columns,
            preset=question.preset,
            unit=question.unit,
            sequence_length=question.sequence_length,
            seed=question.seed,
        )
        return run_fit(found), []
    except UsageError as reason:
        return None, [f"No law could be fitted to these runs: {reason}"]


def _law_of(answer: FitAnswer) -> Any:
    from empirical.judge.fit_law_file import fitted_law

    chosen = answer.chosen
    if chosen.fit is None or not chosen.entry.predicts_new_groups:
        return None
    return fitted_law(chosen.fit, answer.found)


def _optima(question: ReportQuestion) -> tuple[Any, Any]:
    from empirical.cli.table_input import read_table
    from empirical.judge.table_optima import grids, table_optima

    assert question.runs is not None
    table = read_table(
        question.runs, question.columns, question.preset, question.unit, question.sequence_length
    )
    return table, table_optima(grids(table))


def report(
    runs: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="runs: .csv, .tsv or .parquet")
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="statistics [default: those beside --demo, if any]"),
    ] = None,
    law: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fitted law [default: the best one fitted to --runs]"),
    ] = None,
    demo: Annotated[Path | None, typer.Option(metavar="FILE", help="a demo's report.json")] = None,
    fit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="fit.json of `fit --out`, instead of fitting again"),
    ] = None,
    league: Annotated[
        bool, typer.Option("--league/--no-league", help="fit laws to --runs (up to a minute)")
    ] = True,
    column: Columns = None,
    preset: PresetName = None,
    unit: UnitName = None,
    seq_len: SequenceLength = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="the page")] = Path("explorer.html"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace --out")] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="of the league's bootstrap")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.report.explorer.gather import explorer_of
    from empirical.report.explorer.page import render_explorer
    from empirical.report.output_folder import check_folder, fill_folder

    if out.is_dir():
        raise UsageError(f"--out {out} is a directory; a file is wanted, such as {out}/page.html")
    # Before the work, so that a minute of it is not thrown away.
    check_folder(out.parent, (out.name,), overwrite)
    found = gather(
        ReportQuestion(
            runs=runs,
            columns=column or (),
            preset=preset,
            unit=unit,
            sequence_length=seq_len,
            league=league,
            fit=fit,
            law=law,
            statistics=stats,
            demo=demo,
            seed=seed,
        )
    )
    shown = explorer_of(found)
    fill_folder(out.parent, {out.name: render_explorer(shown).encode()})
    if as_json:
        record = {
            "written": str(out),
            "panels": list(shown.panels),
            "notes": list(shown.notes),
            "provenance": dict(shown.provenance),
        }
        typer.echo(json.dumps(record, allow_nan=False))
        return
    for note in shown.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"wrote {out}: {', '.join(shown.panels)}")


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="report", help=HELP)(report)
