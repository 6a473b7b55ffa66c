"""Where a run starts, as far as the local quadratic knows it, and the run's best learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log
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

    def loss_drop(
        self,
        learning_rates: FloatArray,
        multiples: FloatArray,
        depth: float = inf,
        promise: Promise = "quadratic",
    ) -> FloatArray:
        """a ln(1 + x / a) - noise after the schedule's steps, [R], nats; depth: a.

        promise: what x is: the local quadratic's descent, or "straight", eta sum_k s_k E[u]^T g,
        so that a alone bends it and stability is left to the noise, which overflows beyond it.
        """
        if promise == "straight":
            descent = learning_rates * float(multiples.sum()) * self.descent
        else:
            descent = quadratic_descent(self.signal, learning_rates, multiples)
        with np.errstate(invalid="ignore"):
            drop = saturated(descent, depth) - quadratic_noise(
                self.noise, learning_rates, multiples
            )
        # both overflow: a run that has left the quadratic promises nothing
        return np.where(np.isnan(drop), -np.inf, drop)

    def best_learning_rate(
        self, multiples: FloatArray, depth: float = inf, promise: Promise = "quadratic"
    ) -> float:
        """The peak learning rate of the largest `loss_drop` for this schedule, [S].

        Raises InputError where it lies beyond a factor 2^8 of eta_1, or that does not exist.
        """
        start = self.one_step
        if not np.isfinite(start):
            raise InputError(
                f"the curvature along the update is not positive at batch size {self.batch_size:g},"
                f" epsilon {self.epsilon:g}: there is no learning rate to search around"
            )
        octaves = np.linspace(-OCTAVES, OCTAVES, 2 * OCTAVES * PER_OCTAVE + 1)
        drops = self.loss_drop(start * 2.0**octaves, multiples, depth, promise)
        at = int(np.argmax(drops))
        if at in (0, len(drops) - 1):
            raise InputError(
                f"no best learning rate within a factor {2**OCTAVES} of the one-step optimum "
                f"{start:.3g} over {len(multiples)} steps: the local quadratic does not bound it"
            )
        around = drops[at - 1 : at + 2]
        bend = float(np.diff(around, 2)[0]) if np.isfinite(around).all() else 0.0
        # next to a divergence the neighbour is minus infinity: the grid point itself is kept
        shift = 0.5 * float(around[0] - around[2]) / bend if bend < 0 else 0.0
        return exp(log(start) + (octaves[at] + shift / PER_OCTAVE) * log(2))
