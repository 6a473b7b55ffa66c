"""Processes of this machine: one thread each, replaced when they die, gone with their driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors.engine import Engine, UnitLostError, open_engine
from empirical.sweep.executors.processes import shared_gpus
from empirical.sweep.folder import SweepFolder
from empirical.train.loop import DivergedError
from tests.sweep.kill_many import processes_of, workers_of
from tests.sweep.tiny_sweep import command, text_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts processes in /proc")

SECONDS = 60
"""Longer than a busy machine takes to start a process."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with open_engine(ExecutorSettings(workers=2), SweepFolder(tmp_path)) as opened:
        yield opened


def refuse(text: str) -> None:
    """Raises what a unit can raise: an error that needs three arguments to be made."""
    raise DivergedError(3, 7.0, 0.1) if text == "diverged" else UsageError(text)


def test_calls_run_in_other_processes_with_one_thread(engine: Engine) -> None:
    """Rung: closed form (process ids, and the variable that libraries read)."""
    submit = engine.executor.submit
    ids = {future.result(SECONDS) for future in [submit(os.getpid) for _ in range(4)]}
    assert os.getpid() not in ids
    assert 1 <= len(ids) <= 2
    assert submit(os.getenv, "OMP_NUM_THREADS").result(SECONDS) == "1"
    threads = submit(os.listdir, "/proc/self/task").result(SECONDS)
    assert len(threads) == 2, "its own, and the one that waits for the end of the driver"


def test_what_is_raised_comes_back_with_where_it_was_raised(engine: Engine) -> None:
    """Rung: closed form; an error that cannot be sent comes back as its text."""
    error = engine.executor.submit(refuse, "no such text").exception(SECONDS)
    assert isinstance(error, UsageError) and str(error) == "no such text"
    assert "in refuse" in "".join(error.__notes__)
    assert "DivergedError" in str(engine.executor.submit(refuse, "diverged").exception(SECONDS))


def test_a_process_that_dies_loses_one_call_and_is_replaced(engine: Engine) -> None:
    """Rung: closed form; the other process notices nothing."""
    waiting = engine.executor.submit(time.sleep, 1.0)
    dies = engine.executor.submit(signal.raise_signal, signal.SIGKILL)
    with pytest.raises(UnitLostError, match="SIGKILL"):
        dies.result(SECONDS)
    with pytest.raises(UnitLostError, match="exit code 7"):
        engine.executor.submit(os._exit, 7).result(SECONDS)
    assert waiting.result(SECONDS) is None
    assert engine.executor.submit(max, 1, 2).result(SECONDS) == 2


def test_kill_ends_what_does_not_wait(engine: Engine) -> None:
    """Rung: closed form."""
    began = time.monotonic()
    running = engine.executor.submit(time.sleep, 10 * SECONDS)
    while not running.running() or time.monotonic() - began < 1:
        time.sleep(0.05)
    engine.kill()
    with pytest.raises(UnitLostError):
        running.result(SECONDS)


@pytest.mark.parametrize(
    ("share", "wanted"),
    [(1, ["0", "1", "2", "3"]), (0.5, ["0", "0", "1", "1"]), (2, ["0,1", "2,3", "0,1", "2,3"])],
    ids=["one", "half", "two"],
)
def test_gpus_are_dealt_out(share: float, wanted: list[str]) -> None:
    """Rung: closed form."""
    gpus = ("0", "1", "2", "3")
    assert [",".join(shared_gpus(gpus, share, place)) for place in range(4)] == wanted


def test_more_gpus_than_there_are_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    settings = ExecutorSettings(gpus=2)
    with (
        pytest.raises(UsageError, match="this machine has 1"),
        open_engine(settings, SweepFolder(tmp_path)),
    ):
        pass


def all_gone(session: int) -> bool:
    """Whether no process of the session is left, after some patience."""
    until = time.monotonic() + SECONDS
    while processes_of(session) and time.monotonic() < until:
        time.sleep(0.05)
    return not processes_of(session)


@pytest.mark.slow
def test_no_process_outlives_a_killed_driver(tmp_path: Path) -> None:
    """Rung: closed form (the process table)."""
    driver = subprocess.Popen(
        command(tmp_path / "sweep", text_file(tmp_path), 2, 20_000),
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    until = time.monotonic() + SECONDS
    while len(workers_of(driver.pid)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(workers_of(driver.pid)) == 2
    driver.kill()
    driver.wait()
    assert all_gone(driver.pid)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_it_leaves_its_states_and_says_so(number: int, tmp_path: Path) -> None:
    """Rung: closed form; the signal goes to the whole group, as from a terminal."""
    root = tmp_path / "sweep"
    driver = subprocess.Popen(
        [*command(root, text_file(tmp_path), 2, 20_000)],
        cwd=Path(__file__).parents[2],
        start_new_session=True,
        stderr=subprocess.PIPE,
    )
    states, until = SweepFolder(root).states, time.monotonic() + SECONDS
    while not list(states.glob("*.safetensors")) and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(driver.pid, number)
    _, said = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 1, "stopped, and the plan is not complete"
    assert said == b""
    assert len(list(states.glob("*.safetensors"))) == 2
    assert all_gone(driver.pid)
