"""The driver: the order of events changes nothing; what is retried, what is not; stopping."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import ParamSpec, TypeVar

import pytest

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.contents import read_contents
from empirical.sweep.driver import LOST_IN_A_ROW, run_sweep
from empirical.sweep.executors.engine import EXECUTORS, Engine, UnitLostError, open_engine
from empirical.sweep.folder import SweepFolder
from empirical.sweep.interruption import interruption
from empirical.sweep.plan_record import Plan
from empirical.sweep.result_files import keys_of
from empirical.sweep.schema import FAILED, PLANNED, RunRow
from empirical.sweep.storage import StorageError
from empirical.train.run_configuration import WorkUnit
from tests.sweep.tiny_sweep import (
    Here,
    drive_here,
    fixed_planner,
    single,
    table,
    text_file,
    tiny_run,
    two_rounds,
)

P = ParamSpec("P")
T = TypeVar("T")
UNIT = single(tiny_run(0.1))
KEY = keys_of(UNIT)[0]


def row_of(root: Path, unit: WorkUnit = UNIT) -> RunRow:
    return read_contents(SweepFolder(root)).runs[unit.run_key(0)]


class Shuffled(Executor):
    """Ends what it was given in an order of its own: nothing before it has two, then any."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures."""
        future: Future[T] = Future()
        self._waiting.append(lambda: future.set_result(fn(*args, **kwargs)))
        if len(self._waiting) == 2:
            self._waiting.pop(self._random.randrange(2))()
        return future

    def flush(self) -> bool:
        """End the last one too; whether the driver shall stop: never."""
        while self._waiting:
            self._waiting.pop()()
        return False


