"""How many steps a budget is at a batch size, and what was rounded for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from empirical.errors import UsageError
from empirical.sweep.configuration import BudgetSettings

Unit = Literal["tokens", "steps"]


@dataclass(frozen=True)
class Budget:
    """What is kept as the batch size changes: `amount` tokens, or `amount` steps."""

    unit: Unit
    amount: int

    @property
    def name(self) -> str:
        """As in names of cells."""
        return f"{self.unit}={self.amount}"


@dataclass(frozen=True)
class Length:
    """Steps of a run. said: what was rounded, in words; None where nothing was."""

    steps: int
    said: str | None = None


def budgets(settings: BudgetSettings) -> tuple[Budget, ...]:
    """Every budget of a sweep, ascending."""
    unit: Unit = "tokens" if settings.tokens is not None else "steps"
    amounts = settings.tokens if settings.tokens is not None else settings.steps
    return tuple(Budget(unit, amount) for amount in sorted(amounts or ()))


def run_length(budget: Budget, batch_size: int, context: int, rounding: str) -> Length:
    """Steps of `batch_size` sequences of `context` tokens that make up the budget.

    Raises UsageError where tokens are no whole number of steps and are not to be rounded, and
    where they are less than one step.
    """
    if budget.unit == "steps":
        return Length(budget.amount)
    each = batch_size * context
    steps, left = divmod(budget.amount, each)
    if not left:
        return Length(steps)
    exact = budget.amount / each
    if round(exact) < 1 or rounding == "refuse":
        multiple = each * max(1, round(exact))
        raise UsageError(
            f"got {budget.amount} tokens, which are {exact:.4g} steps of {batch_size} sequences of "
            f"{context} tokens, wanted a whole number of steps; give {multiple} tokens, another "
            'batch size, or rounding = "nearest" in budget'
        )
    steps = round(exact)
    return Length(
        steps,
        f"{budget.amount} tokens are {exact:.6g} steps at batch size {batch_size}: rounded to "
        f"{steps} steps, {steps * each} tokens",
    )
