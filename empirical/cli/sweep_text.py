"""What the verbs of `sweep` print: records as plain JSON, and their text for the terminal."""

from __future__ import annotations

import os
from collections import Counter
from math import inf, isfinite
from pathlib import Path
from typing import Any

from empirical.cli.sweep_progress import at_work_lines, unit_record
from empirical.cli.sweep_units import duration, si
from empirical.sweep.at_work import stored_at_work
from empirical.sweep.configuration import ExecutorSettings
from empirical.sweep.contents import read_contents
from empirical.sweep.cost import Cost, sweep_cost
from empirical.sweep.folder import SweepFolder
from empirical.sweep.lock import driver_at_work
from empirical.sweep.parameter_count import parameter_count
from empirical.sweep.planned import PlannedSweep, other_planner
from empirical.sweep.standing import CellStanding, standing


def plan_record(planned: PlannedSweep) -> dict[str, Any]:
    """A plan: cells, how they are computed, cost."""
    cost = sweep_cost(planned)
    config, ways = planned.config, planned.computing.values()
    return {
        "schema": "scaling-theory/sweep-plan-summary",
        "schema_version": 1,
        "out": str(config.out),
        "text": planned.text,
        "text_sha256": planned.text_sha256,
        "parameters": parameter_count(planned.network),
        "seeds": list(config.seeds),
        "adaptive": config.learning_rates.adaptive is not None,
        "cells": [
            {
                "name": cell.name,
                "batch_size": cell.batch_size,
                "epsilon": cell.epsilon,
                "steps": cell.steps,
                "tokens": cell.steps * cell.batch_size * planned.network.context,
                "start": cell.start,
                "starts_from": cell.neighbour,
                "predicted_one_step": cell.predicted,
                "learning_rates": list(cell.grid),
            }
            for cell in planned.cells
        ],
        "computing": {name: way.model_dump(mode="json") for name, way in planned.computing.items()},
        "cost": {
            "least": _cost(cost.least),
            "expected": _cost(cost.expected),
            "most": _cost(cost.most),
        },
        "workers": _workers(config.executor),
        "compiled_missing": next(filter(None, (w.compiled_missing for w in ways)), None),
        "planner_version": planned.planner_version,
        "said": [*planned.said, *other_planner(planned)],
    }


def _workers(executor: ExecutorSettings) -> int | None:
    """Units at once; None where the engine decides."""
    if executor.name != "local" or executor.workers is not None:
        return executor.workers
    return max(1, (os.cpu_count() or 1) // executor.cpus)


def plan_text(record: dict[str, Any], next_command: str, out: Path) -> str:
    """A plan for the terminal."""
    cells = record["cells"]
    lines = [
        f"{len(cells)} cells, {len(record['seeds'])} seeds, {record['parameters']} parameters, "
        f"text {record['text']} ({record['text_sha256'][:8]})",
        "",
        f"  {'cell':<44} {'steps':>7} {'tokens':>10}  learning rates",
    ]
    for cell in cells:
        lines.append(
            f"  {cell['name']:<44} {cell['steps']:>7} {si(cell['tokens']):>10}  {_rates(cell)}"
        )
    lines += ["", f"  {'computed as':<44} seconds per step of a run"]
    for name, way in record["computing"].items():
        kind = f"{way['path']}, {way['replicas']} together"
        speed = "not measured" if way["seconds"] is None else f"{way['seconds']:.3g}"
        rivals = ", ".join(f"{k}: {v:.3g}" for k, v in way["tried"].items())
        lines.append(f"  {name:<44} {kind}, {speed}{f'  ({rivals})' if rivals else ''}")
    missing = record["compiled_missing"]
    lines += [f"  no compiled stacks were tried: {missing}"] if missing else []
    lines += ["", *(f"note: {said}" for said in record["said"]), *_cost_lines(record)]
    return "\n".join([*lines, f"next: {next_command}   (into {out})"])


def _rates(cell: dict[str, Any]) -> str:
    grid = cell["learning_rates"]
    if grid:
        return f"{len(grid)} from {grid[0]:.3g} to {grid[-1]:.3g}"
    if cell["start"] is not None:
        return f"from {cell['start']:.3g} on"
    return f"from the optimum of {cell['starts_from']}"


def _cost_lines(record: dict[str, Any]) -> list[str]:
    least, expected, most = (record["cost"][name] for name in ("least", "expected", "most"))
    if least == most:
        return [f"cost: {_words(expected, record['workers'])}"]
    return [
        f"cost expected: {_words(expected, record['workers'])}",
        f"at least: {_words(least, record['workers'])}; if every cell goes to its limits: "
        f"{_words(most, record['workers'])}",
    ]


def _words(cost: dict[str, Any], workers: int | None) -> str:
    seconds = cost["core_seconds"]
    if seconds is None:
        time = "hours not measured for this executor"
    elif workers is None or workers == 1:
        time = f"{duration(seconds)} of one worker"
    else:
        shared = duration(seconds / workers)
        time = f"{duration(seconds)} of one worker, at best {shared} of {workers}"
    return f"{cost['runs']} runs, {si(cost['tokens'])} tokens, {si(cost['flops'])} FLOPs, {time}"


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "runs": cost.runs,
        "tokens": cost.tokens,
        "flops": cost.flops,
        "core_seconds": cost.core_seconds,
        "core_hours": None if cost.core_seconds is None else cost.core_seconds / 3600,
    }


