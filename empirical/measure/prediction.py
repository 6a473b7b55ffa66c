"""What the theories predict at a checkpoint, from its statistics and curvatures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import torch

from empirical.measure.directional import curvature_at
from empirical.measure.measurement import Measurement
from empirical.measure.surface_terms import Cell
from empirical.train.optimizers import softsign
from scaling_theory.canonical import mean_field_law
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, sum_estimate
from scaling_theory.law import NoOptimalStep, optimal_step

SHAPE_CONSTANT = pi / 2
"""c of the article's mean field (kexue.fm/archives/10563)."""

KAPPA_KIND = "ratio of means, sum sigma^2 / sum (g^2 + epsilon^2)"


@dataclass(frozen=True)
class Prediction:
    """One theory's answer at one batch size and epsilon.

    learning_rate: eta*, None where the theory has none. noise: Tr(H Cov u).
    status: "ok", or why there is no eta*.
    """

    learning_rate: Estimate | None
    noise: Estimate
    status: str = "ok"


def predictions_of(cell: Cell) -> dict[str, Prediction]:
    """eta* under each noise closure, from the terms of one batch size and epsilon."""
    closures = {"correlated": cell.correlated, "independent": cell.independent}
    return {name: _prediction(cell, noise) for name, noise in closures.items()}


def _prediction(cell: Cell, noise: Estimate) -> Prediction:
    try:
        step = optimal_step(cell.descent, sum_estimate((cell.signal, noise)))
    except NoOptimalStep as none:
        return Prediction(None, noise, str(none))
    return Prediction(step.learning_rate, noise)


@dataclass(frozen=True)
class MeanField:
    """The article's law at one epsilon, equation (2.8), with what it was fed.

    Attributes:
        learning_rates: eta* at the batch sizes asked for; None where the law has none.
        kappa_squared: noise-to-signal ratio per sequence, None if there is no signal.
        status: "ok", or why there is no law.
    """

    learning_rates: tuple[float | None, ...]
    kappa_squared: float | None
    status: str


def predict_mean_field(
    found: Measurement, trace: Estimate, batch_sizes: Sequence[int], epsilon: float
) -> MeanField:
    """The article's eta*(B) = beta A / (beta^2 Q + (1 - beta^2) T) at one epsilon.

    u = softsign(g, epsilon), A = u^T g, Q = u^T H u, T = tr H, K = c kappa^2
    (kexue.fm/archives/10563, equation 2.8).
    """
    gradient = found.gradient.double()
    update = softsign(gradient, epsilon)
    signal = float((gradient.square() + epsilon**2).sum())
    nothing = tuple(None for _ in batch_sizes)
    if signal == 0:
        return MeanField(nothing, None, "the gradient is zero: kappa^2 is infinite")
    kappa_squared = float(found.variance.sum(dtype=torch.float64)) / signal
    curvature = curvature_at(found.point, update.to(found.gradient))
    try:
        law = mean_field_law(
            float(update @ gradient), curvature, trace.value, kappa_squared, SHAPE_CONSTANT
        )
    except InputError as refused:
        return MeanField(nothing, kappa_squared, str(refused))
    rates = tuple(law.learning_rate(batch_size) for batch_size in batch_sizes)
    return MeanField(rates, kappa_squared, "ok")
