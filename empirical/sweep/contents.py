"""All that the folder of a sweep says, read without writing: the store, and the files beside it.

Every result is kept twice, in rows of the store and in a result file, each with a checksum. What
is damaged in one is taken from the other, so that reading works in a read-only folder, while a
driver is at work, and after any kill; `recovery` then mends the files.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

from empirical.errors import UsageError
from empirical.sweep.folder import DOCUMENTS, SweepFolder
from empirical.sweep.plan_record import StoredRun
from empirical.sweep.result_files import decode_result, keys_of
from empirical.sweep.run_rows import ended_rows
from empirical.sweep.schema import (
    SCHEMA_VERSION,
    TABLES,
    DecisionRow,
    NoteRow,
    Row,
    RunRow,
    row_of,
    stored_run,
)
from empirical.train.run_configuration import RESULTS_VERSION

SECONDS_TO_WAIT = 20.0
"""How long a reader waits for the driver to end a transaction."""


@dataclass(frozen=True)
class Contents:
    """What could be believed.

    Attributes:
        stored: rows of the store by run key.
        runs: the same with what result files add to them.
        unfiled: units whose result stands in the store only.
        decisions: of the planner, as far as the store holds them.
        documents: texts of the files about the sweep as a whole, by name.
        sound: whether the store needs no repair; False where it is missing.
        damage: what could not be believed: the file, and why.
    """

    stored: Mapping[str, RunRow]
    runs: Mapping[str, RunRow]
    unfiled: tuple[str, ...]
    decisions: tuple[DecisionRow, ...]
    documents: Mapping[str, str]
    sound: bool
    damage: Mapping[Path, str]

    def finished(self) -> Mapping[str, StoredRun]:
        """Run key -> result, as this version of the code computes it."""
        return {
            key: stored_run(row)
            for key, row in self.runs.items()
            if row.result and row.results_version == RESULTS_VERSION
        }


def read_contents(folder: SweepFolder) -> Contents:
    """Read the store and the files.

    Raises UsageError where a newer version of the program wrote the store, OSError where the
    folder cannot be read.
    """
    damage: dict[Path, str] = {}
    rows, problem = read_store(folder.store)
    if problem:
        damage[folder.store] = problem
    notes = {row.name: row.value for row in rows if isinstance(row, NoteRow)}
    version = int(notes.get("schema_version", SCHEMA_VERSION))
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"{folder.store} has version {version}, this program knows {SCHEMA_VERSION}; use the "
            "newer program, or another folder"
        )
    documents = dict(notes)
    documents.pop("schema_version", None)
    for name in DOCUMENTS:
        text = _text(folder.root / name)
        if name in documents and text != documents[name]:
            damage[folder.root / name] = "it is missing, damaged or was changed by hand"
        elif text is not None:
            documents[name] = text
    stored = {row.key: row for row in rows if isinstance(row, RunRow)}
    runs = dict(stored)
    filed: set[str] = set()
    for path in sorted(folder.results.glob("*.json")):
        try:
            result = decode_result(path.read_bytes())
        except ValueError as error:
            damage[path] = str(error)
            continue
        if result is None:
            continue
        unit, keys = keys_of(result.unit)
        filed.add(unit)
        if not all(key in runs and runs[key].result for key in keys):
            runs |= {row.key: row for row in ended_rows(result, runs, time.time())}
    current = (row for row in runs.values() if row.results_version == RESULTS_VERSION)
    return Contents(
        stored=stored,
        runs=runs,
        unfiled=tuple(sorted({row.unit for row in current if row.result} - filed)),
        decisions=tuple(row for row in rows if isinstance(row, DecisionRow)),
        documents=documents,
        sound=not problem and "schema_version" in notes,
        damage=damage,
    )


def read_store(path: Path) -> tuple[list[Row], str]:
    """The rows that can be believed, and what is wrong with the rest of the file, if anything."""
    if not path.exists():
        return [], ""
    rows: list[Row] = []
    problem = ""
    try:
        # Opened for reading only, a journal that a killed driver left could not be rolled back.
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        address = f"{path.resolve().as_uri()}?mode={'rw' if writable else 'ro'}"
        with closing(sqlite3.connect(address, uri=True, timeout=SECONDS_TO_WAIT)) as connection:
            # What is no UTF-8 has to reach the checksum of its row, not end the reading.
            connection.text_factory = lambda data: data.decode(errors="surrogateescape")
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict != "ok":
                problem = "it is damaged"
            for table, (kind, _) in TABLES.items():
                names = ", ".join([*(column.name for column in fields(kind)), "checksum"])
                for values in connection.execute(f"SELECT {names} FROM {table}"):
                    row = row_of(kind, values)
                    if row is None:
                        problem = "a checksum does not fit"
                    else:
                        rows.append(row)
    except sqlite3.Error as error:
        problem = f"it cannot be read ({error})"
    return rows, problem


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
