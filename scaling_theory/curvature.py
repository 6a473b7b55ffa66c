"""Curvature along update directions: what measures it, and the estimate every closure returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate

Array = NDArray[np.float64]
# Directions are built and handed over in blocks of about this many numbers (16 MB).
_BLOCK = 1 << 21


class QuadraticForm(Protocol):
    """directions [n, P] -> v^T H v [n], one per direction; may be stochastic, then unbiased."""

    def __call__(self, directions: Array, /) -> Array: ...


@dataclass(frozen=True)
class CurvatureEstimate:
    """E[u^T H u] and E[u]^T g at one batch size and epsilon.

    signal: mu^T H mu, mu = E[u]. noise: Tr(H Cov u). total: their sum. Unit loss / step^2.
    descent: E[u]^T g, loss / step. covariance: of the descent and total estimates.
    closure, variant: the assumption about the noise, and the moments, that made the numbers.
    What follows from moments and one evaluation of the form has standard error 0: the form is
    taken as deterministic there.
    """

    signal: Estimate
    noise: Estimate
    total: Estimate
    descent: Estimate
    covariance: float
    closure: str
    variant: str


def along(form: QuadraticForm, directions: Array) -> Array:
    """The form on directions [n, P], its answer checked for shape and finiteness.

    Raises InputError if it returns anything but n finite numbers.
    """
    values = np.asarray(form(directions), dtype=np.float64)
    if values.shape != directions.shape[:1] or not np.isfinite(values).all():
        raise InputError(
            f"the quadratic form returned shape {values.shape} for {directions.shape[0]} "
            "directions, or a value not finite; one finite number per direction is wanted"
        )
    return values


def along_blocks(form: QuadraticForm, scale: Array, rows: NDArray[np.floating]) -> Array:
    """The form on scale * rows, scale [P] and rows [n, P], block by block."""
    parts = [along(form, scale * rows[start:stop]) for start, stop in blocks(*rows.shape)]
    return np.concatenate(parts)


def blocks(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut `count` rows of `size` numbers into (start, stop) pieces of bounded memory, even in size.

    Even pieces leave no lone last row, which a form may evaluate at another price.
    """
    pieces = -(-count // max(1, _BLOCK // max(size, 1)))
    for piece in range(pieces):
        yield count * piece // pieces, count * (piece + 1) // pieces
