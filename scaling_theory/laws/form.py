"""What a law that can be fitted consists of: a formula, its parameters and its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Kind = Literal["learning rate", "batch size", "epsilon", "ratio", "exponent"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law.

    kind: its unit; an exponent is a pure number of either sign, all others are positive and are
        fitted through their logarithm. meaning: in words. lower, upper: the values that a fit of
        an exponent or a ratio may take; the others have no bound but 0.
    """

    name: str
    kind: Kind
    meaning: str
    lower: float = 0.0
    upper: float = inf

    @property
    def positive(self) -> bool:
        """Whether it is fitted through its logarithm."""
        return self.kind != "exponent"


@dataclass(frozen=True)
class LawForm:
    """A shape of eta*(B). learning_rate(B, *parameters) broadcasts; all batches in one unit.

    terms: the parameters in the formula's order. epsilon: whether Adam's epsilon (unit of a
    gradient) follows the parameters as one more argument.
    """

    name: str
    formula: str
    source: str
    terms: tuple[Parameter, ...]
    curve: Callable[..., Array]
    epsilon: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of `terms`, in order."""
        return tuple(term.name for term in self.terms)

    def term(self, name: str) -> Parameter:
        """The parameter of that name."""
        return self.terms[self.parameters.index(name)]

    def learning_rate(self, batch_size: ArrayLike, *values: ArrayLike) -> Array:
        """eta*(B): `values` are the parameters in order (then epsilon, where it has one)."""
        arrays = (np.asarray(each, dtype=np.float64) for each in (batch_size, *values))
        return np.asarray(self.curve(*arrays), dtype=np.float64)

    def log_rate(self, log_batch: Array, *values: Array) -> Array:
        """ln eta*(B) at ln B; parameters as in `learning_rate`."""
        return np.asarray(np.log(self.learning_rate(np.exp(log_batch), *values)))
