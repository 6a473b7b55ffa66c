"""Units in processes of this machine: one core, one thread each, kept between units.

A process that dies takes one unit with it and is replaced (a pool of concurrent.futures would
break as a whole). Processes see that their driver is gone and end, so that none outlives it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors.answer import answered
from empirical.sweep.executors.engine import Engine, UnitLostError
from empirical.sweep.executors.local_gpus import local_gpus
from empirical.sweep.folder import SweepFolder

P = ParamSpec("P")
T = TypeVar("T")

# Forked from a server that has torch and one thread: a new process is ready at once, and no
# thread is inherited. Elsewhere than on Linux libraries do not expect to be forked.
START_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
# The second is what an optimizer imports at its first step.
PRELOADED = ("empirical.train.run_execution", "torch._dynamo")

THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def check_settings(settings: ExecutorSettings) -> None:
    """UsageError for options, of which there are none, and for GPUs that are not there."""
    if settings.options:
        raise UsageError(
            f"got the option {next(iter(settings.options))} for the executor local, which has "
            "none; leave it out, or name another executor"
        )
    _check_gpus(settings, local_gpus())


@contextmanager
def open_engine(settings: ExecutorSettings, folder: SweepFolder) -> Iterator[Engine]:
    """Processes of this machine: `workers`, or as many as its cores (or GPUs) serve."""
    gpus = local_gpus()
    _check_gpus(settings, gpus)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    workers = settings.workers or max(1, cores // settings.cpus)
    if settings.gpus:
        workers = settings.workers or int(len(gpus) // settings.gpus)
    environments = [
        {"CUDA_VISIBLE_DEVICES": ",".join(shared_gpus(gpus, settings.gpus, place))}
        if settings.gpus
        else {}
        for place in range(workers)
    ]
    executor = ProcessExecutor(environments, threads=settings.cpus)
    try:
        # A few in reserve: no process waits while the driver thinks.
        yield Engine(executor, at_once=2 * workers, kill=executor.kill)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        executor.kill()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _check_gpus(settings: ExecutorSettings, gpus: tuple[str, ...]) -> None:
    if settings.gpus > len(gpus):
        raise UsageError(
            f"got {settings.gpus:g} GPUs per run, this machine has {len(gpus)}; ask for fewer"
        )


def shared_gpus(gpus: tuple[str, ...], share: float, place: int) -> tuple[str, ...]:
    """The GPUs of one worker: whole ones of its own, or one shared by 1 / share workers."""
    if share >= 1:
        whole = int(share)
        first = place * whole
        return tuple(gpus[(first + i) % len(gpus)] for i in range(whole))
    return (gpus[int(place * share) % len(gpus)],)


class ProcessExecutor(Executor):
    """One process per environment, each computing one call at a time."""

    def __init__(self, environments: list[dict[str, str]], *, threads: int = 1) -> None:
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        self._workers = [_Worker(environment, threads) for environment in environments]
        for worker in self._workers:
            self._free.put(worker)
        # One thread per process, to wait for it.
        self._waiting = ThreadPoolExecutor(len(self._workers))

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures; UnitLostError where the process died."""
        return self._waiting.submit(self._call, fn, args, kwargs)

    def _call(self, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
        worker = self._free.get()
        try:
            found: T = worker.call(fn, args, kwargs)
            return found
        finally:
            self._free.put(worker)

    def kill(self) -> None:
        """End every process at once; calls under way raise UnitLostError."""
        for worker in self._workers:
            worker.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See concurrent.futures."""
        self._waiting.shutdown(wait=wait, cancel_futures=cancel_futures)
        for worker in self._workers:
            worker.close()


class _Worker:
    """A process, started when it is first needed and again when it has died."""

    def __init__(self, environment: dict[str, str], threads: int) -> None:
        self._environment = environment | dict.fromkeys(THREAD_COUNTS, str(threads))
        self._process: Any = None
        self._connection: Connection[Any, Any] | None = None

    def call(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        connection = self._started()
        try:
            connection.send((fn, args, kwargs))
            returned, value = connection.recv()
        except (EOFError, OSError):
            raise UnitLostError(self._death()) from None
        if returned:
            return value
        raise value

    def _started(self) -> Connection[Any, Any]:
        if self._connection is not None and self._process.is_alive():
            return self._connection
        self.close()
        with _started_with(self._environment) as context:
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._environment), daemon=True
            )
            self._process.start()
        theirs.close()
        return self._connection

    def _death(self) -> str:
        self._process.join(timeout=5)
        code = self._process.exitcode
        self.close()
        if code is not None and code < 0:
            return f"its process was ended by {signal.Signals(-code).name} (out of memory?)"
        return f"its process ended with exit code {code}"

    def kill(self) -> None:
        if self._process is not None:
            with suppress(ValueError):  # closed by the thread that waited for it
                self._process.kill()

    def close(self) -> None:
        """The process ends when its connection does."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_starting = threading.Lock()


@contextmanager
def _started_with(environment: dict[str, str]) -> Iterator[Any]:
    """The context that starts processes, with thread counts that libraries read when loaded."""
    context: Any = get_context(START_METHOD)
    counts = {name: environment[name] for name in THREAD_COUNTS}
    with _starting:
        before = {name: os.environ.get(name) for name in counts}
        os.environ.update(counts)
        try:
            if START_METHOD == "forkserver":
                context.set_forkserver_preload(list(PRELOADED))
            yield context
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _serve(connection: Connection[Any, Any], environment: dict[str, str]) -> None:
    """A process: compute what comes until nobody is there to send it."""
    # Ctrl-C and a polite end reach the whole group; the driver says what is to be done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.environ.update(environment)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            fn, args, kwargs = connection.recv()
            connection.send(answered(fn, args, kwargs))


def _end_with_driver() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
