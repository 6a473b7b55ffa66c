"""Scalars measured at one checkpoint, and the noise batches that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from scaling_theory.errors import InputError, require_positive
from scaling_theory.estimate import Estimate, ratio_estimate
from scaling_theory.surface import SurfaceStatistics
from scaling_theory.transfer.curves import propagate, surge_peak
from scaling_theory.transfer.situation import Facts

SIGNIFICANT = 2.0
"""A denominator must be this many standard errors above 0 for a ratio to be identified."""


@dataclass(frozen=True)
class CheckpointScalars:
    """Sums run over all coordinates; sigma and Sigma are per sequence; None is unmeasured.

    parameters, pool_sequences, sequence_length: counts (tokens per sequence).
    gradient_norm_squared: |g|^2, the pool's own noise subtracted (not significant: pool too small).
    trace_covariance: Tr Sigma. trace_hessian: Tr H.
    gradient_curvature: g^T H g. sign_curvature: sign(g)^T H sign(g).
    hessian_noise: Tr(H Sigma). excess_kurtosis: of one sequence's gradient; a batch's is this / B.
    """

    parameters: int
    pool_sequences: int
    sequence_length: int
    gradient_norm_squared: Estimate
    trace_covariance: Estimate
    trace_hessian: Estimate | None = None
    gradient_curvature: Estimate | None = None
    sign_curvature: Estimate | None = None
    hessian_noise: Estimate | None = None
    excess_kurtosis: float | None = None

    def __post_init__(self) -> None:
        for name in ("parameters", "pool_sequences", "sequence_length"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; at least 1 is wanted")
        require_positive(self.trace_covariance.value, "trace of the covariance", "measure again")

    @property
    def simple_batch(self) -> Estimate | None:
        """B_simple = Tr Sigma / |g|^2, sequences (arXiv 1812.06162); None: not identified."""
        return _identified_ratio(self.trace_covariance, self.gradient_norm_squared)

    @property
    def noise_batch(self) -> Estimate | None:
        """B_noise = Tr(H Sigma) / g^T H g, sequences (arXiv 1812.06162); None: not identified."""
        return _identified_ratio(self.hessian_noise, self.gradient_curvature)

    @property
    def curvature_ratio(self) -> Estimate | None:
        """Q/T = sign(g)^T H sign(g) / Tr H; None: not measured, or one of them not positive."""
        if not _significant(self.sign_curvature):
            return None
        return _identified_ratio(self.sign_curvature, self.trace_hessian)

    @property
    def peak_batch(self) -> Estimate | None:
        """Peak of the Surge curve, K / (Q/T - 1) with K = pi/2 B_simple; sequences.

        arXiv 2405.14578 equation 14 with one signal-to-noise ratio for all coordinates. None where
        Q <= T: its off-diagonal curvature is not positive, the curve has no peak.
        """
        simple, ratio = self.simple_batch, self.curvature_ratio
        if simple is None or ratio is None or ratio.value - SIGNIFICANT * ratio.standard_error <= 1:
            return None
        return propagate(surge_peak, simple, ratio)


def facts_of(scalars: CheckpointScalars, surface: SurfaceStatistics | None) -> Facts:
    """What the transfer rules use, batch sizes in sequences."""
    return Facts(
        noise_batch=scalars.noise_batch,
        simple_batch=scalars.simple_batch,
        peak_batch=scalars.peak_batch,
        curvature_ratio=scalars.curvature_ratio,
        rms_gradient=None if surface is None else surface.rms_gradient,
        rms_sigma=None if surface is None else surface.rms_sigma,
        excess_kurtosis=scalars.excess_kurtosis,
        pool_batch=scalars.pool_sequences,
    )


def _significant(estimate: Estimate | None) -> bool:
    return estimate is not None and estimate.value > SIGNIFICANT * estimate.standard_error


def _identified_ratio(top: Estimate | None, bottom: Estimate | None) -> Estimate | None:
    if top is None or bottom is None or not _significant(bottom) or top.value <= 0:
        return None
    return ratio_estimate(top, bottom)
