"""What a planner sees and what it says: stored runs in, wanted units and decisions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from empirical.train.run_configuration import KernelPath, RunConfig, WorkUnit
from scaling_theory.estimate import Estimate


@dataclass(frozen=True)
class StoredRun:
    """A run that has ended, by itself or by diverging; a run that failed has no result.

    Attributes:
        unit: key of the unit in which it was computed. index: its place there.
        path: how the unit was computed.
        config: the whole run.
        diverged_at: the step at which divergence was seen, None if it was not.
        heldout_loss: after the last step, nats per token; None if the run diverged.
        start_loss: the same before the first step.
        loss_drop: start less end, paired by held-out sequence; None if the run diverged.
        seconds: wall time of the unit over its runs; a planner must not look at it.
    """

    unit: str
    index: int
    path: KernelPath
    config: RunConfig
    diverged_at: int | None
    heldout_loss: Estimate | None
    start_loss: Estimate
    loss_drop: Estimate | None
    seconds: float

    @property
    def diverged(self) -> bool:
        """Whether the run has no losses of its end."""
        return self.diverged_at is not None


@dataclass(frozen=True)
class Decision:
    """Why a cell got the learning rates of one round: the rule and the numbers it was made from.

    cell: name of the cell. round: counted from 0 in each cell. what: one sentence.
    """

    cell: str
    round: int
    what: str
    numbers: Mapping[str, float | str | None]


@dataclass(frozen=True)
class Plan:
    """Everything wanted so far.

    Attributes:
        units: in canonical order, the finished ones included.
        decisions: those made so far, in canonical order.
        complete: no further unit will ever be wanted.
    """

    units: tuple[WorkUnit, ...]
    decisions: tuple[Decision, ...]
    complete: bool


Planner = Callable[[Mapping[str, StoredRun]], Plan]
"""From run key -> stored run to a plan: a pure function.

More results never change what was planned before, and what a cell wants depends on the results of
that cell and of its declared neighbours only, so that nothing depends on which run ends first.
"""
