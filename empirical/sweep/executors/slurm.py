"""Units as jobs of Slurm, one each, submitted and watched through submitit.

The driver runs where sbatch works; the folder of the sweep, the text and this program lie where
every node sees them. A job that is preempted or out of time is queued again and goes on from the
state that it left. Jobs outlive a driver that is killed: the next one takes up those that wait or
run, and finds in the folder what the others have filed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import submitit
from submitit.core.utils import FailedJobError
from submitit.helpers import DelayedSubmission

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors.answer import Answer, answered, give
from empirical.sweep.executors.engine import Engine, UnitLostError
from empirical.sweep.executors.slurm_options import LINES, check_slurm_options, sbatch_options
from empirical.sweep.folder import SweepFolder

P = ParamSpec("P")
T = TypeVar("T")

JOBS_AT_ONCE = 32
"""Without `workers`: less than the number of jobs that a cluster commonly grants to one user."""

MINUTES = 60
"""Time of a job without the option `time`; a longer unit takes several."""

TIMES_OUT_OF_TIME = 20
"""How often a job whose time ends is queued again; its state is never older than seconds."""

PAUSES = (2.0, 10.0, 60.0)
"""Seconds between attempts to submit, once a job has been accepted: a scheduler can be busy."""

SECONDS_BETWEEN_LOOKS = 1.0

AT_LARGE = frozenset({"PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "REQUEUED"})
"""States of a job that will give a result yet."""


def check_settings(settings: ExecutorSettings) -> None:
    """UsageError for options that sbatch does not know or that do not fit; nothing is asked."""
    check_slurm_options(settings)


@contextmanager
def open_engine(settings: ExecutorSettings, folder: SweepFolder) -> Iterator[Engine]:
    """Jobs with the CPUs and GPUs of the settings.

    Options: `time` in minutes; `setup` and `teardown`, shell lines around a job; `srun_args`;
    `cluster = "local"` for processes of this machine in place of jobs; every other option goes to
    sbatch as the long option of that name (partition, account, mem, gres, ...), see
    `slurm_options`.
    """
    local = settings.options.get("cluster", "slurm") == "local"
    place = folder.root / "slurm"
    executor = JobExecutor(_submitter(settings, place), [] if local else _left_behind(place))
    try:
        yield Engine(executor, at_once=settings.workers or JOBS_AT_ONCE, kill=executor.kill)
    except BaseException:
        executor.kill()
        raise
    finally:
        executor.shutdown(wait=False)


@dataclass(frozen=True)
class Call:
    """A call that may be interrupted: begun again, it goes on from the state that it left."""

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __call__(self) -> Answer:
        return answered(self.fn, self.args, self.kwargs)

    def checkpoint(self) -> DelayedSubmission:
        """What submitit queues when the time of the job ends."""
        return DelayedSubmission(self)


def _submitter(settings: ExecutorSettings, place: Path) -> submitit.AutoExecutor:
    check_slurm_options(settings)
    options = settings.options
    cluster, minutes = str(options.get("cluster", "slurm")), options.get("time", MINUTES)
    lines = {name: str(options[name]).splitlines() for name in LINES if name in options}
    # Since Slurm 22.05 srun does not take the CPUs over from sbatch.
    lines["srun_args"] = [f"--cpus-per-task={settings.cpus}", *lines.get("srun_args", ())]
    try:
        submitter = submitit.AutoExecutor(
            place, cluster=cluster, slurm_max_num_timeout=TIMES_OUT_OF_TIME
        )
        submitter.update_parameters(
            name="scaling-theory",
            timeout_min=minutes,
            nodes=1,
            tasks_per_node=1,
            cpus_per_task=settings.cpus,
            gpus_per_node=int(settings.gpus) or None,
            stderr_to_stdout=True,
            slurm_additional_parameters=sbatch_options(options),
            **{f"slurm_{name}": value for name, value in lines.items()},
        )
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"no jobs can be submitted here ({error}); run this where sbatch works, such as the "
            "login node of the cluster"
        ) from None
    return submitter


def _left_behind(place: Path) -> list[tuple[Call, submitit.Job[Answer]]]:
    """Jobs of a driver that died which wait or run, and what they compute."""
    ending = "_submitted.pkl"
    names = sorted(path.name.removesuffix(ending) for path in place.glob(f"*{ending}"))
    # All are made before one is asked for its state: one call of sacct then serves all.
    jobs: list[submitit.Job[Answer]] = [submitit.SlurmJob(place, name) for name in names]
    found: list[tuple[Call, submitit.Job[Answer]]] = []
    for job in jobs:
        if job.state in AT_LARGE:
            # What cannot be read back was submitted by another version, and is computed again.
            with suppress(Exception):
                call: Any = job.submission().function
                found.append((call, job))
        elif job.paths.result_pickle.exists():
            _forget(job)
    return found


def _forget(job: submitit.Job[Answer]) -> None:
    """Remove the files of a job that is over: a sweep has thousands."""
    paths = job.paths
    for path in (
        paths.submission_file,
        paths.submitted_pickle,
        paths.result_pickle,
        paths.stdout,
        paths.stderr,
    ):
        path.unlink(missing_ok=True)
    for link in paths.folder.glob(".submission_file_*.sh"):
        if not link.exists():
            link.unlink(missing_ok=True)


class JobExecutor(Executor):
    """One job per call, or one of those that a driver before has left behind."""

    def __init__(
        self,
        submitter: submitit.Executor,
        left_behind: list[tuple[Call, submitit.Job[Answer]]],
    ) -> None:
        self._submitter = submitter
        self._left_behind = left_behind
        self._pauses: tuple[float, ...] = ()
        self._jobs: dict[Future[Any], submitit.Job[Answer]] = {}
        self._closing = threading.Event()
        # submitit waits some seconds for a result that is not there, and others end meanwhile.
        self._collecting = ThreadPoolExecutor(8)
        threading.Thread(target=self._look, daemon=True).start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures; UsageError where sbatch refuses the job."""
        call, future = Call(fn, args, kwargs), Future[T]()
        left = next((entry for entry in self._left_behind if entry[0] == call), None)
        if left is not None:
            self._left_behind.remove(left)
        self._jobs[future] = self._accepted(call) if left is None else left[1]
        return future

    def _accepted(self, call: Call) -> submitit.Job[Answer]:
        for pause in self._pauses:
            with suppress(FailedJobError):
                return self._submitter.submit(call)
            time.sleep(pause)
        try:
            job = self._submitter.submit(call)
        except FailedJobError as error:
            said = " ".join(str(error).split())
            raise UsageError(f"sbatch refused a job ({said}); mend it and resume") from None
        self._pauses = PAUSES
        return job

    def _look(self) -> None:
        while not self._closing.wait(SECONDS_BETWEEN_LOOKS):
            for future, job in list(self._jobs.items()):
                # A shared file system can fail for a moment; the next look may tell.
                with suppress(OSError):
                    if self._is_over(future, job):
                        del self._jobs[future]

    def _is_over(self, future: Future[Any], job: submitit.Job[Answer]) -> bool:
        ended = job.done()
        known = ended or future.cancelled() or job.state == "RUNNING"
        # Once it runs it cannot be cancelled: a unit looks for the file `stop`.
        if known and not future.running() and not future.set_running_or_notify_cancel():
            job.cancel(check=False)
            return True
        if ended:
            self._collecting.submit(_collect, future, job)
        return ended

    def kill(self) -> None:
        """Cancel every job at once."""
        for job in list(self._jobs.values()):
            job.cancel(check=False)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See concurrent.futures."""
        for future in list(self._jobs) if cancel_futures else ():
            future.cancel()
        while wait and self._jobs:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        self._closing.set()
        self._collecting.shutdown(wait=wait)


def _collect(future: Future[Any], job: submitit.Job[Answer]) -> None:
    try:
        answer = job.result()
    except Exception:
        future.set_exception(
            UnitLostError(
                f"its job {job.job_id} ended without a result ({job.state}; log {job.paths.stdout})"
            )
        )
    else:
        _forget(job)
        give(answer, future)
