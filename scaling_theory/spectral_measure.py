"""Spectral measures: how much of a vector lies where in the spectrum of a symmetric matrix.

For M = sum_j lambda_j e_j e_j^T and a start b, the measure has weight (e_j^T b)^2 at lambda_j. K
steps of Lanczos give K nodes and weights that reproduce b^T M^p b exactly for p < 2K (Gauss
quadrature: Golub and Meurant, Matrices, Moments and Quadrature, chapters 3 and 6).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from scaling_theory.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpectralMeasure:
    """nodes [K]: where in the spectrum, ascending. weights [K]: how much; they sum to |b|^2."""

    nodes: FloatArray
    weights: FloatArray

    def moment(self, power: int) -> float:
        """b^T M^p b."""
        return float(self.weights @ self.nodes**power)

    @property
    def largest(self) -> float:
        """The largest node: from below, and with enough steps, the largest eigenvalue met."""
        return float(self.nodes[-1])


def lanczos_measure(
    product: Callable[[FloatArray], FloatArray], start: FloatArray, steps: int
) -> SpectralMeasure:
    """The measure of `start` [P] under the symmetric matrix whose products are given.

    Every new vector is orthogonalised against all before, twice: K P numbers are kept. It stops
    early where the start's invariant subspace is exhausted. Raises InputError for a start of 0.
    """
    length = float(np.linalg.norm(start))
    if not (length > 0 and np.isfinite(length)):
        raise InputError(f"got a start of length {length}, wanted one above 0; give another vector")
    if steps < 1:
        raise InputError(f"got {steps} steps of Lanczos, wanted at least 1; ask for more")
    basis = np.empty((min(steps, len(start)), len(start)))
    diagonal: list[float] = []
    beside: list[float] = []
    vector = start / length
    for step in range(len(basis)):
        basis[step] = vector
        image = product(vector)
        diagonal.append(float(vector @ image))
        for _ in range(2):
            image = image - basis[: step + 1].T @ (basis[: step + 1] @ image)
        size = float(np.linalg.norm(image))
        if size <= 1e-10 * max(map(abs, [*diagonal, *beside])):
            break
        beside.append(size)
        vector = image / size
    nodes, vectors = eigh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))
    return SpectralMeasure(nodes, length**2 * vectors[0] ** 2)


def pooled_measure(measures: tuple[SpectralMeasure, ...]) -> SpectralMeasure:
    """The mean of several measures: that of a random start, from draws of it."""
    nodes = np.concatenate([measure.nodes for measure in measures])
    weights = np.concatenate([measure.weights for measure in measures]) / len(measures)
    order = np.argsort(nodes)
    return SpectralMeasure(nodes[order], weights[order])