def status_record(root: Path, planned: PlannedSweep) -> dict[str, Any]:
    """How far a sweep is."""
    folder = SweepFolder(root)
    contents = read_contents(folder)
    found = standing(planned, contents.finished())
    return {
        "schema": "scaling-theory/sweep-status",
        "schema_version": 1,
        "folder": str(root),
        "states": dict(sorted(Counter(row.state for row in contents.runs.values()).items())),
        "cells": len(found.cells),
        "cells_ended": found.ended,
        "runs": found.runs,
        "runs_expected": found.expected,
        "diverged": found.diverged,
        "failed": [
            {"run": row.key, "unit": row.unit, "attempts": row.failures, "reason": row.error}
            for row in contents.runs.values()
            if row.state == "failed"
        ],
        "optima": [_optimum(cell) for cell in found.cells],
        "worker_seconds_left": found.seconds_left,
        "driver_at_work": driver_at_work(folder),
        "at_work": [unit_record(unit) for unit in stored_at_work(folder, contents)],
        "complete": found.complete,
        "said": list(other_planner(planned)),
        "damage": {str(path): why for path, why in contents.damage.items()},
    }


def _optimum(found: CellStanding) -> dict[str, Any]:
    optimum = found.optimum
    low, high = optimum.interval if optimum else (0.0, inf)
    return {
        "cell": found.cell.name,
        "runs": len(found.runs),
        "ended": found.ended,
        "at_its_limits": found.gave_up,
        "status": optimum.status.value if optimum else "no runs",
        "learning_rate": optimum.learning_rate if optimum else None,
        "low": low if low > 0 else None,
        "high": high if isfinite(high) else None,
        "best_tried": optimum.best_tried if optimum else None,
    }


def status_text(record: dict[str, Any]) -> str:
    """The same for the terminal, with the next command."""
    states = ", ".join(f"{count} {state}" for state, count in record["states"].items())
    lines = [
        f"{record['cells_ended']} of {record['cells']} cells have ended; runs: {states or 'none'}"
    ]
    left = record["worker_seconds_left"]
    if not record["complete"] and left is not None:
        lines.append(
            f"about {record['runs_expected'] - record['runs']} runs are left, {duration(left)} of "
            "one worker"
        )
    lines += [f"note: {said}" for said in record["said"]]
    lines += at_work_lines(record["at_work"], record["driver_at_work"])
    reasons = Counter(entry["reason"].splitlines()[0] for entry in record["failed"])
    lines += [f"failed, {count} runs: {reason}" for reason, count in reasons.items()]
    lines += [f"damaged: {path}: {why}" for path, why in record["damage"].items()]
    return "\n".join([*lines, *_optima_lines(record["optima"]), _next(record)])


def _optima_lines(optima: list[dict[str, Any]]) -> list[str]:
    width = max(len(found["cell"]) for found in optima)
    lines = ["", f"  {'cell':<{width}}  runs  best learning rate (95 % interval)"]
    for found in optima:
        rate, low, high = found["learning_rate"], found["low"], found["high"]
        if rate is None:
            answer = found["status"]
            tried = found["best_tried"]
            answer += f"; best tried {tried:.3g}" if tried else ""
        else:
            shown = (f"{x:.3g}" if x is not None else "open" for x in (low, high))
            answer = f"{rate:.3g} ({' to '.join(shown)})"
        more = "" if found["ended"] else ", goes on"
        more += ", at its limits" if found["at_its_limits"] else ""
        lines.append(f"  {found['cell']:<{width}}  {found['runs']:>4}  {answer}{more}")
    return [*lines, ""]


def outcome_text(record: dict[str, Any]) -> str:
    """How a drive ended."""
    return "\n".join([*record["mended"], status_text(record)])


def _next(record: dict[str, Any]) -> str:
    folder = record["folder"]
    if record["driver_at_work"]:
        return f"a driver is at work; it stops cleanly with: touch {folder}/stop"
    if record["failed"]:
        return f"next: scaling-theory sweep retry {folder}, then sweep resume {folder}"
    if record["complete"]:
        return f"results are in {folder}; next: scaling-theory sweep export {folder}"
    return f"next: scaling-theory sweep resume {folder}"
