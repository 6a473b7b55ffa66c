"""A sweep small enough to be run many times: a tiny network, a short text, two rounds of runs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import ParamSpec, TypeVar

from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.contents import read_contents
from empirical.sweep.driver import Outcome, drive, run_sweep
from empirical.sweep.executors.engine import Engine
from empirical.sweep.export import export_csv
from empirical.sweep.folder import SweepFolder
from empirical.sweep.plan_record import Decision, Plan, Planner, StoredRun
from empirical.sweep.recovery import open_sweep
from empirical.sweep.result_files import keys_of
from empirical.sweep.worker import UnitTask
from empirical.train.configuration import NetworkConfig, SGDConfig, SoftSignSGDConfig
from empirical.train.run_configuration import RunConfig, WorkUnit

P = ParamSpec("P")
T = TypeVar("T")

NETWORK = NetworkConfig(context=8, width=8, depth=1, heads=2)
TEXT = "".join(f"line {number}: {number * number % 97} and so on\n" for number in range(300))


def text_file(folder: Path) -> Path:
    """The text of the sweep, as a file."""
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def tiny_run(learning_rate: float, *, seed: int = 0, steps: int = 40, batch: int = 2) -> RunConfig:
    """One run of some milliseconds."""
    return RunConfig(
        network=NETWORK,
        text_sha256=hashlib.sha256(TEXT.encode()).hexdigest(),
        optimizer=SoftSignSGDConfig(epsilon=1e-3) if seed % 2 else SGDConfig(),
        learning_rate=learning_rate,
        batch_size=batch,
        steps=steps,
        seed=seed,
        heldout_sequences=16,
    )


def single(run: RunConfig) -> WorkUnit:
    """A run computed by itself."""
    return WorkUnit(runs=(run,))


def fixed_planner(*units: WorkUnit) -> Planner:
    """A planner that wants these and nothing more."""
    return lambda results: Plan(units, (), complete=True)


def two_rounds(cells: int, *, steps: int = 40) -> Planner:
    """In each cell three learning rates, then one more beside the best: wants depend on results.

    The largest learning rate of each cell diverges. Every other cell is computed as a stack.
    """

    def plan(results: Mapping[str, StoredRun]) -> Plan:
        units: list[WorkUnit] = []
        decisions: list[Decision] = []
        complete = True
        for cell in range(cells):
            runs = [tiny_run(rate, seed=cell, steps=steps) for rate in (0.01, 0.1, 1e5)]
            stack = WorkUnit(runs=tuple(runs), path="stacked")
            first = [single(run) for run in runs] if cell % 2 else [stack]
            units += first
            ended = [results.get(key) for unit in first for key in keys_of(unit)[1]]
            losses = [
                (run.heldout_loss.value, run.config.learning_rate)
                for run in ended
                if run is not None and run.heldout_loss is not None
            ]
            if None in ended:
                complete = False
                continue
            loss, rate = min(losses)
            decisions.append(Decision(f"cell {cell}", 1, "halved the best", {"loss": loss}))
            units.append(single(tiny_run(rate / 2, seed=cell, steps=steps)))
        return Plan(tuple(units), tuple(decisions), complete)

    return plan


class Here(Executor):
    """Computes in this process, at once; `before` may do or raise something at each call."""

    def __init__(self, before: Callable[[int], None] = lambda call: None) -> None:
        self.calls = 0
        self._before = before

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See concurrent.futures."""
        future: Future[T] = Future()
        self.calls += 1
        try:
            self._before(self.calls)
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def drive_here(
    root: Path,
    text: Path,
    planner: Planner,
    executor: Executor | None = None,
    *,
    attempts: int = 3,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[str, ...]:
    """Drive the sweep in this process; the sentences about what was mended."""

    def task(unit: WorkUnit) -> UnitTask:
        return UnitTask(unit.model_dump_json(), root, (text,), seconds_between_states=0.0)

    with open_sweep(root) as (store, mended):
        engine = Engine(executor or Here(), at_once=2)
        drive(store, planner, engine, task, attempts=attempts, stopping=stopping)
    return mended


def table(root: Path) -> str:
    """The exported table."""
    return export_csv(read_contents(SweepFolder(root)).finished())


def drive_many(root: Path, text: Path, cells: int, steps: int, workers: int = 2) -> Outcome:
    """Run the sweep or go on with it; states are written often, and attempts are not counted."""
    return run_sweep(
        root,
        two_rounds(cells, steps=steps),
        ExecutorSettings(workers=workers),
        text=(text,),
        documents={"sweep.toml": f"cells = {cells}\nsteps = {steps}\n"},
        attempts=1_000_000,
        seconds_between_states=0.05,
    )


def command(root: Path, text: Path, cells: int, steps: int) -> list[str]:
    """The same as a process of its own, started where `tests` can be imported."""
    arguments = [str(root), str(text), str(cells), str(steps)]
    return [sys.executable, "-m", "tests.sweep.tiny_sweep", *arguments]


if __name__ == "__main__":
    outcome = drive_many(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    print(*outcome.mended, sep="\n")
    sys.exit(0 if outcome.complete else 1)
