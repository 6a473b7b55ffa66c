"""Tables of runs as verbs take them: a file, with names of columns, or the folder of a sweep."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from empirical.errors import UsageError

if TYPE_CHECKING:
    from empirical.judge.run_table import RunTable

Columns = Annotated[
    list[str] | None, typer.Option(metavar="OURS=THEIRS", help="name of a column; repeatable")
]
PresetName = Annotated[
    str | None, typer.Option(metavar="wandb|mlflow|tensorboard", help="names of an export")
]
UnitName = Annotated[
    str | None, typer.Option(metavar="seq|tok|ex", help="of batch sizes that state none")
]
SequenceLength = Annotated[
    int | None, typer.Option(metavar="TOKENS", help="per sequence, where the table is silent")
]
Noise = Annotated[
    float | None, typer.Option(metavar="NATS", help="spread of one run's loss, if known")
]


def read_table(
    path: Path,
    columns: Sequence[str],
    preset: str | None,
    unit: str | None,
    sequence_length: int | None,
) -> RunTable:
    """A table of runs from a file, or from the folder of a sweep; columns: OURS=THEIRS each."""
    from typing import cast

    from empirical.judge.columns import Preset
    from empirical.judge.run_table import read_run_table
    from scaling_theory.units import Unit

    if path.is_dir():
        return _read_sweep_folder(path)
    # Not checked here: the reader refuses any other preset or unit.
    return read_run_table(
        path,
        _mapping(columns),
        cast("Preset | None", preset),
        cast("Unit | None", unit),
        sequence_length,
    )


def _read_sweep_folder(root: Path) -> RunTable:
    """What `sweep export` would write, read without writing it."""
    from empirical.judge.run_files import RawRows
    from empirical.judge.run_table import table_from_rows
    from empirical.sweep.contents import read_contents
    from empirical.sweep.export import export_csv
    from empirical.sweep.folder import SweepFolder
    from empirical.sweep.kept_plan import kept_plan
    from empirical.sweep.standing import table_groups

    planned, _ = kept_plan(root)
    if planned is None:
        raise UsageError(f"{root} is a folder without a sweep: name a table, or a sweep's folder")
    text = export_csv(read_contents(SweepFolder(root)).finished(), table_groups(planned))
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise UsageError(f"no run of the sweep in {root} has ended: run it first")
    raw = RawRows(tuple(rows[0]), tuple(rows), hashlib.sha256(text.encode()).hexdigest())
    return table_from_rows(raw, str(root))


def _mapping(texts: Sequence[str]) -> dict[str, str] | None:
    """{ours: theirs} from OURS=THEIRS."""
    found: dict[str, str] = {}
    for text in texts:
        ours, equals, theirs = text.partition("=")
        if not equals:
            raise UsageError(f"--column is '{text}'; OURS=THEIRS is wanted, such as lr=learn_rate")
        found[ours] = theirs
    return found or None
