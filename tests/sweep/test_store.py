"""The run store: rows with checksums, one driver, failures, versions."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.sweep import contents, run_rows, schema, store
from empirical.sweep.contents import read_contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.lock import driver_at_work
from empirical.sweep.plan_record import Plan
from empirical.sweep.recovery import open_sweep
from empirical.sweep.result_files import decode_result, keys_of, read_curve
from empirical.sweep.schema import FAILED, FINISHED, PLANNED, NoteRow, RunRow, checksum, row_of
from empirical.train.run_configuration import WorkUnit
from tests.sweep.tiny_sweep import (
    drive_here,
    fixed_planner,
    single,
    text_file,
    tiny_run,
    two_rounds,
)

UNIT = single(tiny_run(0.1))
KEY = keys_of(UNIT)[0]


def row(**changed: object) -> RunRow:
    (planned,) = run_rows.planned_rows(UNIT, now=1.5)
    return RunRow(**{**vars(planned), **changed})


@pytest.mark.parametrize("column", range(12))
def test_a_change_of_any_column_breaks_the_checksum(column: int) -> None:
    """Rung: negative control (the unchanged row passes)."""
    columns = list(vars(row()).values())
    digest = checksum(columns)
    assert row_of(RunRow, [*columns, digest]) == row()
    old = columns[column]
    columns[column] = old + 1 if isinstance(old, int | float) else f"{old}x"
    assert row_of(RunRow, [*columns, digest]) is None


def test_results_are_read_back_from_rows_and_from_files(tmp_path: Path) -> None:
    """Rung: closed form (two copies of one thing), a diverged run among them."""
    root, text = tmp_path / "sweep", text_file(tmp_path)
    units = UNIT, single(tiny_run(1e5))
    drive_here(root, text, fixed_planner(*units))
    folder = SweepFolder(root)
    from_both = read_contents(folder).finished()
    folder.store.unlink()
    assert read_contents(folder).finished() == from_both
    with open_sweep(root):
        pass
    for path in folder.results.iterdir():
        path.unlink()
    assert read_contents(folder).finished() == from_both
    finished, diverged = (from_both[unit.run_key(0)] for unit in units)
    assert not finished.diverged and finished.heldout_loss is not None
    assert diverged.diverged and diverged.heldout_loss is None and diverged.loss_drop is None
    assert finished.config == UNIT.runs[0]


def test_a_curve_comes_back_exactly_or_not_at_all(tmp_path: Path) -> None:
    """Rung: closed form (the file's own text), and a flipped byte."""
    root, text = tmp_path / "sweep", text_file(tmp_path)
    drive_here(root, text, fixed_planner(UNIT))
    folder, run = SweepFolder(root), UNIT.run_key(0)
    result = decode_result(folder.result(KEY).read_bytes())
    assert result is not None
    digest = json.loads(result.results[0])["curve_sha256"]
    curve = read_curve(folder, run, digest)
    assert curve is not None
    lines = folder.curve(run).read_text().splitlines()
    assert lines == ["step,loss", *(f"{step},{loss!r}" for step, loss in curve)]
    assert [step for step, _ in curve] == [20, 40]
    folder.curve(run).write_text("\n".join(lines[:-1]))
    assert read_curve(folder, run, digest) is None


def test_a_second_driver_is_refused_by_name(tmp_path: Path) -> None:
    """Rung: closed form; the lock is that of the kernel, whatever its file says."""
    root = tmp_path / "sweep"
    folder = SweepFolder(root)
    with open_sweep(root):
        assert driver_at_work(folder)
        with (
            pytest.raises(UsageError, match=f"process {os.getpid()} on ") as refusal,
            open_sweep(root),
        ):
            pass
        assert "\n" not in str(refusal.value)
        folder.lock.write_text("")
        with pytest.raises(UsageError, match="unknown"), open_sweep(root):
            pass
    assert not driver_at_work(folder)
    with open_sweep(root):
        pass


def test_failures_are_counted_to_the_limit_and_retry_forgets_them(tmp_path: Path) -> None:
    """Rung: closed form."""
    with open_sweep(tmp_path / "sweep") as (held, _):
        held.note(Plan((UNIT,), (), complete=True))
        for failures, state in ((1, PLANNED), (2, PLANNED), (3, FAILED)):
            held.lost(KEY, "struck by lightning", limit=3)
            assert (held.standing(KEY).failures, held.standing(KEY).state) == (failures, state)
        assert held.failed() == {KEY: "struck by lightning"}
    with open_sweep(tmp_path / "sweep") as (held, _):
        assert held.standing(KEY).state == FAILED
        assert held.retry() == 1
        assert held.standing(KEY) == store.UnitStanding(PLANNED, 0, "")
        assert held.retry() == 0


def test_what_ran_when_a_driver_died_is_wanted_again(tmp_path: Path) -> None:
    """Rung: closed form."""
    with open_sweep(tmp_path) as (held, _):
        held.note(Plan((UNIT,), (), complete=True))
        held.running([KEY])
    with open_sweep(tmp_path) as (held, mended):
        assert held.standing(KEY).state == PLANNED
        assert mended == ()


def test_a_store_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    """Rung: closed form."""
    with open_sweep(tmp_path):
        pass
    newer = NoteRow("schema_version", str(schema.SCHEMA_VERSION + 1))
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as connection:
        schema.put_rows(connection, [newer])
    before = (tmp_path / "store.sqlite").read_bytes()
    with pytest.raises(UsageError, match="version 2, this program knows 1"), open_sweep(tmp_path):
        pass
    assert (tmp_path / "store.sqlite").read_bytes() == before


def test_results_of_another_version_of_the_code_are_kept_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form (the version is part of every key, so the run is computed anew)."""
    root, text = tmp_path / "sweep", text_file(tmp_path)
    drive_here(root, text, fixed_planner(UNIT))
    kept = SweepFolder(root).result(KEY).read_bytes()
    with monkeypatch.context() as changed:
        for module in (contents, run_rows, store):
            changed.setattr(module, "RESULTS_VERSION", 2)
        changed.setattr("empirical.sweep.result_files.RESULTS_VERSION", 2)
        with open_sweep(root) as (held, mended):
            assert (dict(held.results()), dict(held.tally()), mended) == ({}, {}, ())
    assert SweepFolder(root).result(KEY).read_bytes() == kept
    assert len(read_contents(SweepFolder(root)).finished()) == 1


def test_decisions_are_entered_once_and_kept(tmp_path: Path) -> None:
    """Rung: closed form."""
    root, text = tmp_path / "sweep", text_file(tmp_path)
    drive_here(root, text, two_rounds(2))
    drive_here(root, text, two_rounds(2))
    found = read_contents(SweepFolder(root)).decisions
    assert sorted(decision.cell for decision in found) == ["cell 0", "cell 1"]
    assert all(set(json.loads(decision.numbers)) == {"loss"} for decision in found)


def test_one_damaged_row_is_dropped_and_taken_from_its_file(tmp_path: Path) -> None:
    """Rung: negative control (SQLite itself finds nothing wrong with the file)."""
    root, text = tmp_path / "sweep", text_file(tmp_path)
    drive_here(root, text, fixed_planner(UNIT))
    before = read_contents(SweepFolder(root)).finished()
    with closing(sqlite3.connect(root / "store.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET result = replace(result, '5', '6')")
    damaged = read_contents(SweepFolder(root))
    assert "checksum" in damaged.damage[root / "store.sqlite"]
    assert damaged.finished() == before
    with open_sweep(root) as (held, mended):
        assert len(mended) == 1 and "store.sqlite" in mended[0]
        assert dict(held.results()) == dict(before)
    assert not read_contents(SweepFolder(root)).damage


def test_a_stack_is_one_file_and_a_row_per_run() -> None:
    """Rung: closed form."""
    pair = WorkUnit(runs=(tiny_run(0.1), tiny_run(0.2)), path="stacked")
    rows = run_rows.planned_rows(pair, 0.0)
    assert [row.place for row in rows] == [0, 1]
    assert len({row.unit for row in rows}) == 1
    assert len({row.key for row in rows}) == 2
    done = [replace(row, state=FINISHED, result='{"diverged_at":null}') for row in rows]
    text = run_rows.result_of_rows(done)
    assert text is not None
    assert decode_result(text) == decode_result(text.encode())
    assert run_rows.result_of_rows(done[:1]) is None
