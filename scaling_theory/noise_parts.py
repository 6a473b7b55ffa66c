"""The terms the noise closures are made of, and the random numbers they use."""

import numpy as np

from scaling_theory.curvature import Array, QuadraticForm, along_blocks
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, exact_estimate, mean_estimate, scaled_estimate
from scaling_theory.moments import Moments
from scaling_theory.statistics import GradientStatistics
from scaling_theory.updates import UPDATE_RULES, UpdateRule

SOFTSIGN = UPDATE_RULES["softsignsgd"]


def update_moments(
    statistics: GradientStatistics,
    batch_size: float,
    epsilon: float,
    *,
    variant: str = "exact",
    rule: UpdateRule = SOFTSIGN,
) -> Moments:
    """Per-coordinate moments [P] of the update for batches of B sequences."""
    gradient = statistics.gradient.astype(np.float64)
    return rule.moments(gradient, statistics.noise_scale(batch_size), epsilon, variant)


def descent(statistics: GradientStatistics, moments: Moments) -> Estimate:
    return exact_estimate(float(moments.mean @ statistics.gradient.astype(np.float64)))


def linear_part(
    statistics: GradientStatistics, batch_size: float, moments: Moments, form: QuadraticForm
) -> Estimate:
    """Tr(H A Sigma A) / B from the deviations."""
    values = along_blocks(form, moments.gain, statistics.deviations)
    return scaled_estimate(mean_estimate(values), statistics.micro_batch / batch_size)


def diagonal_part(form: QuadraticForm, weights: Array, signs: Array) -> Estimate:
    """sum_i H_ii w_i; approximate moments may make some w_i negative, so both signs count."""
    if not weights.any():
        return exact_estimate(0.0)
    values = np.zeros(signs.shape[0])
    for sign in (1.0, -1.0):
        root: Array = np.sqrt(np.maximum(sign * weights, 0.0))
        if root.any():
            values += sign * along_blocks(form, root, signs)
    return mean_estimate(values)


def random_probes(
    given: Array | None,
    shape: tuple[int, int],
    rng: np.random.Generator | None,
    *,
    gaussian: bool = False,
) -> Array:
    """The probes given, checked, or random signs (normals) of that shape."""
    if given is None:
        generator = generator_wanted(rng)
        if gaussian:
            return generator.standard_normal(shape)
        return 2 * generator.integers(0, 2, shape, dtype=np.int8).astype(np.float64) - 1
    if given.ndim != 2 or given.shape[1] != shape[1]:
        raise InputError(f"probes came with shape {given.shape}; [n, {shape[1]}] is wanted")
    return np.array(given, dtype=np.float64)


def generator_wanted(rng: np.random.Generator | None) -> np.random.Generator:
    """rng itself; raises InputError where the caller gave none."""
    if rng is None:
        raise InputError("neither rng nor probes came; pass rng=numpy.random.default_rng(seed)")
    return rng
