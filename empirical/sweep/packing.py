"""Runs of one round of a group, packed into units in canonical order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from empirical.sweep.planned import Computing
from empirical.train.run_configuration import KernelPath, RunConfig, WorkUnit


def packed(runs: Sequence[RunConfig], computing: Computing) -> tuple[WorkUnit, ...]:
    """Units of at most `replicas` runs each, as equal in size as can be, in the order given.

    A run that a stack without kernels of its own leaves alone is computed as a single one.
    """
    if computing.path == "single":
        return tuple(WorkUnit(runs=(run,)) for run in runs)
    alone: KernelPath = "single" if computing.path == "stacked" else computing.path
    count = -(-len(runs) // computing.replicas)
    bounds = [round(place * len(runs) / count) for place in range(count + 1)]
    return tuple(
        WorkUnit(runs=tuple(runs[low:high]), path=computing.path if high - low > 1 else alone)
        for low, high in pairwise(bounds)
    )
