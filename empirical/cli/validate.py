"""`scaling-theory validate`: theory against whole runs, a verdict on every claim."""

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
    from empirical.judge.claims.claim import Known
    from empirical.judge.verdicts import TableVerdicts

HELP = """Theory against whole training runs: a verdict on every claim, with its numbers.

Reads tables of runs (CSV, Parquet, or the folder of a sweep), finds the best learning rate of
every batch size with its interval, and judges each claim: agrees, disagrees, or cannot tell. Runs
at fixed tokens, at fixed steps and with both varied are told apart and never pooled. With --stats,
measured where the runs begin, also the one-step theories: one factor for all batch sizes, which
noise is nearer, the published surge. Exit code 0 whatever the verdicts are: a verdict is a result.

\b
Examples:
  scaling-theory validate runs.csv
  scaling-theory validate notebooks/data/branch_tokens.csv --stats runs/branch/statistics
  scaling-theory validate runs.csv --law law.json --out runs/validate --all
"""


@dataclass(frozen=True)
class ValidateQuestion:
    """The options as they were typed."""

    tables: Sequence[Path]
    statistics: Sequence[str] = ()
    law: Path | None = None
    columns: Sequence[str] = ()
    preset: str | None = None
    unit: str | None = None
    sequence_length: int | None = None
    hold: Sequence[str] = ()
    noise: float | None = None
    fits: bool = True
    seed: int = 0


@dataclass(frozen=True)
class ValidateAnswer:
    """What came of it, by table."""

    record: dict[str, Any]
    tables: tuple[TableVerdicts, ...]
    known: Known


def run_validate(question: ValidateQuestion) -> ValidateAnswer:
    """Read everything, judge every table; raises for wrong use."""
    from empirical.cli.table_input import read_table
    from empirical.cli.validate_input import read_all_statistics
    from empirical.cli.validate_record import validate_record
    from empirical.judge.claims.claim import Known
    from empirical.judge.verdicts import judge_table
    from empirical.law_files import read_law

    if question.noise is not None and not question.noise > 0:
        raise UsageError(f"--noise is {question.noise:g}; a spread above 0 is wanted, in nats")
    known = Known(
        statistics=read_all_statistics(question.statistics),
        any_statistics=bool(question.statistics),
        law=None if question.law is None else read_law(question.law),
        seed=question.seed,
        laws=None if question.fits else (),
    )
    tables = [
        read_table(path, question.columns, question.preset, question.unit, question.sequence_length)
        for path in question.tables
    ]
    for name in question.hold:
        if not any(table.has_column(name) for table in tables):
            raise UsageError(f"--hold is '{name}', which no run has: name a column of the table")
    judged = tuple(
        judge_table(table, known, hold=question.hold, noise=question.noise) for table in tables
    )
    return ValidateAnswer(validate_record(judged, known), judged, known)


def validate(
    tables: Annotated[
        list[Path], typer.Argument(metavar="TABLE...", help="runs: .csv, .tsv, .parquet, a sweep")
    ],
    stats: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[WORD=]DIR", help="statistics where the runs (that say WORD) begin; repeatable"
        ),
    ] = None,
    law: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a law of `fit`, to judge its intervals")
    ] = None,
    column: Columns = None,
    preset: PresetName = None,
    unit: UnitName = None,
    seq_len: SequenceLength = None,
    hold: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="tells runs apart, such as warmup; repeatable"),
    ] = None,
    noise: Noise = None,
    no_fits: Annotated[
        bool, typer.Option("--no-fits", help="fit no laws, which takes longest")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write figures, tables and the record here")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace those in DIR")] = False,
    every: Annotated[bool, typer.Option("--all", help="every slice and every fitted law")] = False,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="of the bootstrap")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    from empirical.cli.validate_text import text_validate

    if out is not None:
        from empirical.report.validation_files import check_place

        check_place(out, tables, overwrite)
    answer = run_validate(
        ValidateQuestion(
            tables=tables,
            statistics=stats or (),
            law=law,
            columns=column or (),
            preset=preset,
            unit=unit,
            sequence_length=seq_len,
            hold=hold or (),
            noise=noise,
            fits=not no_fits,
            seed=seed,
        )
    )
    written: list[str] = []
    if out is not None:
        from empirical.cli.validate_text import markdown_validate
        from empirical.report.validation_files import write_validation

        page = markdown_validate(answer.record)
        written = write_validation(out, answer.record, page, answer.tables, answer.known)
    record = {**answer.record, "written": written}
    typer.echo(json.dumps(record, allow_nan=False) if as_json else text_validate(record, every))
    if written and not as_json:
        typer.echo("\nwrote " + ", ".join(written))


def register(app: typer.Typer) -> None:
    """Add the verb to the program."""
    app.command(name="validate", help=HELP)(validate)
