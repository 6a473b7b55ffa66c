"""Adam's best learning rate at a measured point, in two forms, and the audit of its epsilon.

adam_stationary: u = A m with A = 1 / (sqrt(g^2 + sigma^2 / B) + epsilon), the averages of a run
    that has stood at this point: E[u] = A g, and the noise of m is rho Sigma / B with
    rho = (1 - beta1) / (1 + beta1) (kexue.fm/archives/11301; A from 10563 with epsilon outside).
adam_next_step: the step that an optimizer makes next, with its own m, v, step count and weight
    decay; only the batch gradient is random, simulated as normal with the measured deviations.

The first is about a setting, the second about one moment of one run.

Which samples judge the step matters on a small pool. With the mean g_N of N samples both in the
update and as the slope, E[u]^T g_N is too large by about sum_i A_i sigma_i^2 / N, A = du/dG the
gain: the update has turned towards the pool's own noise. Where prediction and truth both refer to
the pool, as in `adam_stationary`, in the one-step truth and in the SoftSignSGD surface beside it,
the pool is the population and nothing is to be corrected. Where the step is judged on other
samples, as `lr_find` and every training run do, `adam_next_step(unseen=True)` takes a simulated
batch for B of the N samples and the slope from the N - B others,

    G = g_N + z, Cov z = Sigma (1/B - 1/N),   g' = (N g_N - B G) / (N - B) = g_N - z B / (N - B).

Over pools G has mean g and covariance Sigma / B, a fresh batch's; Cov(G, g') = Sigma / N -
Sigma (1/B - 1/N) B / (N - B) = 0, so that E[u(G)^T g'] = E[u]^T g and E[u(G)^T H u(G)] = E[u^T H u]
for normal batches, without an expansion in the gain (own derivation: sample splitting, simulated).
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
from empirical.measure.pool_noise import PoolNoise, pool_noise
from empirical.train.randomness import private_generator
from scaling_theory.audit import EpsilonAudit, audit_epsilon
from scaling_theory.estimate import Estimate, mean_estimate, scaled_estimate, sum_estimate
from scaling_theory.law import NoOptimalStep, optimal_step


@dataclass(frozen=True)
class AdamStep:
    """eta* = E[u]^T g / E[u^T H u] of an Adam step.

    form: "stationary" or "next step". descent: E[u]^T g. signal: E[u]^T H E[u]. noise:
    Tr(H Cov u). curvature: their sum. learning_rate: None where there is none; status says why,
    else "ok". present: the optimizer's own learning rate, None for the stationary form.
    """

    form: str
    batch_size: float
    descent: Estimate
    signal: Estimate
    noise: Estimate
    curvature: Estimate
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

    The measured pool is the population: batches are drawn from it, and it judges the step.

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
    signal = Estimate(curvature_at(found.point, mean), 0.0, 0)
    noise = scaled_estimate(along, rho * found.block_size / batch_size)
    return _step(
        "stationary",
        batch_size,
        Estimate(float(mean.double() @ found.gradient.double()), 0.0, 0),
        signal,
        noise,
        sum_estimate((signal, noise)),
    )


def adam_next_step(
    found: Measurement,
    state: AdamState,
    batch_size: float,
    *,
    draws: int = 48,
    subset: int = SUBSET,
    unseen: bool = True,
    seed: int = 0,
) -> AdamStep:
    """The optimizer's real next step at batches of B samples.

    draws: simulated batches; each costs one directional curvature on `subset` samples.
    unseen: the step is judged on samples that did not make it, drawn as the measured ones were:
        unbiased for normal batches in descent and curvature, with the pool's own noise in the
        standard errors; to first order in the gain in how the curvature splits into signal and
        noise. False: the pool is the population, batches are drawn from it and it judges them.
        H is the pool's in both.

    Raises UsageError for a state of another model, settings out of range, and batches as large as
    the pool, which leave no sample to judge.
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
    share = batch_size / found.samples if unseen else 0.0
    if share >= 1:
        raise UsageError(
            f"batches of {batch_size:g} samples came, {found.samples} were measured; fewer than "
            "measured are wanted, as the rest judge: measure more, or pass unseen=False"
        )
    point = found.point.problem.point
    rng = private_generator(seed, "simulated batches")
    count = len(found.deviations)
    weights = torch.randn(draws, count, generator=rng, dtype=torch.float64)
    weights *= sqrt((1 - share) * found.block_size / (count * batch_size))
    rest = share / (1 - share)
    mean, gain = torch.zeros_like(found.gradient), torch.zeros_like(found.gradient)
    pull = torch.zeros_like(found.gradient)
    slopes = []
    for gradient in _gradients(found, weights):
        update = state.update(gradient, point)
        others = torch.lerp(found.gradient, gradient, -rest)
        slopes.append(float(update.double() @ others.double()))
        mean += update / draws
        if unseen:
            steep = state.gain(gradient, point)
            gain += steep / draws
            pull += (update + steep * others) / draws
    away = (state.update(gradient, point) - mean for gradient in _gradients(found, weights))
    spread = block_curvatures(found.point, away, subset).numpy() * (draws / (draws - 1))
    within = mean_estimate(spread)
    # the mean of the draws holds 1/draws of the noise
    signal = curvature_at(found.point, mean) - within.value / draws
    known = pool_noise(found.point, pull, mean, gain) if unseen else PoolNoise(0.0, 0.0, 0.0)
    # what z lacks of a batch's covariance, the pool's mean has: it counts as noise, not as signal
    noise = scaled_estimate(within, 1 + rest)
    return _step(
        "next step",
        batch_size,
        _known(mean_estimate(slopes), known.descent),
        _known(
            Estimate(signal - rest * within.value, within.standard_error / draws, draws),
            known.curvature,
        ),
        noise,
        _known(Estimate(signal + within.value, within.standard_error, draws), known.curvature),
        state.learning_rate,
        known.covariance,
    )


def audit_measured(
    found: Measurement, epsilon: float, batch_sizes: Sequence[float]
) -> EpsilonAudit:
    """Where the coordinates stand against Adam's epsilon at these batch sizes, in samples."""
    sigma = found.variance.sqrt().cpu().numpy()
    return audit_epsilon(found.gradient.cpu().numpy(), sigma, epsilon, batch_sizes)


def _known(estimate: Estimate, variance: float) -> Estimate:
    """The same number, known less well by this variance."""
    error = hypot(estimate.standard_error, sqrt(variance))
    return Estimate(estimate.value, error, estimate.samples)


def _gradients(found: Measurement, weights: Tensor) -> Iterator[Tensor]:
    """The gradient of each simulated batch, made again each time: none are kept."""
    for row in weights.to(found.deviations):
        yield found.gradient + (row @ found.deviations).to(found.gradient)


def _step(
    form: str,
    batch_size: float,
    descent: Estimate,
    signal: Estimate,
    noise: Estimate,
    curvature: Estimate,
    present: float | None = None,
    covariance: float = 0.0,
) -> AdamStep:
    rate: Estimate | None = None
    status = "ok"
    try:
        rate = optimal_step(descent, curvature, covariance=covariance).learning_rate
    except NoOptimalStep as none:
        status = str(none)
    return AdamStep(form, batch_size, descent, signal, noise, curvature, rate, status, present)
