"""From the optima of a table of runs to those that laws are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, log

import numpy as np

from empirical.errors import UsageError
from empirical.judge.fit_data import Array, Optima
from empirical.judge.optimum_record import Optimum, Status
from empirical.judge.run_record import Run
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import GridOptimum
from scaling_theory.transfer.situation import Hold
from scaling_theory.units import Unit

SAME = 0.02
"""Totals this close are one: whole batches never fill a budget exactly."""

SHARED = 1.1
"""Largest over smallest total of runs that are said to share it."""


@dataclass(frozen=True)
class TableForFit:
    """optima: to fit. cells: in their order. unused: cells that say nothing about a side.

    held_fixed: what the runs of a group share over batch sizes; held_note: why that is not sure,
    "" where it is. unit, sequence_length, source, sha256: of the table.
    """

    optima: Optima
    cells: tuple[GridOptimum, ...]
    unused: tuple[GridOptimum, ...]
    held_fixed: Hold
    unit: Unit
    sequence_length: int | None
    source: str
    sha256: str
    held_note: str = ""


def table_for_fit(table: RunTable, found: Sequence[GridOptimum], n_params: str = "") -> TableForFit:
    """The optima of `table` as arrays; those beyond their grids as bounds.

    n_params: an extra column to take the number of parameters from, such as the active ones.
    Raises `UsageError` where no optimum lies inside its grid, or there is no such column.
    """
    used = sorted((each for each in found if _usable(each.optimum)), key=_order)
    if not any(each.optimum.status is Status.IDENTIFIED for each in used):
        raise UsageError(
            f"no optimum inside its grid among {len(found)} of {table.source}: "
            "at least 4 learning rates round the minimum of each batch size are wanted"
            + "".join(f"; {line}" for line in table.why_rejected(2))
        )
    held, note = _held(used)
    lengths = {run.batch.sequence_length for run in table.runs}
    return TableForFit(
        optima=_renamed(_arrays(used), n_params),
        cells=tuple(used),
        unused=tuple(each for each in found if not _usable(each.optimum)),
        held_fixed=held,
        held_note=note,
        unit=table.unit,
        sequence_length=lengths.pop() if len(lengths) == 1 else None,
        source=table.source,
        sha256=table.sha256,
    )


def _renamed(optima: Optima, n_params: str) -> Optima:
    if not n_params:
        return optima
    if n_params not in optima.covariates:
        known = ", ".join(optima.covariates)
        raise UsageError(f"no column {n_params} of positive numbers; one of {known} is wanted")
    covariates = dict(optima.covariates)
    covariates["n_params"] = covariates.pop(n_params)
    return replace(optima, covariates=covariates)


def _usable(optimum: Optimum) -> bool:
    return optimum.ln_eta is not None or side_of(optimum) != 0


def side_of(optimum: Optimum) -> int:
    """-1 where only an upper bound of the optimum is known, +1 a lower one, else 0."""
    if optimum.ln_eta is not None:
        return 0
    below, above = (isfinite(bound) for bound in optimum.bounds)
    if optimum.status is Status.STABILITY_EDGE:
        # Its upper bound is where runs diverge, which is no measurement of the optimum.
        above = False
    return 0 if below == above else 1 if below else -1


def _order(each: GridOptimum) -> tuple[float, float, str, float, float]:
    """Groups by parameters, then tokens, then name; then batch size and epsilon."""
    run = each.grid.runs[0]
    # Rounded: tokens differ a little between the batch sizes of one group.
    tokens = round(log(run.tokens), 1) if run.tokens else 0.0
    amount, eps = each.grid.batch.amount, each.grid.eps or 0.0
    return run.n_params or 0.0, tokens, each.grid.group, amount, eps


def _arrays(cells: list[GridOptimum]) -> Optima:
    groups = tuple(dict.fromkeys(each.grid.group for each in cells))
    optima = [each.optimum for each in cells]
    errors = [each.ln_eta.standard_error for each in optima if each.ln_eta is not None]
    sharpness = float(np.median(errors))
    rates, widths, sides = [], [], []
    for each in optima:
        side = side_of(each)
        sides.append(side)
        if each.ln_eta is not None:
            rates.append(each.ln_eta.value)
            widths.append(each.ln_eta.standard_error)
        else:
            rates.append(each.bounds[0 if side > 0 else 1])
            widths.append(sharpness)
    curvatures = [np.nan if each.curvature is None else each.curvature.value for each in optima]
    return Optima(
        group=np.array([groups.index(each.grid.group) for each in cells], dtype=np.int64),
        groups=groups,
        log_batch=np.log([each.grid.batch.amount for each in cells]),
        log_rate=np.array(rates, dtype=float),
        standard_error=np.array(widths, dtype=float),
        side=np.array(sides, dtype=np.int64),
        curvature=np.array(curvatures, dtype=float),
        covariates=_covariates(cells),
    )


def _covariates(cells: list[GridOptimum]) -> dict[str, Array]:
    """Numbers that all runs of a grid share: n_params, tokens, steps, epsilon, and extras."""
    found: dict[str, Array] = {}
    for name in ("n_params", "tokens", "steps", "eps"):
        each = [_one([getattr(run, name) for run in cell.grid.runs]) for cell in cells]
        known = [value for value in each if value is not None]
        if len(known) == len(cells) and (name == "eps" or min(known) > 0):
            found["epsilon" if name == "eps" else name] = np.array(known)
    names = {name for cell in cells for run in cell.grid.runs for name in run.extras or {}}
    for name in sorted(names):
        each = [_one([_number(run.extra(name)) for run in cell.grid.runs]) for cell in cells]
        known = [value for value in each if value is not None]
        if len(known) == len(cells) and min(known) > 0:
            found[name] = np.array(known)
    if "tokens" in found:
        found["tokens"] = _group_means(cells, found["tokens"])
    return found


def _group_means(cells: list[GridOptimum], values: Array) -> Array:
    """The geometric mean over a group where its members agree, else the values themselves."""
    means = values.copy()
    for group in {cell.grid.group for cell in cells}:
        inside = np.array([cell.grid.group == group for cell in cells])
        own = values[inside]
        if own.max() / own.min() < 1 + SAME:
            means[inside] = np.exp(np.mean(np.log(own)))
    return means


def _one(values: Sequence[float | None]) -> float | None:
    """The mean of numbers that agree within `SAME`; None where one is missing or differs."""
    known = [value for value in values if value is not None and isfinite(value)]
    if len(known) < len(values) or max(known) > min(known) * (1 + SAME):
        return None
    return float(np.mean(known))


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _held(cells: list[GridOptimum]) -> tuple[Hold, str]:
    """What varies least within the groups, tokens or steps, or one step; and why it is not sure."""
    runs = [run for cell in cells for run in cell.grid.runs]
    if all(run.steps == 1 for run in runs):
        return "one-step", ""
    spreads = {name: max(_spreads(runs, name)) for name in ("tokens", "steps")}
    held: Hold = "steps" if spreads["steps"] < spreads["tokens"] else "tokens"
    places = {(cell.grid.group, cell.grid.batch.amount) for cell in cells}
    if max(spreads.values()) <= SHARED and len(places) > len({group for group, _ in places}):
        came = "tokens and steps are both the same over batch sizes of a group, which cannot be"
    elif spreads[held] <= SHARED:
        return held, ""
    else:
        words = (
            f"{name} differ by a factor of {spread:.3g} inside a group"
            if isfinite(spread)
            else f"{name} of some runs are not stated"
            for name, spread in spreads.items()
        )
        came = " and ".join(words)
    return held, f"{came}: what is held is not known, {held} are taken to be"


def _spreads(runs: list[Run], name: str) -> list[float]:
    """Largest over smallest per group; infinite where a run does not say."""
    found = []
    for group in {run.group for run in runs}:
        own = [getattr(run, name) for run in runs if run.group == group]
        known = [value for value in own if value]
        found.append(max(known) / min(known) if len(known) == len(own) else inf)
    return found
