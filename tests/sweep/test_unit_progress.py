"""How far a unit is that has not ended: written by its worker, read by status and the driver."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from empirical import progress
from empirical.cli import sweep_watch
from empirical.cli.sweep_progress import at_work_lines, unit_record
from empirical.sweep import unit_progress
from empirical.sweep.at_work import stored_at_work, units_at_work
from empirical.sweep.contents import read_contents
from empirical.sweep.folder import SweepFolder
from empirical.sweep.plan_record import Plan
from empirical.sweep.planning import planner
from empirical.sweep.recovery import open_sweep
from empirical.sweep.result_files import keys_of
from empirical.sweep.unit_progress import progress_writer, read_progress
from empirical.train.run_configuration import WorkUnit
from tests.sweep.imagined_sweep import planned_sweep
from tests.sweep.tiny_sweep import (
    Here,
    drive_here,
    fixed_planner,
    single,
    table,
    text_file,
    tiny_run,
)

UNIT = WorkUnit(runs=tuple(tiny_run(rate, steps=1000) for rate in (0.01, 0.02)), path="stacked")
KEY = keys_of(UNIT)[0]
TOKENS = 2 * 1000 * 2 * 8
"""Runs, steps, sequences, context."""


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def written(
    path: Path, *, at: int, first: int = 0, seconds: float = 4.0, unit: WorkUnit = UNIT
) -> None:
    """As a worker that has made the steps from `first` to `at` in some seconds leaves it."""
    clock = Clock()
    note = progress_writer(path, unit, clock=clock)
    note(first)
    clock.now += seconds
    note(at)


def test_steps_pace_and_what_is_left(tmp_path: Path) -> None:
    """Rung: closed form; a worker that took up a state counts its own steps only."""
    path = tmp_path / "state" / "unit.json"
    written(path, first=200, at=600)
    found = read_progress(path)
    assert found is not None
    assert (found.step, found.steps, found.runs, found.share) == (600, 1000, 2, 0.6)
    assert found.tokens_per_second == pytest.approx(0.4 * TOKENS / 4.0)
    assert found.seconds_left(TOKENS) == pytest.approx(4.0)
    assert found.seconds_left(TOKENS) != pytest.approx(4.0 * 400 / 600)


def test_it_is_written_now_and_then(tmp_path: Path) -> None:
    """Rung: closed form; what is over within two seconds leaves nothing."""
    path, clock = tmp_path / "unit.json", Clock()
    note = progress_writer(path, UNIT, clock=clock)
    steps = []
    for step in range(0, 1000, 10):
        note(step)
        clock.now += 0.5
        found = read_progress(path)
        steps.append(None if found is None else found.step)
    assert steps[:4] == [None] * 4
    # every fourth call is two seconds after the one before
    assert steps[4:] == [10 * (4 * (call // 4)) for call in range(4, 100)]


def test_what_cannot_be_written_or_read_is_nobodys_trouble(tmp_path: Path) -> None:
    """Rung: closed form."""
    (tmp_path / "file").write_text("in the way")
    written(tmp_path / "file" / "unit.json", at=10)
    for text in ("", "[]", '{"step": 1}', "\x00"):
        (tmp_path / "unit.json").write_text(text)
        assert read_progress(tmp_path / "unit.json") is None
    assert read_progress(tmp_path / "none.json") is None


def test_a_worker_says_how_far_it_is_and_a_unit_that_ended_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: the real thing: stopped within a run, gone on with; and the same table as ever."""
    monkeypatch.setattr(unit_progress, "SECONDS_BETWEEN_WRITES", 0.0)
    text, unit = text_file(tmp_path), single(tiny_run(0.01, steps=200))
    root, folder = tmp_path / "a", SweepFolder(tmp_path / "a")
    planner = fixed_planner(unit)
    drive_here(
        root, text, planner, Here(lambda call: folder.stop.touch()), stopping=folder.stop.exists
    )
    found = read_progress(folder.progress(keys_of(unit)[0]))
    assert found is not None
    assert (found.step, found.steps, found.runs) == (20, 200, 1)
    drive_here(root, text, planner)
    assert list(folder.states.iterdir()) == []
    monkeypatch.setattr(unit_progress, "SECONDS_BETWEEN_WRITES", 1e9)
    drive_here(tmp_path / "b", text, planner)
    assert table(root) == table(tmp_path / "b")


