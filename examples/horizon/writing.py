"""The league as text, and the cells as a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from math import exp
from pathlib import Path

from empirical.judge.horizon_cells import HorizonCell
from empirical.judge.horizon_league import League

COLUMNS = (
    "start", "optimizer", "epsilon_ratio", "batch_size", "steps", "lr", "lr_low", "lr_high",
    "ln_lr_se", "curvature", "loss", "one_step", "run_law", "two_over_largest",
    "learning_rates", "runs",
)  # fmt: skip


def league_text(league: League) -> str:
    """Every scope and split: rms of ln eta, its interval, regret, and what is refuted."""
    lines = [
        f"{len(league.cells.identified)} cells with an optimum, {len(league.cells.others)} without"
    ]
    lines += [f"  {label}" for label in league.cells.others]
    for (scope, split), scores in league.scores.items():
        if not scores:
            continue
        lines.append(f"\none number for each {scope}; held out: {split}; {scores[0].cells} cells")
        for v in scores:
            low, high = v.rms_interval
            lines.append(
                f"  {v.candidate:28} rms {v.rms:.3f} ({low:.2f} to {high:.2f})  regret "
                f"{1e3 * v.regret:6.2f} mnat  {'refuted' if v.refuted else ''}".rstrip()
            )
    return "\n".join(lines)


def write_cells(cells: Sequence[HorizonCell], path: Path) -> None:
    """One row per cell, learning rates as they are, [ln_lr_se] of ln lr, losses in nats."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(_row(cell) for cell in cells)


def _row(cell: HorizonCell) -> list[str]:
    optimum = cell.optimum
    low, high = optimum.interval
    numbers = (
        cell.epsilon_ratio, cell.batch_size, cell.steps, exp(cell.ln_eta), low, high,
        optimum.ln_eta.standard_error if optimum.ln_eta else None,
        optimum.curvature.value if optimum.curvature else None,
        optimum.loss_at_optimum.value if optimum.loss_at_optimum else None,
        cell.one_step, cell.run_law, 2 / cell.point.largest if cell.point else None,
        optimum.learning_rates, optimum.runs,
    )  # fmt: skip
    return [cell.start, cell.optimizer, *("" if x is None else f"{x:.6g}" for x in numbers)]
