"""D / (kappa Q + nu N) along a measured surface: the run law over batch size and epsilon."""

from __future__ import annotations

from scaling_theory.estimate import Estimate, scaled_estimate, sum_estimate
from scaling_theory.law import optimal_step
from scaling_theory.run_law import RunFactors
from scaling_theory.surface import SurfaceStatistics


def run_curve(
    surface: SurfaceStatistics, batch_size: float, epsilon: float, factors: RunFactors
) -> Estimate:
    """The learning rate of a run up to its one number, with its standard error.

    Noise is correlated as measured. Raises NoOptimalStep where descent or curvature is not
    positive.
    """
    descent, signal, noise = surface.terms(batch_size, epsilon, "correlated")
    parts = (scaled_estimate(signal, factors.curvature), scaled_estimate(noise, factors.noise))
    return optimal_step(descent, sum_estimate(parts)).learning_rate
