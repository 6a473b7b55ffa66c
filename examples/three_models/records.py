"""What one model gives: rows and a summary, as plain values; a table, CSV and JSON of them."""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

TOLERANCE = 0.10
"""Set before the first run: median |predicted / measured - 1| of a model, and AdamW's."""


@dataclass(frozen=True)
class Row:
    """One prediction beside its measurement; learning rates; None where there is none.

    rule: "softsign", "adamw: line search" (truth: the loss itself along real steps) or "adamw:
    ratio" (truth: E[u]^T g / E[u^T H u] of real steps). batch_size: samples. epsilon_ratio:
    epsilon over the rms sigma of one sample. epsilon: inside the root for softsign, outside for
    AdamW. measured with its 95 % interval; correlated: the prediction, with its standard error
    (AdamW's has no other closure). tails: whether a batch of this size is Gaussian.
    """

    model: str
    rule: str
    batch_size: int
    epsilon_ratio: float | None
    epsilon: float
    measured: float | None
    interval: tuple[float, float] | None
    measured_status: str
    correlated: float | None
    correlated_error: float | None
    independent: float | None
    tails: str

    @property
    def off(self) -> float | None:
        """correlated / measured - 1."""
        return _off(self.correlated, self.measured)

    @property
    def independent_off(self) -> float | None:
        """independent / measured - 1."""
        return _off(self.independent, self.measured)


@dataclass(frozen=True)
class Summary:
    """One model: what was measured, what is judged, and what it cost.

    noise_batch: B_simple. median, worst: of |correlated / measured - 1|; unanswered: cells in
    which prediction or measurement has no learning rate. adamw: predicted / line search - 1.
    """

    model: str
    parameters: int
    samples: int
    steps: int
    first_loss: float
    last_loss: float
    noise_batch: float | None
    excess_kurtosis: float
    median: float | None
    worst: float | None
    independent_median: float | None
    unanswered: int
    adamw: float | None
    wall_seconds: float
    core_seconds: float
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Within the tolerance in all that is judged; a cell without an answer is no success."""
        judged = (self.median, self.adamw)
        return not self.unanswered and all(x is not None and abs(x) <= TOLERANCE for x in judged)


def _off(predicted: float | None, measured: float | None) -> float | None:
    return predicted / measured - 1 if predicted is not None and measured is not None else None


def lines_of(rows: Sequence[Row], summary: Summary) -> Iterator[str]:
    """One model for the terminal."""
    yield f"{summary.model}: {summary.parameters} parameters, pool of {summary.samples}, " + (
        f"{summary.steps} steps of AdamW, loss {summary.first_loss:.3f} to {summary.last_loss:.3f}"
    )
    yield f"{'':20}{'B':>5} {'ε/σ':>5} {'measured η*':>11}  {'95 % interval':<22}" + (
        f"{'correlated':>10} {'off':>7}  {'independent':>11} {'off':>8}"
    )
    yield from map(line_of, rows)
    yield (
        f"median |off| {_percent(summary.median)}, worst {_percent(summary.worst)}, "
        f"independent {_percent(summary.independent_median)}; AdamW {_percent(summary.adamw)}; "
        f"{'within' if summary.passed else 'NOT within'} {TOLERANCE:.0%}; "
        f"{summary.wall_seconds:.0f} s, {summary.core_seconds / 60:.1f} core-minutes"
    )
    for note in summary.notes:
        yield f"note: {note}"


def line_of(row: Row) -> str:
    """One row of the table."""
    ratio = "" if row.epsilon_ratio is None else f"{row.epsilon_ratio:g}"
    span = "-" if row.interval is None else "{:.3g} to {:.3g}".format(*row.interval)
    return (
        f"{row.rule:<20}{row.batch_size:>5} {ratio:>5} {_number(row.measured):>11}  {span:<22}"
        f"{_number(row.correlated):>10} {_percent(row.off):>7}  "
        f"{_number(row.independent):>11} {_percent(row.independent_off):>8}"
        + ("" if row.measured_status == "ok" else f"  {row.measured_status}")
        + ("" if row.tails == "Gaussian" else "  heavy tails")
    )


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """All rows, with the two errors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(_flat(rows[0])), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            flat = _flat(row).items()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in flat})


def _flat(row: Row) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    return {
        "model": row.model,
        "rule": row.rule,
        "batch_size": row.batch_size,
        "epsilon_ratio": row.epsilon_ratio,
        "epsilon": row.epsilon,
        "measured": row.measured,
        "low": low,
        "high": high,
        "measured_status": row.measured_status,
        "correlated": row.correlated,
        "correlated_error": row.correlated_error,
        "correlated_off": row.off,
        "independent": row.independent,
        "independent_off": row.independent_off,
        "tails": row.tails,
    }


def record_of(rows: Sequence[Row], summaries: Sequence[Summary], seed: int) -> dict[str, Any]:
    """Everything as plain JSON."""
    import torch
    import transformers

    return {
        "schema": "scaling-theory/three-models",
        "schema_version": 1,
        "tolerance": TOLERANCE,
        "seed": seed,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "models": [{**asdict(s), "passed": s.passed} for s in summaries],
        "rows": [_flat(row) for row in rows],
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:+.1%}"
