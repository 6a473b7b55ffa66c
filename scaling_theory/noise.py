"""Closures of E[u^T H u]: how the noise of different coordinates is taken to be related.

independent: Cov(u) is diagonal, as in the source articles. 20 to 300 times too small on a
    transformer, whose noise lines up with its sharp directions.
correlated: off the diagonal the part of Cov(u) linear in the noise, on it everything (own
    derivation, Mehler's expansion). Wants a nearly Gaussian batch gradient and correlations
    not near 1.
gaussian_simulated: Gaussian batches with the covariance of the deviations go through the update;
    no expansion in the correlation.
resampled: batches of real sequences; no Gaussian assumption. For B of one or a few.
"""

from typing import Protocol

import numpy as np

from scaling_theory.curvature import Array, CurvatureEstimate, QuadraticForm, along
from scaling_theory.estimate import Estimate, exact_estimate, sum_estimate
from scaling_theory.moments import Moments
from scaling_theory.noise_parts import (
    SOFTSIGN,
    descent,
    diagonal_part,
    linear_part,
    random_probes,
    update_moments,
)
from scaling_theory.simulated import gaussian_simulated, resampled
from scaling_theory.statistics import GradientStatistics
from scaling_theory.updates import UpdateRule

__all__ = [
    "CLOSURES",
    "Closure",
    "CurvatureEstimate",
    "QuadraticForm",
    "correlated",
    "gaussian_simulated",
    "independent",
    "resampled",
    "update_moments",
]


class Closure(Protocol):
    """The one signature of every entry of CLOSURES.

    statistics, batch_size B (sequences) and epsilon say where; quadratic_form gives v^T H v.
    variant: moment variant. rule: update rule. draws: random probes or batches (the cost: one
    evaluation of the form each, plus one per deviation for `correlated`).
    probes: the random numbers given explicitly instead of drawn: z [n, P] with E[z z^T] = 1 for
    `independent` and `correlated` (sqrt(P) times the unit vectors make them exact), normal
    r [n, K] for `gaussian_simulated`; `resampled` takes none. Without probes, rng is wanted.
    """

    def __call__(
        self,
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
    ) -> CurvatureEstimate: ...


def independent(
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
    """mu^T H mu + sum_i H_ii V_i, the sum by Hutchinson probes (kexue.fm/archives/10563)."""
    moments = update_moments(statistics, batch_size, epsilon, variant=variant, rule=rule)
    signs = random_probes(probes, (draws, moments.mean.size), rng)
    noise = diagonal_part(quadratic_form, moments.variance, signs)
    return _from_moments("independent", statistics, moments, noise, quadratic_form)


def correlated(
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
    """mu^T H mu + Tr(H A Sigma A) / B + sum_i H_ii (V_i - A_i^2 s_i^2), A the gain.

    The middle term is (b / B) times the mean over deviations of (A delta)^T H (A delta). The
    deviations are around the pool gradient, not their own mean: no K / (K - 1) correction.
    Own derivation (first order of Mehler's expansion off the diagonal, all orders on it).
    """
    moments = update_moments(statistics, batch_size, epsilon, variant=variant, rule=rule)
    size = moments.mean.size
    signs = random_probes(probes, (draws, size), rng)
    residual = diagonal_part(quadratic_form, moments.residual_variance, signs)
    linear = linear_part(statistics, batch_size, moments, quadratic_form)
    noise = sum_estimate((linear, residual))
    return _from_moments("correlated", statistics, moments, noise, quadratic_form)


CLOSURES: dict[str, Closure] = {
    "independent": independent,
    "correlated": correlated,
    "gaussian_simulated": gaussian_simulated,
    "resampled": resampled,
}


def _from_moments(
    closure: str,
    statistics: GradientStatistics,
    moments: Moments,
    noise: Estimate,
    form: QuadraticForm,
) -> CurvatureEstimate:
    signal = exact_estimate(float(along(form, moments.mean[None, :])[0]))
    return CurvatureEstimate(
        signal=signal,
        noise=noise,
        total=sum_estimate((signal, noise)),
        descent=descent(statistics, moments),
        covariance=0.0,
        closure=closure,
        variant=moments.variant,
    )
