"""The tables of the run store and its rows; each row carries the SHA-256 of its other columns."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import Field, astuple, dataclass, fields
from typing import Any

from empirical.sweep.plan_record import StoredRun
from empirical.train.run_configuration import KernelPath, RunConfig, canonical_json
from scaling_theory.estimate import Estimate

SCHEMA_VERSION = 1

PLANNED, RUNNING, FINISHED, DIVERGED, FAILED = (
    "planned",
    "running",
    "finished",
    "diverged",
    "failed",
)
STATES = (PLANNED, RUNNING, FINISHED, DIVERGED, FAILED)


@dataclass(frozen=True)
class RunRow:
    """One run in the store.

    Attributes:
        key: of the run. unit: key of its unit. place: its index there. path: kernel path.
        config: the whole configuration as canonical JSON.
        results_version: of the code that planned it; rows of another version are left alone.
        state: one of STATES. failures: how often the machine, not the run, was the reason that a
            unit was lost. error: why the last attempt failed, "" if none did.
        result: JSON, "" while there is none.
        planned, ended: seconds since 1970; ended is 0 before.
    """

    key: str
    unit: str
    place: int
    path: KernelPath
    config: str
    results_version: int
    state: str
    failures: int
    error: str
    result: str
    planned: float
    ended: float


@dataclass(frozen=True)
class DecisionRow:
    """A decision of the planner, in the order in which the cells are named."""

    cell: str
    round: int
    what: str
    numbers: str


@dataclass(frozen=True)
class NoteRow:
    """A text of the sweep as a whole, by its name: its file, the version of the schema."""

    name: str
    value: str


Row = RunRow | DecisionRow | NoteRow

TABLES: dict[str, tuple[type[Row], str]] = {
    "runs": (RunRow, "PRIMARY KEY (key)"),
    "decisions": (DecisionRow, "PRIMARY KEY (cell, round, what, numbers)"),
    "notes": (NoteRow, "PRIMARY KEY (name)"),
}
_TYPES = {"int": "INTEGER", "float": "REAL"}


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the empty tables, and say their version."""
    for name, (kind, key) in TABLES.items():
        columns = [*map(_column, fields(kind)), "checksum TEXT NOT NULL", key]
        connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
    put_rows(connection, [NoteRow("schema_version", str(SCHEMA_VERSION))])


def put_rows(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write rows in place of those with their keys, all or none of them. sqlite3.Error passes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for row in rows:
            connection.execute(_put_statement(type(row)), _values_of(row))
    except BaseException:
        # A full disk can have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _put_statement(kind: type[Row]) -> str:
    marks = ", ".join("?" * (len(fields(kind)) + 1))
    table = next(name for name, (held, _) in TABLES.items() if held is kind)
    return f"INSERT OR REPLACE INTO {table} VALUES ({marks})"


def _values_of(row: Row) -> tuple[object, ...]:
    columns = astuple(row)
    return *columns, checksum(columns)


def row_of(kind: type[Row], values: Sequence[Any]) -> Row | None:
    """The row, or None where its checksum does not fit."""
    *columns, found = values
    try:
        fits = checksum(columns) == found
    except (TypeError, ValueError):  # a damaged column can come as bytes
        return None
    return kind(*columns) if fits else None


def checksum(columns: Sequence[object]) -> str:
    """SHA-256 of the columns as canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(list(columns)).encode()).hexdigest()


def stored_run(row: RunRow) -> StoredRun:
    """The result of a row that has one."""
    found = json.loads(row.result)
    return StoredRun(
        unit=row.unit,
        index=row.place,
        path=row.path,
        config=RunConfig.model_validate_json(row.config),
        diverged_at=found["diverged_at"],
        heldout_loss=_estimate(found["heldout_loss"]),
        start_loss=Estimate(*found["start_loss"]),
        loss_drop=_estimate(found["loss_drop"]),
        seconds=found["seconds"],
    )


def _estimate(values: Sequence[float] | None) -> Estimate | None:
    return None if values is None else Estimate(values[0], values[1], int(values[2]))


def _column(field: Field[Any]) -> str:
    return f"{field.name} {_TYPES.get(str(field.type), 'TEXT')} NOT NULL"
