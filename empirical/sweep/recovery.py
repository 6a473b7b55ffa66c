"""Opening a sweep for work: what is damaged is mended, what was finished meanwhile is collected."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from empirical.atomic_files import PART, write_atomically
from empirical.sweep.contents import Contents, read_contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.lock import sole_driver
from empirical.sweep.run_rows import result_of_rows
from empirical.sweep.schema import PLANNED, RUNNING, NoteRow, RunRow, create_tables, put_rows
from empirical.sweep.storage import storage
from empirical.sweep.store import Store, connect

SECONDS_UNTIL_LEFT = 3600.0
"""A half-written file of this age was left by a process that died."""


@contextmanager
def open_sweep(
    root: Path, documents: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[Store, tuple[str, ...]]]:
    """The store of a sweep, held alone, and sentences about what had to be mended.

    documents: texts of files about the sweep as a whole, of names in DOCUMENTS; they take the
    place of those in the folder.

    Raises UsageError where another driver is at work or a newer program wrote the store, and
    StorageError where the disk refuses.
    """
    folder = SweepFolder(root)
    with sole_driver(folder):
        with storage(folder.root):
            found = read_contents(folder)
            contents = replace(
                found,
                runs={key: _settled(row) for key, row in found.runs.items()},
                documents={**found.documents, **documents},
            )
            mended = (*_mend_results(folder, contents), *_mend_store(folder, contents))
            connection = connect(folder)
        with closing(connection):
            with storage(folder.root):
                mended += _mend_documents(folder, connection, contents, documents)
                _tidy(folder, contents)
            yield Store(folder, connection, contents), mended


def _settled(row: RunRow) -> RunRow:
    """Whoever computed it for the driver before has nobody left to tell."""
    return replace(row, state=PLANNED) if row.state == RUNNING else row


def _mend_results(folder: SweepFolder, contents: Contents) -> tuple[str, ...]:
    """Result files that are missing or damaged. They come first: while the store is replaced,
    they are the only copy."""
    said = []
    units: dict[str, list[RunRow]] = {}
    for row in contents.runs.values():
        units.setdefault(row.unit, []).append(row)
    for unit in contents.unfiled:
        text = result_of_rows(units[unit])
        if text is not None:
            write_atomically(folder.result(unit), text.encode())
            said.append(f"{folder.result(unit)} was missing or damaged: written from the store")
    for path, why in contents.damage.items():
        if path.parent == folder.results and path.stem not in contents.unfiled:
            path.replace(path.with_name(path.name + ".damaged"))
            said.append(f"{path}: {why}; set aside, its unit is computed again if it is wanted")
    return tuple(said)


def _mend_store(folder: SweepFolder, contents: Contents) -> tuple[str, ...]:
    """A store that says what could be believed, in place or, if it was unsound, a new one."""
    if contents.sound:
        with closing(connect(folder)) as connection:
            put_rows(
                connection,
                [row for key, row in contents.runs.items() if row != contents.stored.get(key)],
            )
        return ()
    fresh, journal, aside = (
        folder.store.with_name(folder.store.name + ending)
        for ending in (".new", "-journal", ".damaged")
    )
    fresh.unlink(missing_ok=True)
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        create_tables(connection)
        put_rows(connection, [*contents.runs.values(), *contents.decisions])
    existed = folder.store.exists()
    if existed:
        folder.store.replace(aside)
    journal.unlink(missing_ok=True)  # it would be rolled into the new store
    fresh.replace(folder.store)
    why = contents.damage.get(folder.store, "it does not say its version")
    return (f"{folder.store}: {why}; set aside, a new one was written",) if existed else ()


def _mend_documents(
    folder: SweepFolder,
    connection: sqlite3.Connection,
    contents: Contents,
    given: Mapping[str, str],
) -> tuple[str, ...]:
    """The files about the sweep as a whole, and their copies in the store."""
    put_rows(connection, [NoteRow(name, text) for name, text in contents.documents.items()])
    said = []
    for name, text in contents.documents.items():
        path = folder.root / name
        if not path.exists() or path.read_bytes() != text.encode():
            write_atomically(path, text.encode())
        if path in contents.damage and name not in given:
            said.append(
                f"{path}: {contents.damage[path]}; put back as it was recorded (to change it, "
                "give the changed one as a file of its own)"
            )
    return tuple(said)


def _tidy(folder: SweepFolder, contents: Contents) -> None:
    """Remove what processes that died have left behind."""
    folder.stop.unlink(missing_ok=True)
    ended = {row.unit for row in contents.runs.values() if row.result}
    for path in folder.states.glob("*"):
        if path.name.split(".")[0] in ended:
            path.unlink(missing_ok=True)
    for place in (folder.root, folder.results, folder.curves, folder.states):
        for path in place.glob(f".*{PART}"):
            if time.time() - path.stat().st_mtime > SECONDS_UNTIL_LEFT:
                path.unlink(missing_ok=True)
