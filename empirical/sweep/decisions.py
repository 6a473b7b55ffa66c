"""A move of the bracket as it is recorded: one sentence and the numbers that it was made from."""

from __future__ import annotations

from math import isfinite, log

from empirical.sweep.bracket import Move
from empirical.sweep.lattice import learning_rate
from empirical.sweep.plan_record import Decision


def decision_of(cell: str, number: int, move: Move, start: int) -> Decision:
    """The record of one move; an end of the interval that is not bounded is "open"."""
    numbers: dict[str, float | str | None] = {"rule": move.rule}
    if number == 0:
        numbers["start"] = learning_rate(start)
    if move.wanted:
        numbers["learning_rates"] = " ".join(f"{learning_rate(p):g}" for p, _ in move.wanted)
        numbers["seeds"] = " ".join(str(seed) for _, seed in move.wanted)
    optimum = move.optimum
    if optimum is not None:
        low, high = optimum.interval
        numbers |= {
            "status": optimum.status.value,
            "best_tried": optimum.best_tried,
            "learning_rate": optimum.learning_rate,
            "low": low if low > 0 else "open",
            "high": high if isfinite(high) else "open",
            "runs": optimum.runs,
            "noise": optimum.noise.standard_deviation if optimum.noise else None,
        }
        if low > 0 and isfinite(high):
            numbers["width_octaves"] = log(high / low) / log(2)
    if move.expected_width is not None and isfinite(move.expected_width):
        numbers["expected_width_octaves"] = move.expected_width
    return Decision(cell, number, move.what, numbers)
