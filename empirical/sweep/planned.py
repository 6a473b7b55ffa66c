"""A sweep with everything that was looked up or measured when it was planned: `plan.json`.

From here on the plan is a pure function of the results: text and checkpoint by their hashes, cells
with their starts, and for every group how its runs are computed, measured once and then fixed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from empirical.atomic_files import write_atomically
from empirical.errors import UsageError
from empirical.settings import FrozenModel, PositiveInt
from empirical.sweep.cells import Cell
from empirical.sweep.configuration import SweepConfig
from empirical.train.configuration import NetworkConfig
from empirical.train.optimizer_configuration import OptimizerConfig
from empirical.train.run_configuration import (
    RESULTS_VERSION,
    KernelPath,
    RunConfig,
    StartConfig,
    canonical_json,
)

PLAN = "plan.json"
SCHEMA: Literal["scaling-theory/sweep-plan"] = "scaling-theory/sweep-plan"
VERSION: Literal[1] = 1

PLANNER_VERSION = 1
"""Raised whenever a change of the code makes the planner want other units, or other learning rates
of a cell, from the same results."""


class Computing(FrozenModel):
    """How the runs of a group are computed.

    replicas: in a unit at most. seconds: of one step of one run in such a unit, evaluation of the
    held-out sequences left out; None where it was not measured. evaluation: seconds of one
    evaluation of one run. tried: seconds by path and replicas, for the reader. compiled_missing:
    why stacks could not be compiled here, None where they could or nothing is stacked.
    """

    path: KernelPath
    replicas: PositiveInt
    seconds: float | None = None
    evaluation: float | None = None
    tried: dict[str, float] = Field(default_factory=dict)
    compiled_missing: str | None = None


class PlannedSweep(FrozenModel):
    """One sweep, ready to run.

    text: name of the text, for the reader. said: what was rounded or clamped. computing: by group.
    planner_version: of the planner that it was made for; 1 where a plan does not say.
    """

    config: SweepConfig
    network: NetworkConfig
    text: str
    text_sha256: str
    start: StartConfig
    cells: tuple[Cell, ...]
    computing: dict[str, Computing]
    said: tuple[str, ...] = ()
    results_version: int = RESULTS_VERSION
    planner_version: int = 1

    @property
    def groups(self) -> dict[str, tuple[Cell, ...]]:
        """Cells by group, in canonical order."""
        names = dict.fromkeys(cell.group for cell in self.cells)
        return {name: tuple(c for c in self.cells if c.group == name) for name in names}


def other_planner(planned: PlannedSweep) -> tuple[str, ...]:
    """A line where the plan was made for another version of the planner, and what to do."""
    if planned.planner_version == PLANNER_VERSION:
        return ()
    return (
        f"the plan was made for version {planned.planner_version} of the planner, this program has "
        f"version {PLANNER_VERSION}: results are kept, but what is computed next may be chosen "
        "otherwise; to go on as planned use the program that planned it, to plan anew name another "
        "folder with out",
    )


def run_of(planned: PlannedSweep, cell: Cell, rate: float, seed: int) -> RunConfig:
    """One run of a cell."""
    config = planned.config
    return RunConfig(
        network=planned.network,
        text_sha256=planned.text_sha256,
        start=planned.start,
        optimizer=cell.optimizer,
        learning_rate=rate,
        schedule=config.schedule,
        batch_size=cell.batch_size,
        steps=cell.steps,
        seed=seed,
        heldout_sequences=config.heldout_sequences,
        heldout_seed=config.heldout_seed,
        dtype=config.dtype,
        device=config.device,
        diverged_above=config.diverged_above,
    )


def cells_of_runs(planned: PlannedSweep) -> Callable[[RunConfig], Cell | None]:
    """The cell that a run belongs to, None if it is of another sweep."""
    known = {
        (_written(cell.optimizer), cell.batch_size, cell.steps): cell for cell in planned.cells
    }
    return lambda run: known.get((_written(run.optimizer), run.batch_size, run.steps))


def _written(optimizer: OptimizerConfig) -> str:
    return canonical_json(optimizer.model_dump(mode="json"))


def encode_plan(planned: PlannedSweep) -> str:
    """The plan as JSON with its own checksum."""
    return json.dumps(_record(planned), indent=1, allow_nan=False) + "\n"


def decode_plan(text: str, source: str) -> PlannedSweep:
    """The inverse; UsageError where the text is torn, changed, or of another version."""
    again = "plan again with: scaling-theory sweep plan FILE"
    try:
        record = json.loads(text)
        if record["schema"] != SCHEMA or record["schema_version"] != VERSION:
            raise UsageError(
                f"{source} is {record['schema']} version {record['schema_version']}, wanted "
                f"{SCHEMA} version {VERSION}; {again}"
            )
        if record["sha256"] != _checksum(record["plan"]):
            raise UsageError(f"{source} was changed after it was written; {again}")
        planned = PlannedSweep.model_validate(record["plan"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{source} is torn or no plan ({type(error).__name__}); {again}") from None
    if planned.results_version != RESULTS_VERSION:
        raise UsageError(
            f"{source} was made for results of version {planned.results_version}, this program "
            f"gives version {RESULTS_VERSION}; {again}"
        )
    return planned


def write_plan(folder: Path, planned: PlannedSweep) -> Path:
    """Write `plan.json`, whole or not at all; OSError where that is not possible."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN
    write_atomically(path, encode_plan(planned).encode())
    return path


def read_plan(folder: Path) -> PlannedSweep | None:
    """The plan in a folder, None if there is none; UsageError where it cannot be believed."""
    path = folder / PLAN
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); plan again or restore it") from None
    return decode_plan(text, str(path))


def _record(planned: PlannedSweep) -> dict[str, object]:
    body = planned.model_dump(mode="json", by_alias=True)
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "sha256": _checksum(body),
        "plan": body,
    }


def _checksum(body: object) -> str:
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()
