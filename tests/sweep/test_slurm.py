"""Jobs of Slurm: what is asked of sbatch, jobs that die, drivers that die, jobs taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.contents import read_contents
from empirical.sweep.executors import slurm
from empirical.sweep.executors.engine import UnitLostError, open_engine
from empirical.sweep.folder import SweepFolder
from empirical.train.run_configuration import WorkUnit
from tests.sweep.clustered import SECONDS, command, drive_clustered, until
from tests.sweep.imagined_slurm import ImaginedSlurm
from tests.sweep.kill_many import processes_of, workers_of
from tests.sweep.tiny_sweep import drive_here, table, text_file, two_rounds

LOCAL = ExecutorSettings(name="slurm", workers=2, options={"cluster": "local"})


@pytest.fixture
def imagined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImaginedSlurm]:
    monkeypatch.setattr(slurm, "SECONDS_BETWEEN_LOOKS", 0.05)
    found = ImaginedSlurm(tmp_path / "bin", monkeypatch)
    yield found
    found.end()


def test_what_the_settings_ask_for_reaches_sbatch(tmp_path: Path, imagined: ImaginedSlurm) -> None:
    """Rung: closed form (the text of the job); one that waits is cancelled, not waited for."""
    (imagined.jobs / "hold").touch()
    settings = ExecutorSettings(
        name="slurm",
        cpus=4,
        gpus=1,
        options={
            "time": 30,
            "partition": "short",
            "mail-type": "FAIL",
            "requeue": True,
            "exclusive": False,
            "setup": "module load cuda\nulimit -c 0",
            "srun_args": "--kill-on-bad-exit",
        },
    )
    with open_engine(settings, SweepFolder(tmp_path)) as engine:
        assert engine.at_once == slurm.JOBS_AT_ONCE
        future = engine.executor.submit(max, 1, 2)
        (script,) = (tmp_path / "slurm").glob("*_submission.sh")
        lines = script.read_text().splitlines()
        assert future.cancel()
        assert not wait([future], SECONDS).not_done
        until(lambda: imagined.states() == ["CANCELLED by 1"])
    asked = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")}
    assert asked >= {
        "--time=30",
        "--partition=short",
        "--mail-type=FAIL",
        "--requeue",
        "--cpus-per-task=4",
        "--gpus-per-node=1",
        "--nodes=1",
    }
    assert not any("exclusive" in flag for flag in asked)
    assert lines.index("module load cuda") < lines.index("ulimit -c 0")
    (run,) = (line for line in lines if line.startswith("srun"))
    assert "--cpus-per-task=4 --kill-on-bad-exit" in run


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gpus": 0.5}, "got 0.5 GPUs per run, Slurm gives whole ones"),
        ({"options": {"time": "1-00:00:00"}}, "wanted whole minutes"),
        ({"options": {"cluster": "elsewhere"}}, "elsewhere"),
        ({}, "run this where sbatch works"),
    ],
    ids=["part of a GPU", "time", "cluster", "no Slurm"],
)
def test_what_cannot_be_asked_for_is_told(
    settings: dict[str, object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rung: closed form."""
    monkeypatch.setenv("PATH", str(tmp_path))
    chosen = ExecutorSettings.model_validate({"name": "slurm", **settings})
    with (
        pytest.raises(UsageError, match=message) as told,
        open_engine(chosen, SweepFolder(tmp_path)),
    ):
        pass
    assert "\n" not in str(told.value)


def test_a_refusal_of_sbatch_is_told_at_once_or_after_some_patience(
    tmp_path: Path, imagined: ImaginedSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form (attempts: one before a job has ever been accepted, then some more)."""
    monkeypatch.setattr(slurm, "PAUSES", (0.01, 0.01))
    refuse = imagined.jobs / "refuse"
    refuse.touch()
    with open_engine(ExecutorSettings(name="slurm"), SweepFolder(tmp_path)) as engine:
        with pytest.raises(UsageError, match="Invalid partition") as told:
            engine.executor.submit(max, 1, 2)
        assert "\n" not in str(told.value)
        assert refuse.read_text().count("Invalid") == 1
        refuse.unlink()
        (imagined.jobs / "hold").touch()
        engine.executor.submit(max, 1, 2)
        refuse.touch()
        with pytest.raises(UsageError, match="Invalid partition"):
            engine.executor.submit(max, 3, 4)
        assert refuse.read_text().count("Invalid") == 3
        engine.kill()
    assert imagined.states() == ["CANCELLED by 1"]


@pytest.mark.slow
def test_jobs_that_a_driver_left_behind_are_taken_up(
    tmp_path: Path, imagined: ImaginedSlurm
) -> None:
    """Rung: closed form (one job per call, whichever driver asks), and its files are removed."""
    (imagined.jobs / "hold").touch()
    settings, folder = ExecutorSettings(name="slurm"), SweepFolder(tmp_path)
    dead = open_engine(settings, folder)
    first = dead.__enter__()  # and is never left: it died
    first.executor.submit(max, 1, 2)
    first.executor.shutdown(wait=False)
    with open_engine(settings, folder) as engine:
        taken = engine.executor.submit(max, 1, 2)
        assert imagined.states() == ["PENDING"]
        (script,) = (tmp_path / "slurm").glob("*_submission.sh")
        imagined.start(script.name.split("_")[0], script)
        assert taken.result(SECONDS) == 2
        assert list((tmp_path / "slurm").iterdir()) == []
        other = engine.executor.submit(max, 3, 4)
        assert imagined.states()[1:] == ["PENDING"]
        other.cancel()
        wait([other], SECONDS)


@pytest.mark.slow
def test_answers_of_jobs(tmp_path: Path) -> None:
    """Rung: closed form: a value, an error of the unit in its own type, a job that is killed."""
    with open_engine(LOCAL, SweepFolder(tmp_path)) as engine:
        value = engine.executor.submit(max, 1, 2)
        error = engine.executor.submit(int, "seven")
        killed = engine.executor.submit(signal.raise_signal, signal.SIGKILL)
        assert value.result(SECONDS) == 2
        with pytest.raises(ValueError, match="seven"):
            error.result(SECONDS)
        with pytest.raises(UnitLostError, match=r"ended without a result .*log .*_log\.out"):
            killed.result(SECONDS)


@pytest.mark.slow
def test_a_job_and_then_the_driver_are_killed(tmp_path: Path) -> None:
    """Rung: another route to the same bytes (computed in this process, undisturbed)."""
    root, text, steps = tmp_path / "sweep", text_file(tmp_path), 1500
    folder = SweepFolder(root)
    driver = subprocess.Popen(
        command(root, text, LOCAL, 1, steps),
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    )
    until(lambda: list(folder.states.glob("*.safetensors")))
    for job in workers_of(driver.pid):
        os.kill(job, signal.SIGKILL)
    until(lambda: any(row.failures for row in read_contents(folder).runs.values()))
    until(lambda: workers_of(driver.pid))
    driver.kill()
    driver.wait()
    assert processes_of(driver.pid), "the job outlives its driver"
    until(lambda: not processes_of(driver.pid))
    assert len(list(folder.results.iterdir())) == 1

    computed: set[WorkUnit] = set()
    outcome = drive_clustered(root, text, LOCAL, 1, steps, lambda _, units: computed.update(units))
    assert outcome.complete
    assert [unit.path for unit in computed] == ["single"], "the stack was collected"
    assert {row.failures for row in read_contents(folder).runs.values()} == {0, 1}
    drive_here(tmp_path / "here", text, two_rounds(1, steps=steps))
    assert table(root) == table(tmp_path / "here")