def test_the_order_of_results_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form (three orders, one table); the second round depends on the first."""
    monkeypatch.setattr("empirical.sweep.driver.SECONDS_BETWEEN_LOOKS", 0.01)
    text = text_file(tmp_path)
    tables = []
    for seed in range(3):
        root = tmp_path / f"sweep-{seed}"
        shuffled = Shuffled(Random(seed))
        # Asked at every turn of the driver: nothing is left waiting when all is handed over.
        drive_here(root, text, two_rounds(2), shuffled, stopping=shuffled.flush)
        tables.append(table(root))
    assert len(set(tables)) == 1
    assert tables[0].count("\n") == 1 + 8


def test_a_unit_that_the_machine_loses_is_tried_again(tmp_path: Path) -> None:
    """Rung: closed form."""

    def lose_twice(call: int) -> None:
        if call <= 2:
            raise UnitLostError("its process was ended by SIGKILL")

    drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(UNIT), Here(lose_twice))
    drive_here(tmp_path / "b", text_file(tmp_path), fixed_planner(UNIT))
    assert row_of(tmp_path / "a").failures == 2
    assert table(tmp_path / "a") == table(tmp_path / "b")


def test_a_unit_that_is_always_lost_fails_with_its_reason(tmp_path: Path) -> None:
    """Rung: closed form; the others are computed, and retry takes it up."""

    def lose_some(call: int) -> None:
        if call % 2:
            raise UnitLostError("its process was ended by SIGKILL")

    root, text, other = tmp_path / "a", text_file(tmp_path), single(tiny_run(0.2))
    executor = Here(lose_some)
    drive_here(root, text, fixed_planner(UNIT, other), executor, attempts=1)
    row = row_of(root)
    assert (row.state, row.failures) == (FAILED, 1)
    assert "SIGKILL" in row.error
    assert row_of(root, other).result
    drive_here(root, text, fixed_planner(UNIT, other))
    assert row_of(root).state == FAILED, "only retry takes up what failed"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (UsageError("the text is not its own"), "the text is not its own"),
        (KeyError("x"), "KeyError"),
    ],
    ids=["mistake", "bug"],
)
def test_what_the_unit_itself_is_to_blame_for_is_not_tried_again(
    error: Exception, shown: str, tmp_path: Path
) -> None:
    """Rung: closed form (one call)."""

    def blame(call: int) -> None:
        raise error

    executor = Here(blame)
    drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(UNIT), executor)
    assert executor.calls == 1
    row = row_of(tmp_path / "a")
    assert (row.state, row.failures) == (FAILED, 0)
    assert shown in row.error


def test_the_wrong_text_is_refused_by_the_unit(tmp_path: Path) -> None:
    """Rung: closed form."""
    other = tmp_path / "other.txt"
    other.write_text("another text\n" * 500)
    drive_here(tmp_path / "a", other, fixed_planner(UNIT))
    assert "give the text of the plan" in row_of(tmp_path / "a").error


def test_divergence_is_a_result_and_no_failure(tmp_path: Path) -> None:
    """Rung: closed form (one call)."""
    executor, wild = Here(), single(tiny_run(1e5))
    drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(wild), executor)
    assert executor.calls == 1
    assert row_of(tmp_path / "a", wild).state == "diverged"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("x.safetensors cannot be written (No space left on device (os error 28))"),
    ],
    ids=["system", "library"],
)
def test_a_full_disk_of_a_worker_stops_the_sweep_and_blames_no_unit(
    error: OSError, tmp_path: Path
) -> None:
    """Rung: closed form (the errors of the system itself and of a library)."""

    def full(call: int) -> None:
        raise error

    with pytest.raises(StorageError, match="free some space and resume"):
        drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(UNIT), Here(full))
    row = row_of(tmp_path / "a")
    assert (row.state, row.failures, row.error) == (PLANNED, 0, "")


def test_an_executor_that_loses_everything_stops_the_sweep(tmp_path: Path) -> None:
    """Rung: closed form; not every unit is marked failed for the fault of the machine."""

    def lose(call: int) -> None:
        raise UnitLostError("no node is left")

    units = [single(tiny_run(0.01 * k)) for k in range(1, 40)]
    executor = Here(lose)
    with pytest.raises(UsageError, match="no node is left"):
        drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(*units), executor)
    assert executor.calls <= LOST_IN_A_ROW + 2


def test_a_result_that_came_back_damaged_is_lost(tmp_path: Path) -> None:
    """Rung: closed form."""

    class Garbling(Here):
        def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
            future = super().submit(fn, *args, **kwargs)
            if self.calls > 1:
                return future
            SweepFolder(tmp_path / "a").result(KEY).unlink()
            garbled: Future[T] = Future()
            # A stand-in for what a network can do to the text that compute_unit returns.
            garbled.set_result(str(future.result()).replace("5", "6"))  # type: ignore[arg-type]
            return garbled

    drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(UNIT), Garbling())
    drive_here(tmp_path / "b", text_file(tmp_path), fixed_planner(UNIT))
    assert row_of(tmp_path / "a").failures == 1
    assert table(tmp_path / "a") == table(tmp_path / "b")


def test_stopped_within_a_run_it_goes_on_to_the_same_table(tmp_path: Path) -> None:
    """Rung: another route to the same bytes (never stopped)."""
    text, planner = text_file(tmp_path), two_rounds(1, steps=200)
    drive_here(tmp_path / "a", text, planner)
    root, folder = tmp_path / "b", SweepFolder(tmp_path / "b")
    drive_here(
        root, text, planner, Here(lambda call: folder.stop.touch()), stopping=folder.stop.exists
    )
    assert [path.suffix for path in folder.states.iterdir()] == [".safetensors"]
    assert not read_contents(folder).finished()
    drive_here(root, text, planner)
    assert table(root) == table(tmp_path / "a")
    assert list(folder.states.iterdir()) == []


def test_what_was_filed_while_no_driver_lived_is_collected(tmp_path: Path) -> None:
    """Rung: closed form (no call for a unit whose result file is there)."""
    text, planner = text_file(tmp_path), two_rounds(1)
    drive_here(tmp_path / "a", text, planner)
    wanted = table(tmp_path / "a")
    (tmp_path / "b" / "results").mkdir(parents=True)
    for path in SweepFolder(tmp_path / "a").results.iterdir():
        (tmp_path / "b" / "results" / path.name).write_bytes(path.read_bytes())
    executor = Here()
    drive_here(tmp_path / "b", text, planner, executor)
    assert executor.calls == 0
    assert table(tmp_path / "b") == wanted


def test_a_planner_that_wants_what_it_does_not_name_is_a_bug(tmp_path: Path) -> None:
    """Rung: closed form (otherwise the driver would wait for ever)."""
    with pytest.raises(RuntimeError, match="names no unit"):
        drive_here(tmp_path, text_file(tmp_path), lambda results: Plan((), (), complete=False))


def test_a_sweep_with_nothing_to_do_starts_no_process(tmp_path: Path) -> None:
    """Rung: closed form."""
    outcome = run_sweep(tmp_path, fixed_planner(), ExecutorSettings())
    assert outcome.complete and not outcome.stopped and not outcome.failed


def test_a_unit_that_is_named_twice_is_computed_once(tmp_path: Path) -> None:
    """Rung: closed form."""
    executor = Here()
    drive_here(tmp_path / "a", text_file(tmp_path), fixed_planner(UNIT, UNIT), executor)
    assert executor.calls == 1


def test_asked_twice_to_stop_it_stops_at_once() -> None:
    """Rung: closed form; afterwards the signals do what they did before."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interruption() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGTERM)
        assert asked()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_driver_does_without_torch() -> None:
    """Rung: closed form (the list of modules that Python itself keeps)."""
    script = "import sys, empirical.sweep.driver; sys.exit('torch' in sys.modules)"
    place = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_a_sweep_can_be_read_while_it_is_driven(tmp_path: Path) -> None:
    """Rung: the real thing (a reader in another thread); it only ever sees more."""
    root, counts, over = tmp_path / "a", [0], threading.Event()

    def read() -> None:
        while not over.is_set():
            contents = read_contents(SweepFolder(root))
            assert not contents.damage
            counts.append(len(contents.finished()))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        try:
            drive_here(root, text_file(tmp_path), two_rounds(2))
        finally:
            over.set()
        reading.result()
    assert counts == sorted(counts)
    assert len(counts) > 3


def test_every_executor_of_a_sweep_file_has_an_adapter() -> None:
    """Rung: closed form (the settings and the table name the same)."""
    names = ExecutorSettings.model_json_schema()["properties"]["name"]["enum"]
    assert set(names) == set(EXECUTORS)


def test_a_missing_engine_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form."""
    monkeypatch.setitem(EXECUTORS, "slurm", "package_that_is_not_there.adapter")
    with pytest.raises(UsageError, match=r"install scaling-theory\[slurm\]"):
        open_engine(ExecutorSettings(name="slurm"), SweepFolder(tmp_path))


@pytest.mark.parametrize(
    ("error", "lost"),
    [(UnitLostError("x"), True), (MemoryError(), True), (EOFError(), True), (ValueError(), False)],
    ids=lambda value: str(value) or type(value).__name__,
)
def test_what_counts_as_lost(error: Exception, lost: bool) -> None:
    """Rung: closed form."""
    assert Engine(Here(), 1).was_lost(error) is lost
    assert Engine(Here(), 1, lost_by=(ValueError,)).was_lost(error)