def test_status_tells_of_the_units_that_the_executor_has(tmp_path: Path) -> None:
    """Rung: closed form: one that says how far it is, one that waits."""
    waiting = single(tiny_run(0.03))
    with open_sweep(tmp_path) as (store, _):
        store.note(Plan((UNIT, waiting), (), complete=True))
        store.running([KEY, keys_of(waiting)[0]])
        written(store.folder.progress(KEY), at=240)
    folder = SweepFolder(tmp_path)
    units = stored_at_work(folder, read_contents(folder))
    assert [(unit.unit, unit.runs, unit.tokens) for unit in units] == [
        (KEY, 2, TOKENS),
        (keys_of(waiting)[0], 1, 40 * 2 * 8),
    ]
    records = [unit_record(unit) for unit in units]
    assert [record["step"] for record in records] == [240, None]
    # 240 steps in 4 s: 1.92k tokens/s, and 760 steps in 12.7 s
    lines = at_work_lines(records, driver=True)
    assert lines == [
        f"at work: {KEY[:8]}, 2 runs together, step 240 of 1000 (24%), 1.92k tokens/s, 13 s left",
        "at work, or waiting for their turn: 1 other units",
    ]
    records[0]["seconds_ago"] = 600.0
    assert at_work_lines(records[:1], driver=False)[0].startswith("was at work: ")
    assert at_work_lines(records[:1], driver=False)[0].endswith(", said 10 min ago")


def test_one_long_unit_is_shown_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: closed form: plain lines where there is no terminal, as often as allowed."""
    monkeypatch.setattr(sweep_watch, "SECONDS_BETWEEN_COUNTS", 0.0)
    planned, said = planned_sweep(), StringIO()
    with (
        open_sweep(tmp_path) as (store, _),
        sweep_watch.watching(Console(file=said, width=200), planned) as watch,
    ):
        watch(store, (UNIT,))
        assert "longest" not in said.getvalue()
        monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
        for step in (240, 480):
            written(store.folder.progress(KEY), at=step)
            watch(store, (UNIT,))
        monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 1e9)
        written(store.folder.progress(KEY), at=720)
        watch(store, (UNIT,))
    lines = [line for line in said.getvalue().splitlines() if line.startswith("longest")]
    assert lines[0] == "longest at work ..."
    assert "2 runs together, step 240 of 1000 (24%), 1.92k tokens/s, 13 s left" in lines[1]
    assert "step 480 of 1000 (48%)" in lines[2]
    assert len(lines) == 3


def test_the_time_left_knows_of_the_run_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form: 1000 steps planned at 10 ms; half of them are made, fast or slowly."""
    monkeypatch.setattr(sweep_watch, "SECONDS_BETWEEN_COUNTS", 0.0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    planned = planned_sweep(
        replicas=1,
        batch_sizes=[4],
        seeds=1,
        budget={"steps": 1000},
        optimizers=[{"name": "sgd"}],
        learning_rates={"grid": {"from": 0.01, "to": 0.01, "per_octave": 1}},
    )
    (unit,) = planner(planned)({}).units
    said = StringIO()
    with (
        open_sweep(tmp_path) as (store, _),
        sweep_watch.watching(Console(file=said, width=200), planned) as watch,
    ):
        watch(store, (unit,))
        for seconds in (4.0, 60.0):
            path = store.folder.progress(keys_of(unit)[0])
            written(path, at=500, seconds=seconds, unit=unit)
            watch(store, (unit,))
    lines = [line for line in said.getvalue().splitlines() if line.startswith("1 cells: ")]
    # 10 s and two evaluations of 0.1 s; half of it; and what the unit itself says
    assert [line.partition("cells, ")[2].partition(" left")[0] for line in lines] == [
        "10 s",
        "5 s",
        "60 s",
    ]


def test_the_unit_that_takes_longest_comes_first(tmp_path: Path) -> None:
    """Rung: closed form; those that do not know come last."""
    folder = SweepFolder(tmp_path)
    keys = ("soon", "late", "unknown")
    written(folder.progress("soon"), at=900)
    written(folder.progress("late"), at=100)
    found = units_at_work(folder, ((key, UNIT.runs) for key in keys))
    assert [unit.unit for unit in found] == ["late", "soon", "unknown"]
