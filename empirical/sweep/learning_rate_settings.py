"""The learning rates of a sweep as they are written down: a grid, or the adaptive bracket."""

from __future__ import annotations

from math import log2
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from empirical.settings import FrozenModel, PositiveFloat, PositiveInt

MOST = 1000
"""Learning rates of a grid, beyond which a number is taken for a mistyped one."""


def word_or_number(words: tuple[str, ...]) -> BeforeValidator:
    """Refuses a text that is none of the words; what else it is, the type of the field checks."""

    def check(value: object) -> object:
        if isinstance(value, str) and value not in words:
            raise ValueError(f"wanted a number, {' or '.join(map(repr, words))}")
        return value

    return BeforeValidator(check)


class GridSettings(FrozenModel):
    """Learning rates from `from` to `to`, `per_octave` of them to a factor of two."""

    low: PositiveFloat = Field(alias="from")
    high: PositiveFloat = Field(alias="to")
    per_octave: PositiveInt = 2

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.low > self.high:
            raise ValueError(
                f"got a grid from {self.low:g} to {self.high:g}, wanted it ascending; exchange them"
            )
        count = log2(self.high / self.low) * self.per_octave
        if count > MOST:
            raise ValueError(
                f"got a grid of {count:.3g} learning rates, wanted at most {MOST}; lower per_octave"
            )
        return self


class AdaptiveSettings(FrozenModel):
    """Learning rates chosen as results come in, cell by cell.

    start: a learning rate for the middle cell of each optimizer, "neighbour" (the same, from a
    rule of thumb) or "statistics" (every cell from the theory's own prediction). width: of the
    95 % interval of the optimum, in octaves, below which a cell is done. most: learning rates of
    a cell at most. most_seeds: seeds at most, where learning rates alone do not narrow it.
    """

    start: Annotated[
        PositiveFloat | Literal["neighbour", "statistics"],
        word_or_number(("neighbour", "statistics")),
    ] = "neighbour"
    width: PositiveFloat = 0.25
    most: Annotated[int, Field(ge=3)] = 12
    most_seeds: PositiveInt = 4


class LearningRateSettings(FrozenModel):
    """A grid or the adaptive bracket."""

    grid: GridSettings | None = None
    adaptive: AdaptiveSettings | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.grid is None) == (self.adaptive is None):
            came = "a grid and adaptive" if self.grid else "neither a grid nor adaptive"
            raise ValueError(f"got {came} in learning_rates, wanted exactly one; choose one")
        return self
