"""Where a run starts, as far as the local quadratic knows it, and the run's best learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Literal, get_args

import numpy as np

from scaling_theory.errors import InputError
from scaling_theory.horizon import quadratic_descent, quadratic_noise, saturated
from scaling_theory.spectral_measure import FloatArray, SpectralMeasure

Rule = Literal["softsign", "adam"]
RULES: tuple[Rule, ...] = get_args(Rule)

Promise = Literal["quadratic", "straight"]

OCTAVES, PER_OCTAVE = 8, 16
"""How far around the one-step optimum a run's optimum is sought, and how finely."""


@dataclass(frozen=True, eq=False)
class BranchPoint:
    """One update rule at one batch size (sequences) and epsilon, measured where runs branch off.

    rule: of the update. descent: E[u]^T g, nats per unit of learning rate. curvature:
    E[u]^T H E[u]. signal, noise: spectral measures of A^-1/2 E[u] and of A^-1/2 (u - E[u]) under
    M = A^1/2 H A^1/2.
    """

    rule: Rule
    batch_size: float
    epsilon: float
    descent: float
    curvature: float
    signal: SpectralMeasure
    noise: SpectralMeasure

    @property
    def one_step(self) -> float:
        """eta_1 = E[u]^T g / (E[u]^T H E[u] + Tr(H Cov u)): inf where the curvature is not > 0."""
        bend = self.curvature + self.noise.moment(1)
        return self.descent / bend if bend > 0 else inf

    @property
    def largest(self) -> float:
        """Lower bound of the largest eigenvalue of M: a constant rate is stable below 2 over it."""
        return max(self.signal.largest, self.noise.largest)

    def promised(
        self, learning_rates: FloatArray, multiples: FloatArray, promise: Promise = "quadratic"
    ) -> tuple[FloatArray, FloatArray]:
        """Descent x and the noise's loss after the schedule's steps, [R] each, in nats.

        promise: what x is: the local quadratic's descent, or "straight", eta sum_k s_k E[u]^T g,
        so that only a depth bends it and stability is left to the noise, which overflows beyond it.
        """
        noise = quadratic_noise(self.noise, learning_rates, multiples)
        if promise == "straight":
            return learning_rates * float(multiples.sum()) * self.descent, noise
        return quadratic_descent(self.signal, learning_rates, multiples), noise

    def best_learning_rates(
        self, multiples: FloatArray, depths: Sequence[float], promise: Promise = "quadratic"
    ) -> FloatArray:
        """Peak learning rates of the largest a ln(1 + x / a) - noise, one per depth a, [D].

        multiples: of the schedule, [S]. depths: nats; infinity for x itself. NaN where the optimum
        lies beyond a factor 2^8 of eta_1. Raises InputError where that does not exist.
        """
        start = self.one_step
        if not np.isfinite(start):
            raise InputError(
                f"the curvature along the update is not positive at batch size {self.batch_size:g},"
                f" epsilon {self.epsilon:g}: there is no learning rate to search around"
            )
        octaves = np.linspace(-OCTAVES, OCTAVES, 2 * OCTAVES * PER_OCTAVE + 1)
        descent, noise = self.promised(start * 2.0**octaves, multiples, promise)
        return start * 2.0 ** np.array([_peak(octaves, _drop(descent, noise, a)) for a in depths])


def _drop(descent: FloatArray, noise: FloatArray, depth: float) -> FloatArray:
    with np.errstate(invalid="ignore"):
        drop = saturated(descent, depth) - noise
    # both overflow: a run that has left the quadratic promises nothing
    return np.where(np.isnan(drop), -np.inf, drop)


def _peak(octaves: FloatArray, drop: FloatArray) -> float:
    """Where the drop is largest, by a parabola through the best three; NaN at an end."""
    at = int(np.argmax(drop))
    if at in (0, len(drop) - 1):
        return nan
    around = drop[at - 1 : at + 2]
    # next to a divergence the neighbour is minus infinity: the grid point itself is kept
    bend = float(np.diff(around, 2)[0]) if np.isfinite(around).all() else 0.0
    shift = 0.5 * float(around[0] - around[2]) / bend if bend < 0 else 0.0
    return float(octaves[at]) + shift / PER_OCTAVE
