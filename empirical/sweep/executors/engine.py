"""What the driver needs from whatever computes units, and the table of what can.

An adapter is a module with `check_settings(settings)`, which refuses what can be refused before
anything is started, and `open_engine(settings, folder) -> context manager of Engine`:

- its executor takes `submit(function, *args)`, function and arguments picklable, and gives a
  Future of what the function returns or raises; nothing is asked of it but submit and shutdown,
  and of its futures result, exception, cancel and done callbacks (concurrent.futures.wait);
- a machine that dies, a job that is preempted or out of memory is one of `lost_by`: the unit is
  submitted again. Whatever else a future raises is the unit's own fault and is not retried;
- it knows nothing of results: a unit files its own under the folder of the sweep, if it can be
  reached from where it is computed, and returns it. What ended while no driver lived is found
  there when a driver opens the sweep; what still runs then may end too: it files the same result;
- to stop, the driver makes the file `stop` in that folder and waits: units look for it at every
  reading. `kill` is for those that do not wait;
- settings say what one unit needs (cpus, gpus) and how many are wanted at once (workers).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.folder import SweepFolder


class UnitLostError(Exception):
    """The machine, not the unit, is the reason that there is no result."""


@dataclass(frozen=True)
class Engine:
    """Something that computes units.

    Attributes:
        executor: takes functions, gives futures.
        at_once: units that are handed over and not yet back, at most.
        lost_by: exceptions of a future that mean: lost by the machine, try again. BrokenExecutor,
            MemoryError, ConnectionError and UnitLostError always mean that.
        kill: end at once what is being computed.
    """

    executor: Executor
    at_once: int
    lost_by: tuple[type[BaseException], ...] = ()
    kill: Callable[[], None] = lambda: None

    def was_lost(self, error: BaseException) -> bool:
        """Whether this exception of a future asks for another attempt."""
        always = (UnitLostError, BrokenExecutor, MemoryError, ConnectionError, EOFError)
        return isinstance(error, (*always, *self.lost_by))


EXECUTORS = {
    "local": "empirical.sweep.executors.processes",
    "slurm": "empirical.sweep.executors.slurm",
    "ray": "empirical.sweep.executors.ray_cluster",
}
"""Name in the sweep file -> module of the adapter, imported when it is asked for."""


def check_settings(settings: ExecutorSettings) -> None:
    """UsageError where the package of the engine is missing or an option does not fit.

    Nothing is started, and no cluster is asked: that is for `open_engine`.
    """
    _adapter(settings).check_settings(settings)


def open_engine(settings: ExecutorSettings, folder: SweepFolder) -> AbstractContextManager[Engine]:
    """The engine that the settings name; UsageError where its package is not installed."""
    opened: AbstractContextManager[Engine] = _adapter(settings).open_engine(settings, folder)
    return opened


def _adapter(settings: ExecutorSettings) -> Any:
    try:
        return import_module(EXECUTORS[settings.name])
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the executor {settings.name} wants the package {error.name}, which is not installed; "
            f"install scaling-theory[{settings.name}], or use the executor local"
        ) from None
