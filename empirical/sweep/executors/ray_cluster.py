"""Units as tasks of a Ray cluster that is there already.

This program is installed on every node, and the folder of the sweep and the text lie where every
node sees them. Nothing is uploaded. Ray retries nothing: the driver does. Tasks end with their
driver; what they have filed until then is in the folder.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Any, ParamSpec, TypeVar

import ray
from ray.exceptions import RayError, TaskCancelledError

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors.answer import Answer, answered, give
from empirical.sweep.executors.engine import Engine, UnitLostError
from empirical.sweep.folder import SweepFolder

P = ParamSpec("P")
T = TypeVar("T")


OURS: Mapping[str, str] = {
    "num_cpus": "give cpus of the executor",
    "num_gpus": "give gpus of the executor",
    **dict.fromkeys(
        ("max_calls", "max_retries", "num_returns", "retry_exceptions"),
        "leave it out: the driver decides it",
    ),
}
"""Options of a task that are set for every unit, and what to do instead."""


def check_settings(settings: ExecutorSettings) -> None:
    """UsageError for the first option that Ray's tasks do not have or whose value does not fit."""
    for name, value in settings.options.items():
        if name in OURS:
            raise UsageError(
                f"got {name} in the options of Ray, which is set already; {OURS[name]}"
            )
        if name == "address":
            if not isinstance(value, str) or not value:
                raise UsageError(
                    f"got address = {value!r} in the options of Ray, wanted a text in quotes, "
                    "HOST:PORT; change it"
                )
            continue
        try:
            ray.remote(_compute).options(**{name: value})
        except (TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).partition(" Valid ones are")[0].rstrip(".")
            raise UsageError(
                f"Ray refuses {name} = {value!r} in its options ({reason}); correct or leave it out"
            ) from None


@contextmanager
def open_engine(settings: ExecutorSettings, folder: SweepFolder) -> Iterator[Engine]:
    """Tasks with the CPUs and GPUs of the settings.

    Options: `address` of the cluster (without: RAY_ADDRESS, or the cluster of this machine); the
    others are options of a Ray task (memory, accelerator_type, scheduling_strategy, ...).
    """
    check_settings(settings)
    options = dict(settings.options)
    address = str(options.pop("address", "auto"))
    _connect(address)
    try:
        room = _room(settings)
        if not settings.workers and not room:
            raise UsageError(
                f"got {settings.cpus} CPUs and {settings.gpus:g} GPUs per run, more than a node of "
                f"{address} has; ask for fewer, or give workers if nodes are to come"
            )
        executor = TaskExecutor(_task(settings, options))
        # A few in reserve: no node waits while the driver thinks.
        yield Engine(executor, at_once=settings.workers or 2 * room, kill=executor.kill)
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster can be used at {address} ({' '.join(str(error).split())}); start one "
            "with: ray start --head, and give its address in the executor's options"
        ) from None
    finally:
        # Ray ends the process at SIGTERM; the driver stops cleanly.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _room(settings: ExecutorSettings) -> int:
    """How many units the nodes can compute at once."""
    known: Callable[[], list[dict[str, Any]]] = ray.nodes
    nodes = [node["Resources"] for node in known() if node["Alive"]]
    return sum(
        int(
            min(
                node.get("CPU", 0) / settings.cpus,
                node.get("GPU", 0) / settings.gpus if settings.gpus else inf,
            )
        )
        for node in nodes
    )


def _task(settings: ExecutorSettings, options: Mapping[str, Any]) -> Any:
    try:
        return ray.remote(_compute).options(
            **{
                "name": "scaling-theory",
                **options,
                "num_cpus": settings.cpus,
                "num_gpus": settings.gpus or None,
                "max_retries": 0,
            }
        )
    except (TypeError, ValueError) as error:
        raise UsageError(f"Ray refuses the executor's options ({error}); correct them") from None


def _compute(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Answer:
    """The task. It is deaf to a cancel, which is thus for those that wait: a unit that runs looks
    for the file `stop`, and leaves its state."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return answered(fn, args, kwargs)


class TaskFuture(Future[T]):
    """The future of a task. To cancel is to ask: whether it came in time, Ray will say."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task

    def cancel(self) -> bool:
        """See concurrent.futures."""
        ray.cancel(self.task)
        return self.cancelled()


class TaskExecutor(Executor):
    """One task per call."""

    def __init__(self, task: Any) -> None:
        self._task = task
        self._futures: set[TaskFuture[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures; UnitLostError where a node or its process died."""
        future: TaskFuture[T] = TaskFuture(self._task.remote(fn, args, kwargs))
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        future.task.future().add_done_callback(partial(_settle, future))
        return future

    def kill(self) -> None:
        """End every task at once."""
        for future in list(self._futures):
            ray.cancel(future.task, force=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See concurrent.futures."""
        for future in list(self._futures):
            if cancel_futures:
                future.cancel()
            if wait:
                future.exception()


def _settle(future: TaskFuture[Any], ended: Future[Answer]) -> None:
    error = ended.exception()
    if isinstance(error, TaskCancelledError):
        Future.cancel(future)
        future.set_running_or_notify_cancel()
    elif isinstance(error, RayError):
        reason = str(error).strip().partition("\n")[0]
        future.set_exception(UnitLostError(f"{type(error).__name__}: {reason}"))
    elif error is not None:
        future.set_exception(error)
    else:
        give(ended.result(), future)
