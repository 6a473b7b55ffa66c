"""Adam's best learning rate at a measured point, in two forms, and the audit of its epsilon.

adam_stationary: u = A m with A = 1 / (sqrt(g^2 + sigma^2 / B) + epsilon), the averages of a run
    that has stood at this point: E[u] = A g, and the noise of m is rho Sigma / B with
    rho = (1 - beta1) / (1 + beta1) (kexue.fm/archives/11301; A from 10563 with epsilon outside).
adam_next_step: the step that an optimizer makes next, with its own m, v, step count and weight
    decay; only the batch gradient is random, simulated as normal with the measured deviations.

The first is about a setting, the second about one moment of one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.adam_state import AdamState
from empirical.measure.block_sums import inverse
from empirical.measure.directional import block_curvatures, curvature_at
from empirical.measure.measurement import SUBSET, Measurement
from empirical.train.randomness import private_generator
from scaling_theory.audit import EpsilonAudit, audit_epsilon
from scaling_theory.estimate import Estimate, mean_estimate, scaled_estimate, sum_estimate
from scaling_theory.law import NoOptimalStep, optimal_step


@dataclass(frozen=True)
class AdamStep:
    """eta* = E[u]^T g / E[u^T H u] of an Adam step.

    form: "stationary" or "next step". descent: E[u]^T g. signal: E[u]^T H E[u]. noise:
    Tr(H Cov u). learning_rate: None where there is none; status says why, else "ok".
    present: the optimizer's own learning rate, None for the stationary form.
    """

    form: str
    batch_size: float
    descent: Estimate
    signal: Estimate
    noise: Estimate
    learning_rate: Estimate | None
    status: str
    present: float | None = None


def adam_stationary(
    found: Measurement,
    batch_size: float,
    *,
    beta1: float = 0.9,
    epsilon: float = 1e-8,
    subset: int = SUBSET,
) -> AdamStep:
    """The stationary form at batches of B samples; epsilon outside the root, as torch's.

    Raises UsageError for settings out of range.
    """
    if not (batch_size > 0 and 0 <= beta1 < 1 and epsilon >= 0):
        raise UsageError(
            f"batch size {batch_size:g}, beta1 {beta1:g}, epsilon {epsilon:g} came; above 0, in "
            "[0, 1) and at least 0 are wanted"
        )
    scale = inverse(found.gradient.square() + found.variance / batch_size, epsilon)
    mean = scale * found.gradient
    rho = (1 - beta1) / (1 + beta1)
    rows = (scale * row.to(scale) for row in found.deviations)
    along = mean_estimate(block_curvatures(found.point, rows, subset).numpy())
    return _step(
        "stationary",
        batch_size,
        Estimate(float(mean.double() @ found.gradient.double()), 0.0, 0),
        Estimate(curvature_at(found.point, mean), 0.0, 0),
        scaled_estimate(along, rho * found.block_size / batch_size),
    )


def adam_next_step(
    found: Measurement,
    state: AdamState,
    batch_size: float,
    *,
    draws: int = 48,
    subset: int = SUBSET,
    seed: int = 0,
) -> AdamStep:
    """The optimizer's real next step at batches of B samples.

    draws: simulated batches; each costs one directional curvature on `subset` samples.
    Raises UsageError for a state of another model or settings out of range.
    """
    if state.first.shape != found.gradient.shape:
        raise UsageError(
            f"a state of {len(state.first)} parameters came for {found.parameters} measured ones; "
            "read it for the problem that was measured"
        )
    if batch_size <= 0 or draws < 4:
        raise UsageError(
            f"batch size {batch_size:g} and {draws} draws came; above 0 and at least 4 are wanted"
        )
    rng = private_generator(seed, "simulated batches")
    count = len(found.deviations)
    weights = torch.randn(draws, count, generator=rng, dtype=torch.float64)
    weights *= sqrt(found.block_size / (count * batch_size))
    mean = torch.zeros_like(found.gradient)
    slopes = []
    for update in _updates(found, state, weights):
        mean += update / draws
        slopes.append(float(update.double() @ found.gradient.double()))
    away = (update - mean for update in _updates(found, state, weights))
    spread = block_curvatures(found.point, away, subset).numpy() * (draws / (draws - 1))
    noise = mean_estimate(spread)
    # the mean of the draws holds 1/draws of the noise
    signal = curvature_at(found.point, mean) - noise.value / draws
    return _step(
        "next step",
        batch_size,
        mean_estimate(slopes),
        Estimate(signal, noise.standard_error / draws, draws),
        noise,
        state.learning_rate,
    )


def audit_measured(
    found: Measurement, epsilon: float, batch_sizes: Sequence[float]
) -> EpsilonAudit:
    """Where the coordinates stand against Adam's epsilon at these batch sizes, in samples."""
    sigma = found.variance.sqrt().cpu().numpy()
    return audit_epsilon(found.gradient.cpu().numpy(), sigma, epsilon, batch_sizes)


def _updates(found: Measurement, state: AdamState, weights: Tensor) -> Iterator[Tensor]:
    """The update of each simulated batch, made again each time: none are kept."""
    point = found.point.problem.point
    for row in weights.to(found.deviations):
        gradient = found.gradient + (row @ found.deviations).to(found.gradient)
        yield state.update(gradient, point)


def _step(
    form: str,
    batch_size: float,
    descent: Estimate,
    signal: Estimate,
    noise: Estimate,
    present: float | None = None,
) -> AdamStep:
    total = sum_estimate((signal, noise))
    error = hypot(signal.standard_error, noise.standard_error)
    try:
        step = optimal_step(descent, Estimate(total.value, error, total.samples))
    except NoOptimalStep as none:
        return AdamStep(form, batch_size, descent, signal, noise, None, str(none), present)
    return AdamStep(form, batch_size, descent, signal, noise, step.learning_rate, "ok", present)
