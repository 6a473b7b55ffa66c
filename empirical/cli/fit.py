"""`scaling-theory fit`: which law do the best learning rates of a table of runs follow?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from empirical.cli.table_input import Columns, Noise, PresetName, SequenceLength, UnitName
from empirical.errors import UsageError

if TYPE_CHECKING:
    from empirical.judge.fit import Fit
    from empirical.judge.fit_table import TableForFit
    from empirical.judge.league import League, Row
    from empirical.judge.run_table import RunTable

HELP = """Which law do the best learning rates of a table of runs follow, and which are refuted?

Reads runs (CSV or Parquet), finds the best learning rate of every batch size with its interval,
fits every law jointly over the groups, and judges each by what it was not fitted to: each batch
size left out, the larger half of batch sizes from the smaller, each group left out. The best law
(or --choose) gets parameter intervals and, with --law-out, a file that `predict` reads.

\b
Examples:
  scaling-theory fit runs.csv
  scaling-theory fit runs.csv --law-out law.json --out runs/fit --all
  scaling-theory predict --law law.json --batch-size 512seq --at tokens=2e10 --at n_params=3e8
"""


@dataclass(frozen=True)
class FitQuestion:
    """The options as they were typed."""

    table: Path
    columns: Sequence[str] = ()
    preset: str | None = None
    unit: str | None = None
    sequence_length: int | None = None
    n_params: str = ""
    noise: float | None = None
    laws: Sequence[str] = ()
    choose: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class FitAnswer:
    """What came of it. chosen: the row whose parameters are shown and saved."""

    record: dict[str, Any]
    table: RunTable
    found: TableForFit
    league: League
    chosen: Row


def run_fit(question: FitQuestion) -> FitAnswer:
    """Read, find the optima, play the league; raises for wrong use."""
    import numpy as np

    from empirical.cli.fit_record import fit_record
    from empirical.cli.table_input import read_table
    from empirical.judge.fit_table import table_for_fit
    from empirical.judge.league import play
    from empirical.judge.league_entries import entries_for
    from empirical.judge.profile import profile
    from empirical.judge.profile_widening import widening
    from empirical.judge.table_optima import grids, table_optima
    from scaling_theory.laws.table import LAW_FORMS

    known = [*LAW_FORMS, "Step Law"]
    for name in question.laws:
        if name not in known:
            raise UsageError(f"--law is '{name}'; one of {', '.join(known)} is wanted")
    if question.noise is not None and not question.noise > 0:
        raise UsageError(f"--noise is {question.noise:g}; a spread above 0 is wanted, in nats")
    table = read_table(
        question.table, question.columns, question.preset, question.unit, question.sequence_length
    )
    optima = table_optima(grids(table), question.noise)
    found = table_for_fit(table, optima, question.n_params)
    entries = entries_for(found.optima, question.laws or None)
    if not entries:
        raise UsageError(
            f"no law named by --law fits this table: {', '.join(question.laws)} wants several "
            "values of epsilon, or n_params and tokens"
        )
    rng = np.random.default_rng(question.seed)
    league = play(entries, found.optima, rng)
    chosen = _chosen(league, question.choose)
    intervals, widened = [], 1.0
    if chosen.fit is not None:
        widened = widening(chosen.fit, found.optima, rng)
        intervals = profile(chosen.fit, found.optima, widened)
    record = fit_record(table, found, league, chosen, intervals, widened)
    return FitAnswer(record, table, found, league, chosen)


def _chosen(league: League, label: str | None) -> Row:
    if label is None:
        able = [row for row in league.rows if row.fit is not None]
        if not able:
            raise UsageError(
                f"no law could be fitted: {league.rows[0].failure or 'measure more batch sizes'}"
            )
        if not any(row.scores for row in able):
            raise UsageError(
                "no law can be judged: no batch size can be left out and predicted from others; "
                "measure at least 3 of them, or name a law with --choose"
            )
        judged = [row for row in able if row.scores]
        if len(judged) == 1 < len(league.rows):
            raise UsageError(
                f"of {len(league.rows)} laws only {judged[0].entry.label} can be judged, and there "
                "is nothing to compare it with: measure at least 3 batch sizes, or name a law with "
                "--choose"
            )
        # A law that knows new groups is of more use; it comes first unless none does.
        return next((row for row in able if row.entry.predicts_new_groups), able[0])
    named = [row for row in league.rows if label in (row.entry.label, row.entry.name)]
    for row in named:
        if row.fit is not None:
            return row
    if named:
        raise UsageError(f"--choose is '{label}', which could not be fitted: {named[0].failure}")
    known = ", ".join(row.entry.label for row in league.rows)
    raise UsageError(f"--choose is '{label}'; one of {known} is wanted")


def _rival(league: League, chosen: Row) -> Fit | None:
    """The best law of another form that needs nothing per group either."""
    for row in league.rows:
        other = row.entry.form.name != chosen.entry.form.name
        if other and row.fit is not None and row.entry.predicts_new_groups:
            return row.fit
    return None


def fit(
    table: Annotated[
        Path, typer.Argument(metavar="TABLE", help="runs: .csv, .tsv, .parquet, a sweep")
    ],
    column: Columns = None,
    preset: PresetName = None,
    unit: UnitName = None,
    seq_len: SequenceLength = None,
    n_params: Annotated[
        str, typer.Option(metavar="COLUMN", help="number of parameters, such as n_active")
    ] = "",
    noise: Noise = None,
    law: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="only these laws; repeatable")
    ] = None,
    choose: Annotated[
        str | None, typer.Option(metavar="LAW", help="'name' or 'name [horizon]', not the best")
    ] = None,
    law_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="save the law for `predict`")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write figures and fit.json here")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace those in DIR")] = False,
    every: Annotated[bool, typer.Option("--all", help="every horizon of every law")] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="of the bootstrap")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.cli.fit_text import text_fit

    if out is not None:
        from empirical.report.law_figures import check_place

        check_place(out, overwrite)
    if law_out is not None:
        from empirical.law_files import check_place as check_law_place

        check_law_place(law_out)
    answer = run_fit(
        FitQuestion(
            table=table,
            columns=column or (),
            preset=preset,
            unit=unit,
            sequence_length=seq_len,
            n_params=n_params,
            noise=noise,
            laws=law or (),
            choose=choose,
            seed=seed,
        )
    )
    written: list[str] = []
    if law_out is not None:
        from empirical.judge.fit_law_file import fitted_law
        from empirical.law_files import write_law

        assert answer.chosen.fit is not None
        write_law(law_out, fitted_law(answer.chosen.fit, answer.found))
        written.append(str(law_out))
    if out is not None:
        from empirical.report.law_figures import write_law_figures

        assert answer.chosen.fit is not None
        written += write_law_figures(
            out,
            answer.record,
            answer.found.optima,
            answer.chosen.fit,
            _rival(answer.league, answer.chosen),
            answer.found.unit,
        )
    record = {**answer.record, "written": written}
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_fit(record, every))
    if written and not as_json:
        typer.echo("wrote " + ", ".join(written))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="fit", help=HELP)(fit)
