"""The run store: what a driver knows about every run, in SQLite, one transaction per change.

A rollback journal, written through at every commit: a WAL would be faster (0.1 ms for 0.3 ms, of
seconds per unit), but does not work on the network file systems of clusters.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from empirical.atomic_files import write_atomically
from empirical.sweep.contents import SECONDS_TO_WAIT, Contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.plan_record import Decision, Plan, StoredRun
from empirical.sweep.result_files import UnitResult, encode_result, keys_of
from empirical.sweep.run_rows import ended_rows, planned_rows
from empirical.sweep.schema import (
    FAILED,
    PLANNED,
    RUNNING,
    DecisionRow,
    Row,
    RunRow,
    put_rows,
    stored_run,
)
from empirical.sweep.storage import storage
from empirical.train.run_configuration import RESULTS_VERSION, canonical_json


@dataclass(frozen=True)
class UnitStanding:
    """State of a unit (that of its first run), and how often the machine lost it."""

    state: str
    failures: int
    error: str


class Store:
    """The rows of one sweep, kept in memory and on disk; every change is on disk when it returns.

    Methods raise StorageError where the disk refuses; what was there before then stays.
    """

    def __init__(
        self, folder: SweepFolder, connection: sqlite3.Connection, contents: Contents
    ) -> None:
        self.folder, self._connection = folder, connection
        self._rows = {
            key: row for key, row in contents.runs.items() if row.results_version == RESULTS_VERSION
        }
        self._units: dict[str, list[str]] = {}
        for row in sorted(self._rows.values(), key=lambda row: row.place):
            self._units.setdefault(row.unit, []).append(row.key)
        self._finished = dict(contents.finished())
        self._decisions = set(contents.decisions)

    def results(self) -> Mapping[str, StoredRun]:
        """Run key -> result of all runs that ended or diverged, in the order of their keys."""
        return MappingProxyType(self._finished)

    def tally(self) -> Mapping[str, int]:
        """How many runs are in each state."""
        return Counter(row.state for row in self._rows.values())

    def standing(self, unit: str) -> UnitStanding:
        """Where a unit stands that has been noted."""
        row = self._rows[self._units[unit][0]]
        return UnitStanding(row.state, row.failures, row.error)

    def failed(self) -> Mapping[str, str]:
        """Unit key -> why it failed."""
        return {row.unit: row.error for row in self._rows.values() if row.state == FAILED}

    def note(self, plan: Plan) -> None:
        """Enter units and decisions that are seen for the first time."""
        now = time.time()
        fresh: list[Row] = [
            row
            for unit in plan.units
            if keys_of(unit)[0] not in self._units
            for row in planned_rows(unit, now)
        ]
        decisions = [
            row for row in map(_decision_row, plan.decisions) if row not in self._decisions
        ]
        self._put([*fresh, *decisions])
        self._decisions |= set(decisions)

    def record(self, result: UnitResult) -> None:
        """Enter the result of a unit, and file it if its worker could not."""
        unit, _ = keys_of(result.unit)
        with storage(self.folder.root):
            if not self.folder.result(unit).exists():
                text = encode_result(result.unit, result.results)
                write_atomically(self.folder.result(unit), text.encode())
        self._put(ended_rows(result, self._rows, time.time()))

    def running(self, units: Iterable[str]) -> None:
        """The units have been handed to the executor."""
        self._change(units, state=RUNNING)

    def planned(self, units: Iterable[str]) -> None:
        """The units have been stopped, and are wanted again."""
        self._change(units, state=PLANNED)

    def lost(self, unit: str, error: str, limit: int) -> None:
        """The machine lost a unit: it is wanted again, or has failed if that was the limit."""
        failures = self.standing(unit).failures + 1
        state = FAILED if failures >= limit else PLANNED
        self._change([unit], state=state, failures=failures, error=error)

    def fail(self, unit: str, error: str) -> None:
        """The unit cannot be computed."""
        self._change([unit], state=FAILED, error=error)

    def retry(self) -> int:
        """Want the failed units again, as if they had never been tried; how many there are."""
        failed = tuple(self.failed())
        self._change(failed, state=PLANNED, failures=0, error="")
        return len(failed)

    def _change(self, units: Iterable[str], **changed: object) -> None:
        keys = [key for unit in units for key in self._units[unit]]
        self._put([RunRow(**{**vars(self._rows[key]), **changed}) for key in keys])

    def _put(self, rows: Iterable[Row]) -> None:
        entered = list(rows)
        if not entered:
            return
        with storage(self.folder.store):
            put_rows(self._connection, entered)
        for row in entered:
            if isinstance(row, RunRow):
                if row.key not in self._rows:
                    self._units.setdefault(row.unit, []).append(row.key)
                self._rows[row.key] = row
                if row.result and row.key not in self._finished:
                    self._finished[row.key] = stored_run(row)


def _decision_row(decision: Decision) -> DecisionRow:
    numbers = canonical_json(dict(decision.numbers))
    return DecisionRow(decision.cell, decision.round, decision.what, numbers)


def connect(folder: SweepFolder) -> sqlite3.Connection:
    """The driver's connection to a store that is there and sound."""
    connection = sqlite3.connect(
        folder.store, timeout=SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("PRAGMA synchronous=FULL")
    return connection
