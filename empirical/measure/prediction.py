"""What the theories predict at a checkpoint, from its statistics and curvatures alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.measure.curvature import Surroundings, curvature_along, curvature_samples
from empirical.measure.effort import Effort
from empirical.measure.statistics import PoolStatistics, draw_deviations
from empirical.train.randomness import numpy_generator, private_generator
from scaling_theory.canonical import mean_field_law
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.law import NoOptimalStep, optimal_step
from scaling_theory.noise import CLOSURES, QuadraticForm
from scaling_theory.statistics import GradientStatistics
from scaling_theory.updates import UPDATE_RULES

Array = NDArray[np.float64]

VARIANT = "exact_bulk"
"""Moments of the predictions: exact to 1e-6, and quick on a whole network."""

SHAPE_CONSTANT = pi / 2
"""c of the article's mean field (kexue.fm/archives/10563)."""

KAPPA_KIND = "ratio of means, sum sigma^2 / sum (g^2 + epsilon^2)"


@dataclass(frozen=True)
class Prediction:
    """One theory's answer at one batch size and epsilon.

    Attributes:
        learning_rate: eta*, None where the theory has none.
        descent: E[u]^T g.
        signal: mu^T H mu.
        noise: Tr(H Cov u).
        status: "ok", or why there is no eta*.
    """

    learning_rate: Estimate | None
    descent: Estimate
    signal: Estimate
    noise: Estimate
    status: str = "ok"


def gather_statistics(
    around: Surroundings, pool: PoolStatistics, effort: Effort, seed: int
) -> GradientStatistics:
    """The arrays that the noise closures read: g, sigma^2 and K deviations."""
    rng = private_generator(seed, "deviations")
    deviations = draw_deviations(
        around.gradients, pool.gradient, effort.deviations, effort.micro_batch, rng
    )
    return GradientStatistics(
        gradient=pool.gradient.cpu().numpy(),
        variance=pool.variance.cpu().numpy(),
        deviations=deviations.cpu().numpy(),
        micro_batch=effort.micro_batch,
        sequences=pool.sequences,
    )


def network_form(around: Surroundings, effort: Effort, rng: torch.Generator) -> QuadraticForm:
    """v^T H v of the network: one direction alone on the whole pool, several on a part each.

    The signal's single direction is thus exact for the pool, and asked for twice costs once.
    """
    like = around.landscape.point
    known: dict[bytes, Array] = {}

    def form(directions: Array, /) -> Array:
        on_device = torch.tensor(directions, dtype=like.dtype, device=like.device)
        if len(directions) > 1:
            drawn = curvature_samples(around, on_device, subset=effort.subset, rng=rng)
            values: Array = drawn.numpy().astype(np.float64)
            return values
        key = directions.tobytes()
        if key not in known:
            known[key] = np.array([curvature_along(around, on_device[0])])
        return known[key]

    return form


def predict_cell(
    around: Surroundings,
    statistics: GradientStatistics,
    batch_size: int,
    epsilon: float,
    closures: tuple[str, ...],
    effort: Effort,
    seed: int,
) -> dict[str, Prediction]:
    """eta* by exact moments under each noise closure, at one batch size and epsilon.

    Args:
        around: the network at its checkpoint, for curvatures.
        statistics: its gradient statistics.
        batch_size: B, in sequences.
        epsilon: in units of the gradient.
        closures: names in scaling_theory.noise.CLOSURES.
        effort: how much to measure.
        seed: all randomness derives from it and from the cell.
    """
    cell = f"{batch_size}, {epsilon!r}"
    form = network_form(around, effort, private_generator(seed, f"prediction at {cell}"))
    predictions = {}
    for name in closures:
        rng = numpy_generator(seed, f"{name} probes at {cell}")
        found = CLOSURES[name](
            statistics, batch_size, epsilon, form, variant=VARIANT, rng=rng, draws=effort.probes
        )
        try:
            step = optimal_step(found.descent, found.total, covariance=found.covariance)
        except NoOptimalStep as none:
            rate, status = None, str(none)
        else:
            rate, status = step.learning_rate, "ok"
        predictions[name] = Prediction(rate, found.descent, found.signal, found.noise, status)
    return predictions


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
    around: Surroundings,
    statistics: GradientStatistics,
    trace: Estimate,
    batch_sizes: tuple[int, ...],
    epsilon: float,
) -> MeanField:
    """The article's eta*(B) = beta A / (beta^2 Q + (1 - beta^2) T) at one epsilon.

    u = softsign(g, epsilon), A = u^T g, Q = u^T H u, T = tr H, K = c kappa^2
    (kexue.fm/archives/10563, equation 2.8).
    """
    gradient = statistics.gradient.astype(np.float64)
    update = UPDATE_RULES["softsignsgd"].apply(gradient, epsilon)
    signal = float((gradient**2 + epsilon**2).sum())
    nothing = tuple(None for _ in batch_sizes)
    if signal == 0:
        return MeanField(nothing, None, "the gradient is zero: kappa^2 is infinite")
    kappa_squared = float(statistics.variance.sum(dtype=np.float64)) / signal
    direction = torch.tensor(
        update, dtype=around.landscape.point.dtype, device=around.landscape.point.device
    )
    curvature = curvature_along(around, direction)
    try:
        law = mean_field_law(
            float(update @ gradient), curvature, trace.value, kappa_squared, SHAPE_CONSTANT
        )
    except InputError as refused:
        return MeanField(nothing, kappa_squared, str(refused))
    rates = tuple(law.learning_rate(batch_size) for batch_size in batch_sizes)
    return MeanField(rates, kappa_squared, "ok")
