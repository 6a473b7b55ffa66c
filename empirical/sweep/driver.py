"""The driver of a sweep: plan, hand units to the executor, record what comes back, plan again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from empirical.errors import UsageError
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.executors.engine import Engine, open_engine
from empirical.sweep.interruption import interruption
from empirical.sweep.plan_record import Plan, Planner
from empirical.sweep.recovery import open_sweep
from empirical.sweep.result_files import decode_result, keys_of
from empirical.sweep.schema import PLANNED
from empirical.sweep.storage import is_disk_error, storage_error
from empirical.sweep.store import Store
from empirical.sweep.worker import UnitTask, compute_unit
from empirical.train.run_configuration import WorkUnit

ATTEMPTS = 3
"""How often the machine may lose a unit before it counts as failed."""

LOST_IN_A_ROW = 12
"""So many units lost and none computed: the executor is at fault, and the sweep stops."""

SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Outcome:
    """How a drive ended.

    Attributes:
        complete: no further unit will ever be wanted, and none failed.
        stopped: it was asked to stop; to be gone on with.
        tally: runs by state.
        failed: unit key -> why.
        mended: sentences about damage that was found when the sweep was opened.
    """

    complete: bool
    stopped: bool
    tally: Mapping[str, int]
    failed: Mapping[str, str]
    mended: tuple[str, ...]


Watch = Callable[[Store, tuple[WorkUnit, ...]], None]
"""Called about twice a second with the store and the units that the executor has."""

Given = dict[Future[str | None], WorkUnit]


def run_sweep(
    root: Path,
    planner: Planner,
    settings: ExecutorSettings,
    *,
    text: tuple[Path, ...] = (),
    checkpoint: Path | None = None,
    documents: Mapping[str, str] = MappingProxyType({}),
    attempts: int = ATTEMPTS,
    seconds_between_states: float = 20.0,
    watch: Watch = lambda store, units: None,
) -> Outcome:
    """Compute what the planner wants in the folder `root`, and go on from what is there.

    text, checkpoint: as in `Materials` of `empirical.train.run_execution`. documents: texts of
    files of names in DOCUMENTS, kept in the folder and in the store; others stay as they are.

    Raises UsageError where another driver is at work, StorageError where the disk refuses, and
    KeyboardInterrupt when asked to stop a second time; a later call goes on in each case.
    """

    def task(unit: WorkUnit) -> UnitTask:
        return UnitTask(
            unit.model_dump_json(),
            root.absolute(),
            tuple(path.absolute() for path in text),
            checkpoint and checkpoint.absolute(),
            settings.cpus,
            seconds_between_states,
        )

    with (
        open_sweep(root, documents) as (store, mended),
        interruption() as interrupted,
        open_engine(settings, store.folder) as engine,
    ):

        def stopping() -> bool:
            return interrupted() or store.folder.stop.exists()

        complete = drive(
            store, planner, engine, task, attempts=attempts, stopping=stopping, watch=watch
        )
        return Outcome(complete, stopping(), store.tally(), store.failed(), mended)


def drive(
    store: Store,
    planner: Planner,
    engine: Engine,
    task: Callable[[WorkUnit], UnitTask],
    *,
    attempts: int = ATTEMPTS,
    stopping: Callable[[], bool] = lambda: False,
    watch: Watch = lambda store, units: None,
) -> bool:
    """Go on until nothing is left to do; whether all that will ever be wanted is there."""
    given: Given = {}
    lost_in_a_row = 0
    plan = planner(store.results())
    store.note(plan)
    while True:
        if stopping():
            _ask_to_stop(store, engine, given)
        else:
            _hand_over(store, plan, engine, task, given)
        if not given:
            break
        done = wait(given, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED).done
        lost = ""
        for future in done:
            lost = _take(store, engine, given.pop(future), future, attempts, stopping())
            lost_in_a_row = lost_in_a_row + 1 if lost else 0
        if lost_in_a_row >= LOST_IN_A_ROW and not stopping():
            raise UsageError(
                f"the executor lost {lost_in_a_row} units in a row ({lost}); mend it and resume"
            )
        if done:
            plan = planner(store.results())
            store.note(plan)
        watch(store, tuple(given.values()))
    if not (plan.complete or stopping() or store.failed()):
        raise RuntimeError("the planner wants more and names no unit that is not there")
    known = store.results()
    return plan.complete and all(key in known for unit in plan.units for key in keys_of(unit)[1])


def _hand_over(
    store: Store,
    plan: Plan,
    engine: Engine,
    task: Callable[[WorkUnit], UnitTask],
    given: Given,
) -> None:
    """Units that nobody has computed, in the order of the plan, as many as the engine takes."""
    room = engine.at_once - len(given)
    if room <= 0:
        return
    waiting = (unit for unit in plan.units if store.standing(keys_of(unit)[0]).state == PLANNED)
    units = tuple(islice(dict.fromkeys(waiting), room))  # a plan may name a unit twice
    store.running(keys_of(unit)[0] for unit in units)
    for unit in units:
        given[engine.executor.submit(compute_unit, task(unit))] = unit


def _take(
    store: Store,
    engine: Engine,
    unit: WorkUnit,
    future: Future[str | None],
    attempts: int,
    stopping: bool,
) -> str:
    """Enter what became of a unit; why the machine lost it, "" if it did not."""
    key = keys_of(unit)[0]
    error = None if future.cancelled() else future.exception()
    if error is not None and engine.was_lost(error):
        if stopping:
            store.planned([key])
            return ""
        store.lost(key, str(error), attempts)
        return str(error) or type(error).__name__
    if is_disk_error(error):
        store.planned([key])
        raise storage_error(store.folder.root, error) from error
    if error is not None:
        store.fail(key, _reason(error))
        return ""
    text = None if future.cancelled() else future.result()
    if text is None:
        store.planned([key])
        return ""
    try:
        result = decode_result(text)
    except ValueError as problem:
        store.lost(key, f"its result came back damaged: {problem}", attempts)
        return str(problem)
    if result is None or result.unit != unit:
        store.fail(key, "it was computed by another version of the program; install one version")
    else:
        store.record(result)
    return ""


def _reason(error: BaseException) -> str:
    """One line for a mistake of the user, all that is known for one of the program."""
    if isinstance(error, UsageError):
        return str(error)
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])


def _ask_to_stop(store: Store, engine: Engine, given: Given) -> None:
    """Units leave their state at their next reading; those that have not begun do not begin."""
    for future in given:
        future.cancel()
    try:
        store.folder.stop.touch()
    except OSError:
        engine.kill()
