"""What a grid of learning rates says about the best one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, isfinite

from empirical.judge.noise_level import NoiseLevel
from scaling_theory.estimate import Estimate


class Status(StrEnum):
    """The kinds of answer; only the first one has a number."""

    IDENTIFIED = "identified"
    ABOVE = "optimum beyond the grid, above"
    BELOW = "optimum beyond the grid, below"
    STABILITY_EDGE = "optimum between the largest learning rate that trains and divergence"
    NOT_IDENTIFIED = "not identified"


@dataclass(frozen=True)
class Regret:
    """The cost of using factor * eta* instead of eta*, in the unit of the loss.

    cost: None where it was not measured. diverges: runs diverge there.
    """

    factor: float
    cost: Estimate | None
    diverges: bool


@dataclass(frozen=True)
class Optimum:
    """The learning rate of least loss on one grid, with its 95 % interval, or why it is unknown.

    Attributes:
        status: which kind of answer it is; `reason` says more in one line, "" if nothing to add.
        ln_eta: ln of the optimal learning rate; its standard error is the width of the interval
            over 3.92. None unless the status is IDENTIFIED.
        bounds: 95 % bounds of ln eta*, each end missed with probability 2.5 %; an end is infinite
            where the grid does not bound it. Present for every status.
        loss_at_optimum: nats, None unless IDENTIFIED; seeds averaged over, so that its error does
            not hold the spread between seeds.
        curvature: d^2 L / d(ln eta)^2 at the optimum, nats, None unless IDENTIFIED.
        regret: cost of missing the optimum by factors 1/4, 1/2, 2, 4; empty unless IDENTIFIED.
        best_tried: learning rate of the lowest measured loss; None if no run trained.
        noise: noise level used, None if it could not be had.
        learning_rates: how many that trained; runs: all of them; censored: those that diverged.
        method: "quadratic" or "convex"; notes: what was noticed on the way.
    """

    status: Status
    reason: str
    ln_eta: Estimate | None
    bounds: tuple[float, float]
    loss_at_optimum: Estimate | None
    curvature: Estimate | None
    regret: tuple[Regret, ...]
    best_tried: float | None
    noise: NoiseLevel | None
    learning_rates: int
    runs: int
    censored: int
    method: str
    notes: tuple[str, ...] = ()

    @property
    def learning_rate(self) -> float | None:
        """eta*, None unless IDENTIFIED."""
        return None if self.ln_eta is None else exp(self.ln_eta.value)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of eta*; 0 or inf where the grid does not bound it."""
        low, high = self.bounds
        return exp(low) if isfinite(low) else 0.0, exp(high) if isfinite(high) else high

    @property
    def open_below(self) -> bool:
        """Smaller learning rates are wanted to bound the optimum."""
        return not isfinite(self.bounds[0])

    @property
    def open_above(self) -> bool:
        """Larger learning rates are wanted to bound the optimum."""
        return not isfinite(self.bounds[1])

    def describe(self) -> str:
        """One line for people."""
        low, high = self.interval
        if self.ln_eta is not None:
            return f"{exp(self.ln_eta.value):.3g} ({low:.3g} to {high:.3g})"
        text = str(self.status) + (f" ({self.reason})" if self.reason else "")
        if self.open_below and self.open_above:
            return text
        if self.open_above:
            return f"{text}: at least {low:.3g}"
        if self.open_below:
            return f"{text}: at most {high:.3g}"
        return f"{text}: {low:.3g} to {high:.3g}"
