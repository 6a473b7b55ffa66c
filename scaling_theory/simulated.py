"""The closures that simulate batches: weights on measured deviations, then the update.

A batch is x = gradient + sum_k W_mk deviation_k; u = phi(x) goes through the quadratic form.
"""

from dataclasses import dataclass

import numpy as np

from scaling_theory.curvature import Array, CurvatureEstimate, QuadraticForm, along, blocks
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, mean_covariance, mean_estimate
from scaling_theory.noise_parts import (
    SOFTSIGN,
    descent,
    generator_wanted,
    linear_part,
    random_probes,
    update_moments,
)
from scaling_theory.statistics import GradientStatistics
from scaling_theory.updates import UpdateRule

_GROUPS = 16
_FEWEST_BATCHES = 8


@dataclass(frozen=True)
class Simulation:
    """signal, noise, total of E[u^T H u]; descent E[u]^T g; covariance of descent and total."""

    signal: Estimate
    noise: Estimate
    total: Estimate
    descent: Estimate
    covariance: float


def simulate(
    statistics: GradientStatistics,
    weights: Array,
    epsilon: float,
    form: QuadraticForm,
    rule: UpdateRule,
) -> Simulation:
    """Average over batches with weights W [M, K] on the deviations, M >= 2.

    total is the mean of u^T H u. With ubar the mean direction, noise is unbiased:
    (sum_m u_m^T H u_m - M ubar^T H ubar) / (M - 1), and signal is total - noise; their standard
    errors come from a jackknife over up to 16 groups of draws.
    Standard errors are those of the draws, the deviations being given.
    """
    draws, size = weights.shape[0], statistics.gradient.size
    if draws < 2:
        raise InputError(f"{draws} simulated batch came, at least 2 are wanted; raise draws")
    gradient = statistics.gradient.astype(np.float64)
    group = np.arange(draws) * min(draws, _GROUPS) // draws
    sums = np.zeros((int(group[-1]) + 1, size))
    totals, descents = np.empty(draws), np.empty(draws)
    for start, stop in blocks(draws, size):
        batch = gradient + weights[start:stop] @ statistics.deviations
        update = rule.apply(batch, epsilon)
        totals[start:stop] = along(form, update)
        descents[start:stop] = update @ gradient
        np.add.at(sums, group[start:stop], update)
    total = mean_estimate(totals)
    noise, noise_error, signal_error = _split(totals, sums, group, form)
    return Simulation(
        signal=Estimate(total.value - noise, signal_error, draws),
        noise=Estimate(noise, noise_error, draws),
        total=total,
        descent=mean_estimate(descents),
        covariance=mean_covariance(descents, totals),
    )


def _split(
    totals: Array, sums: Array, group: np.ndarray, form: QuadraticForm
) -> tuple[float, float, float]:
    """Noise part of the mean of `totals`, and the jackknife errors of noise and signal."""
    draws, groups = totals.size, sums.shape[0]
    left = draws - np.bincount(group)  # draws without group j
    without = totals.sum() - np.bincount(group, weights=totals)
    everything = sums.sum(axis=0)
    means = np.vstack([everything / draws, (everything - sums) / left[:, None]])
    along_mean = along(form, means)
    noise = float((totals.sum() - draws * along_mean[0]) / (draws - 1))
    if groups < 3:
        return noise, float("inf"), float("inf")
    noises = (without - left * along_mean[1:]) / (left - 1)
    signals = without / left - noises
    factor = (groups - 1) / np.sqrt(groups)  # jackknife: sqrt((G - 1) / G * sum of squares)
    return noise, float(factor * noises.std()), float(factor * signals.std())


def gaussian_simulated(
    statistics: GradientStatistics,
    batch_size: float,
    epsilon: float,
    quadratic_form: QuadraticForm,
    *,
    variant: str = "exact",
    rule: UpdateRule = SOFTSIGN,
    rng: np.random.Generator | None = None,
    probes: Array | None = None,
    draws: int = 32,
) -> CurvatureEstimate:
    """Gaussian batches x = g + sum_k r_k delta_k sqrt(b / (K B)), r ~ N(0, 1).

    descent and the marginals it needs are known: it comes from the moments. The finite number
    of deviations enters the standard error of noise and total to first order, through the
    spread of (A delta_k)^T H (A delta_k) over k.
    """
    moments = update_moments(statistics, batch_size, epsilon, variant=variant, rule=rule)
    count = statistics.deviations.shape[0]
    normal = random_probes(probes, (draws, count), rng, gaussian=True)
    weights = normal * np.sqrt(statistics.micro_batch / (count * batch_size))
    simulation = simulate(statistics, weights, epsilon, quadratic_form, rule)
    finite = linear_part(statistics, batch_size, moments, quadratic_form).standard_error
    return CurvatureEstimate(
        signal=simulation.signal,
        noise=_widened(simulation.noise, finite),
        total=_widened(simulation.total, finite),
        descent=descent(statistics, moments),
        covariance=0.0,
        closure="gaussian_simulated",
        variant=variant,
    )


def resampled(
    statistics: GradientStatistics,
    batch_size: float,
    epsilon: float,
    quadratic_form: QuadraticForm,
    *,
    variant: str = "exact",
    rule: UpdateRule = SOFTSIGN,
    rng: np.random.Generator | None = None,
    probes: Array | None = None,
    draws: int = 32,
) -> CurvatureEstimate:
    """Real batches: the per-sequence deviations, shuffled and cut into disjoint batches of B.

    The deviations are independent draws from the pool, so disjoint batches are real independent
    batches; batches sharing deviations would have a noise (B - 1) / K too large and a standard
    error that pretends to more data than there is. Hence at most K // B draws.
    No moments are used; `variant` is recorded as "none".

    Raises InputError unless micro_batch is 1, B is whole, and K // B is at least 8.
    """
    count, batch = statistics.deviations.shape[0], int(batch_size)
    if statistics.micro_batch != 1 or batch != batch_size or probes is not None:
        raise InputError(
            f"resampling got deviations of {statistics.micro_batch} sequences and batch size "
            f"{batch_size:g}; per-sequence deviations, a whole batch size and no probes are wanted"
        )
    statistics.noise_scale(batch_size)
    if count // batch < _FEWEST_BATCHES:
        raise InputError(
            f"{count} deviations make {count // batch} batches of {batch}; at least "
            f"{_FEWEST_BATCHES} are wanted: measure more deviations or take a smaller batch"
        )
    order = generator_wanted(rng).permutation(count)
    used = min(draws, count // batch)
    weights = np.zeros((used, count))
    weights[np.arange(used)[:, None], order[: used * batch].reshape(used, batch)] = 1 / batch
    simulation = simulate(statistics, weights, epsilon, quadratic_form, rule)
    return CurvatureEstimate(
        simulation.signal,
        simulation.noise,
        simulation.total,
        simulation.descent,
        simulation.covariance,
        closure="resampled",
        variant="none",
    )


def _widened(estimate: Estimate, error: float) -> Estimate:
    return Estimate(
        estimate.value, float(np.hypot(estimate.standard_error, error)), estimate.samples
    )
