"""Loss over batch size and learning rate, slice by slice, with the optimum of each batch size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from statistics import median
from typing import Any

from empirical.judge.grid_losses import SAME_RATE
from empirical.judge.optimum_record import Status
from empirical.judge.run_record import Run
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import GridOptimum, losses_of
from empirical.report.explorer.scenes import UNITS
from empirical.report.numerals import plain, scientific

SHAPES = {
    Status.IDENTIFIED: "inside",
    Status.ABOVE: "above",
    Status.BELOW: "below",
    Status.STABILITY_EDGE: "edge",
    Status.NOT_IDENTIFIED: "unknown",
}
"""How each kind of answer is marked."""


@dataclass(frozen=True)
class Slice:
    """Runs that differ in batch size, learning rate and seed. epsilon: None where unstated."""

    group: str
    epsilon: float | None
    columns: tuple[GridOptimum, ...]


def slices(optima: Sequence[GridOptimum]) -> tuple[Slice, ...]:
    """One per group and epsilon, in the order of the table."""
    found: dict[tuple[str, float | None], list[GridOptimum]] = {}
    for each in optima:
        found.setdefault((each.grid.group, each.grid.eps), []).append(each)
    ordered = sorted(found, key=lambda key: key[1] or 0.0)
    groups = list(dict.fromkeys(each.grid.group for each in optima))
    ordered.sort(key=lambda key: groups.index(key[0]))
    return tuple(
        Slice(*key, tuple(sorted(found[key], key=lambda e: e.grid.batch.amount))) for key in ordered
    )


def surface_panel(table: RunTable, optima: Sequence[GridOptimum]) -> dict[str, Any]:
    """Everything that the panel draws, as plain JSON values."""
    kinds = {run.loss_kind for run in table.runs}
    shown = slices(optima)
    known = [sum(c.optimum.learning_rate is not None for c in each.columns) for each in shown]
    return {
        "unit": UNITS[table.unit],
        "loss_kind": (kinds.pop() if len(kinds) == 1 else "") or "loss",
        "slices": [_slice(each) for each in shown],
        # The one that says most comes first into view.
        "start": known.index(max(known)),
    }


def _slice(each: Slice) -> dict[str, Any]:
    noises = [c.optimum.noise.standard_deviation for c in each.columns if c.optimum.noise]
    label = each.group if each.epsilon is None else f"{each.group}, ε = {plain(each.epsilon)}"
    return {
        "label": label,
        "about": _about([run for column in each.columns for run in column.grid.runs]),
        "noise": median(noises) if noises else None,
        "columns": [_column(column) for column in each.columns],
    }


def _about(runs: Sequence[Run]) -> list[str]:
    """What all runs of the slice share, in words."""
    said = [f"{len(runs)} runs, {sum(run.diverged for run in runs)} of them diverged"]
    for name in ("model", "optimizer"):
        values = {getattr(run, name) for run in runs}
        if len(values) == 1 and "" not in values:
            said.append(f"{name}: {values.pop()}")
    for name, word in (("n_params", "parameters"), ("tokens", "tokens"), ("steps", "steps")):
        amounts = [getattr(run, name) for run in runs]
        if all(amounts) and max(amounts) < 1.02 * min(amounts):
            said.append(f"{median(amounts):,.0f} {word}")
    return said


def _column(found: GridOptimum) -> dict[str, Any]:
    grid, optimum = found.grid, found.optimum
    low, high = optimum.interval
    losses = losses_of(grid)
    trained = [
        {
            "rate": exp(x),
            "loss": float(loss),
            "runs": int(count),
            "diverged": sum(run.diverged and _same(run.lr, exp(x)) for run in grid.runs),
        }
        for x, loss, count in zip(losses.x, losses.loss, losses.counts, strict=True)
    ]
    lost: dict[float, int] = {}
    for run in grid.runs:
        if not any(_same(run.lr, cell["rate"]) for cell in trained):
            lost[run.lr] = lost.get(run.lr, 0) + 1
    gone = [
        {"rate": rate, "loss": None, "runs": 0, "diverged": count} for rate, count in lost.items()
    ]
    return {
        "batch_size": grid.batch.amount,
        "cells": sorted([*trained, *gone], key=lambda cell: cell["rate"]),
        "optimum": {
            "kind": SHAPES[optimum.status],
            "rate": optimum.learning_rate,
            "low": low if low > 0 else None,
            "high": high if isfinite(high) else None,
            "text": _said(found),
        },
    }


def _same(first: float, second: float) -> bool:
    return abs(log(first / second)) <= SAME_RATE


def _said(found: GridOptimum) -> str:
    optimum = found.optimum
    if optimum.learning_rate is None:
        return optimum.describe()
    low, high = optimum.interval
    return f"{scientific(optimum.learning_rate)} ({scientific(low)} to {scientific(high)})"
