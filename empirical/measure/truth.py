"""The one-step truth as a record: eta* = E[u]^T g / E[u^T H u] of real batches, and interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap
from torch import Tensor

from scaling_theory.estimate import Estimate, mean_estimate
from scaling_theory.law import NoOptimalStep, optimal_step

RESAMPLES = 2000
"""Bootstrap samples behind an interval."""


@dataclass(frozen=True)
class OneStepTruth:
    """The measured one-step optimum at one batch size and epsilon.

    Attributes:
        batch_size: B, in sequences.
        epsilon: in units of the gradient (nats per token per parameter).
        learning_rate: eta*, with standard error and the number of batches; None if there is none.
        interval: its 95 % bootstrap interval.
        status: "ok", or why there is no eta* (negative curvature, no descent).
        descent: E[u]^T g.
        signal: E[u]^T H E[u].
        noise: Tr(H Cov u).
        batches: indices of the batches in the pool, [M, B].
    """

    batch_size: int
    epsilon: float
    learning_rate: Estimate | None
    interval: tuple[float, float] | None
    status: str
    descent: Estimate
    signal: Estimate
    noise: Estimate
    batches: Tensor

    @property
    def relative_error(self) -> float:
        """Standard error of eta* over its value; 0 where there is no eta* to sharpen."""
        rate = self.learning_rate
        return rate.standard_error / rate.value if rate else 0.0

    @property
    def scale(self) -> float:
        """A learning rate of the right size even where there is no eta*; 0 without descent."""
        sizes = abs(self.signal.value) + abs(self.noise.value)
        return max(self.descent.value, 0.0) / sizes if sizes > 0 else 0.0


def assemble_truth(
    indices: Tensor,
    epsilon: float,
    descents: np.ndarray,
    raw_signal: float,
    noise: np.ndarray,
    slopes: np.ndarray,
    draws: np.random.Generator,
) -> OneStepTruth:
    """eta* and its interval from M batches, the first K of which have a curvature of their own.

    Args:
        indices: of the batches in the pool, [M, B].
        epsilon: of the update.
        descents: u_k^T g, [M].
        raw_signal: u-bar^T H u-bar, u-bar the mean over all M.
        noise: (u_k - u-bar)^T H (u_k - u-bar), [K].
        slopes: u_k^T H u-bar, [K], for the error that u-bar leaves in the signal.
        draws: of the bootstrap.
    """
    batches, batch_size = indices.shape
    bias = batches / (batches - 1)
    noise_k = noise * bias
    # the mean of M updates carries 1/M of the noise curvature
    signal_value = raw_signal - float(noise_k.mean()) / batches
    signal_k = 2.0 * slopes
    signal = Estimate(signal_value, float(signal_k.std(ddof=1)) / batches**0.5, batches)
    noise_part, descent = mean_estimate(noise_k), mean_estimate(descents)
    curvature = Estimate(
        signal_value + noise_part.value,
        float(np.hypot(signal.standard_error, noise_part.standard_error)),
        len(noise_k),
    )
    try:
        step = optimal_step(descent, curvature)
    except NoOptimalStep as none:
        return OneStepTruth(
            batch_size, epsilon, None, None, str(none), descent, signal, noise_part, indices
        )
    interval, error = _bootstrap_ratio(descents, noise_k, signal_k, curvature.value, draws)
    rate = Estimate(step.learning_rate.value, error, len(noise_k))
    return OneStepTruth(
        batch_size, epsilon, rate, interval, "ok", descent, signal, noise_part, indices
    )


def _bootstrap_ratio(
    descents: np.ndarray,
    noise: np.ndarray,
    signal: np.ndarray,
    curvature: float,
    rng: np.random.Generator,
) -> tuple[tuple[float, float], float]:
    """95 % interval and standard error of the ratio, by resampling batches.

    Of the M batches, K have a curvature of their own: these K are resampled, whole, and what the
    descent and the signal curvature owe to all M is scaled by sqrt(K / M).
    """
    drawn = len(noise)
    shrink = (drawn / len(descents)) ** 0.5
    middle, s, z, c = descents.mean(), descents[:drawn], signal, noise

    def ratio(s_k: np.ndarray, z_k: np.ndarray, c_k: np.ndarray, axis: int = -1) -> np.ndarray:
        top = middle + shrink * (s_k.mean(axis) - s.mean())
        bottom = curvature + shrink * (z_k.mean(axis) - z.mean()) + (c_k.mean(axis) - c.mean())
        result: np.ndarray = top / bottom
        return result

    drawn_ratio = bootstrap(
        (s, z, c),
        ratio,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=rng,
        n_resamples=RESAMPLES,
    )
    low, high = drawn_ratio.confidence_interval
    return (float(low), float(high)), float(drawn_ratio.standard_error)
