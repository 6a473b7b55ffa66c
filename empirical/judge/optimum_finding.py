"""What a method says of one grid, before edges and divergence are weighed in."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

from empirical.judge.optimum_record import Regret
from scaling_theory.estimate import Estimate

INTERVAL_WIDTH = 3.92
"""Width of a 95 % interval of a normal, in standard errors."""

Tendency = Literal["turns", "falls", "rises", "unclear"]


@dataclass(frozen=True)
class Finding:
    """The turn of the curve as a method sees it.

    Attributes:
        tendency: "turns" from falling to rising; "falls" or "rises" up to an edge of the grid;
            "unclear".
        middle: ln eta of the minimum, None unless it turns.
        low, high: 95 % bounds of it, infinite where the method gives none.
        loss, curvature, regret: at the minimum, as in `Optimum`.
        inflation: what the noise level was multiplied by on the way, >= 1.
        notes: what was noticed.
    """

    tendency: Tendency
    middle: float | None = None
    low: float = -inf
    high: float = inf
    loss: Estimate | None = None
    curvature: Estimate | None = None
    regret: tuple[Regret, ...] = ()
    inflation: float = 1.0
    notes: tuple[str, ...] = ()


def error_of(low: float, high: float) -> float:
    """Standard error of a normal with these 95 % bounds."""
    return float((high - low) / INTERVAL_WIDTH)
