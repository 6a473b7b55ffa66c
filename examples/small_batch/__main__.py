"""The verdicts on the claims from the exported tables, as CSV and on the terminal.

    python -m examples.small_batch [--data notebooks/data]      # from the root of the repository

Reads small_batch_*.csv and writes beside them small_batch_best.csv, the loss at the best learning
rate of every cell, small_batch_robustness.csv and small_batch_verdicts.csv. Nothing is trained: the
commands for that stand at the heads of the files in this folder.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from empirical.judge.seed_spread import pooled_spread
from empirical.judge.verdict import Outcome, alike
from examples.small_batch import tables
from examples.small_batch.claims import Finding, batch_claims, robustness_claim, scale_claims
from examples.small_batch.comparison import Cells, best_loss, widths
from examples.small_batch.robustness import off_by_four

BEST = (
    "study", "text", "optimizer", "batch_size", "lr", "lr_low", "lr_high", "status", "loss",
    "loss_low", "loss_high", "octaves_within_0.1", "runs",
)  # fmt: skip
ROBUSTNESS = ("text", "batch_size", "setting", "factor", "rise", "rise_se", "diverged")
VERDICTS = (
    "claim", "source", "criterion", "text", "value", "low", "high", "verdict", "overall",
)  # fmt: skip
WORDS = {
    Outcome.AGREES: "reproduced",
    Outcome.DISAGREES: "not reproduced",
    Outcome.CANNOT_TELL: "inconclusive",
}
"""What is said of a paper's claim."""

Row = Sequence[object]


def main() -> int:
    """Judge, write, print."""
    parser = argparse.ArgumentParser(description="Verdicts on the claims.")
    parser.add_argument("--data", type=Path, default=Path("notebooks/data"))
    data = parser.parse_args().data
    best: list[Row] = []
    found: list[tuple[str, Finding]] = []
    batches = {text: tables.against_batch(data, text) for text in tables.TEXTS}
    for text, cells in batches.items():
        like = tuple(batches.values())
        best += _best("batch size", text, cells, like)
        found += [(text, each) for each in batch_claims(cells, like)]
    rows, findings = _robustness(data)
    found += findings
    scaled = {text: tables.per_tensor(data, text) for text in tables.TEXTS}
    for text, cells in scaled.items():
        like = tuple(scaled.values())
        best += _best("per tensor", text, cells, like)
        found += [(text, each) for each in scale_claims(cells, 16, like)]
    digits = tables.digits(data)
    best += _best("per tensor", "digits", digits, (digits,))
    found += [("digits", each) for each in scale_claims(digits, batch=64)]
    _write(data / "small_batch_best.csv", BEST, best)
    _write(data / "small_batch_robustness.csv", ROBUSTNESS, rows)
    verdicts = _verdicts(found)
    _write(data / "small_batch_verdicts.csv", VERDICTS, verdicts)
    for claim, _, _, text, value, low, high, verdict, overall in verdicts:
        print(f"{overall:<16} {text:<7} {value} ({low} to {high}): {verdict}; {claim}")
    return 0


def _best(study: str, text: str, cells: Cells, like: Sequence[Cells]) -> list[Row]:
    rows: list[Row] = []
    for (name, batch), cell in cells.items():
        optimum = cell.optimum
        rate = optimum.learning_rate or optimum.best_tried
        loss = best_loss(cells, (name, batch), like)
        rows.append(
            (study, text, name, batch, _digits(rate or 0.0), *map(_digits, optimum.interval),
             optimum.status.value, *(f"{x:.4f}" for x in (loss.value, loss.low, loss.high)),
             f"{np.mean(widths(cell)):.2f}", optimum.runs)
        )  # fmt: skip
    return rows


def _robustness(data: Path) -> tuple[list[Row], list[tuple[str, Finding]]]:
    every = {
        (text, batch): tables.robustness(data, text, batch)
        for text in tables.TEXTS
        for batch in (tables.SMALL, tables.LARGE)
    }
    rows: list[Row] = []
    for (text, batch), offs in every.items():
        for off in offs:
            rises = list(off.rise.values())
            error = float(np.std(rises, ddof=1)) / len(rises) ** 0.5
            rows.append(
                (text, batch, off.setting, _digits(off.factor), f"{np.mean(rises):.4f}",
                 f"{error:.4f}", len(off.diverged))
            )  # fmt: skip
    spread = pooled_spread([off_by_four(offs) for offs in every.values()])
    found = [
        (
            text,
            robustness_claim(
                off_by_four(every[text, tables.SMALL]),
                off_by_four(every[text, tables.LARGE]),
                spread,
            ),
        )
        for text in tables.TEXTS
    ]
    return rows, found


def _verdicts(found: Sequence[tuple[str, Finding]]) -> list[Sequence[str]]:
    """One row per claim, text and number; overall: what the texts agree on, images apart."""
    rows: list[Sequence[str]] = []
    for text, finding in found:
        same = [
            other.outcome
            for where, other in found
            if other.claim == finding.claim and (where == "digits") == (text == "digits")
        ]
        for number in finding.numbers:
            shown = (f"{x:+.3f}" for x in (number.value, number.low, number.high))
            rows.append(
                (finding.claim, finding.source, finding.criterion, text, *shown,
                 WORDS[finding.outcome], WORDS[alike(same)])
            )  # fmt: skip
    return rows


def _digits(number: float) -> str:
    return f"{number:.4g}"


def _write(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
