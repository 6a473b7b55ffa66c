"""The noisy-quadratic laboratory: problems whose optimal learning rates are known, as ground truth.

Make a problem (`make_quadratic`), ask for its exact one-step optimum (`sgd_step`, `sign_step`,
`softsign_step`, `adam_limit_step`) or simulate it (`sampled_step`), for what a measurement would
predict (`predicted_step`), and for the best learning rate of a whole run
(`exact_horizon_optimum`, `simulated_horizon_optimum`). `showcase` holds the tables that show where
each law holds and where it breaks.
"""

from scaling_theory.laboratory.construct import (
    NoiseShape,
    aligned_noise,
    equicorrelated,
    independent_noise,
    log_spaced_spectrum,
    low_rank_noise,
    make_quadratic,
    power_law_spectrum,
)
from scaling_theory.laboratory.horizon import (
    HorizonOptimum,
    NoHorizonOptimumError,
    exact_horizon_optimum,
    paired_ratio,
    simulated_horizon_optimum,
)
from scaling_theory.laboratory.many_steps import simulated_excess_loss, simulated_path
from scaling_theory.laboratory.measured import (
    exact_statistics,
    predicted_curvature,
    predicted_step,
    sampled_statistics,
)
from scaling_theory.laboratory.one_step import (
    Step,
    adam_limit_step,
    momentum_noise_factor,
    sgd_step,
    sign_step,
    softsign_step,
)
from scaling_theory.laboratory.optimizers import Optimizer, adam, rule_optimizer
from scaling_theory.laboratory.quadratic import NoisyQuadratic
from scaling_theory.laboratory.recursion import (
    TrajectoryMoments,
    expected_excess_loss,
    stationary_variance,
    trajectory_moments,
)
from scaling_theory.laboratory.sampled_step import sampled_step

__all__ = [
    "HorizonOptimum",
    "NoHorizonOptimumError",
    "NoiseShape",
    "NoisyQuadratic",
    "Optimizer",
    "Step",
    "TrajectoryMoments",
    "adam",
    "adam_limit_step",
    "aligned_noise",
    "equicorrelated",
    "exact_horizon_optimum",
    "exact_statistics",
    "expected_excess_loss",
    "independent_noise",
    "log_spaced_spectrum",
    "low_rank_noise",
    "make_quadratic",
    "momentum_noise_factor",
    "paired_ratio",
    "power_law_spectrum",
    "predicted_curvature",
    "predicted_step",
    "rule_optimizer",
    "sampled_statistics",
    "sampled_step",
    "sgd_step",
    "sign_step",
    "simulated_excess_loss",
    "simulated_horizon_optimum",
    "simulated_path",
    "softsign_step",
    "stationary_variance",
    "trajectory_moments",
]
