"""Closed forms of the laws, as numpy functions. Generated; do not edit.

`python -m empirical.cli.derive` writes it again from the derivations. Arguments are keywords,
converted to float64 and broadcast; the result is a float64 array (0-dimensional for numbers).
Nothing is checked here: outside the domain of a formula the result is NaN, infinite or a warning
of numpy. Batch sizes carry the unit of the noise they came with.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Real = ArrayLike


def _array(value: Real) -> Array:
    return np.asarray(value, dtype=np.float64)


def _arrays(*values: Real) -> list[Array]:
    return [_array(value) for value in values]


def sgd_learning_rate(*, eta_max: Real, noise_batch: Real, batch_size: Real) -> Array:
    """Optimal learning rate of one step of SGD. McCandlish et al. 2018, arXiv 1812.06162.

    eta_max / (1 + noise_batch / batch_size)
    """
    eta_max_, B_noise, B = _arrays(eta_max, noise_batch, batch_size)
    return _array(eta_max_ / (1 + B_noise / B))


def sgd_loss_drop(*, largest_drop: Real, noise_batch: Real, batch_size: Real) -> Array:
    """Expected loss drop of one optimal step of SGD. McCandlish et al. 2018, arXiv 1812.06162.

    largest_drop / (1 + noise_batch / batch_size)
    """
    drop_max, B_noise, B = _arrays(largest_drop, noise_batch, batch_size)
    return _array(drop_max / (1 + B_noise / B))


def steps_to_goal(*, fewest_steps: Real, noise_batch: Real, batch_size: Real) -> Array:
    """Optimizer steps to a goal. McCandlish et al. 2018, arXiv 1812.06162.

    fewest_steps * (1 + noise_batch / batch_size)
    """
    S_min, B_noise, B = _arrays(fewest_steps, noise_batch, batch_size)
    return _array(S_min * (1 + B_noise / B))


def samples_to_goal(*, fewest_samples: Real, noise_batch: Real, batch_size: Real) -> Array:
    """Samples to a goal. McCandlish et al. 2018, arXiv 1812.06162.

    fewest_samples * (batch_size / noise_batch + 1)
    """
    E_min, B_noise, B = _arrays(fewest_samples, noise_batch, batch_size)
    return _array(E_min * (B / B_noise + 1))


def mean_field_learning_rate(
    *, descent: Real, signal_curvature: Real, trace: Real, beta: Real
) -> Array:
    """Optimal learning rate of SoftSignSGD in the mean field. kexue.fm/archives/10563.

    beta * descent / (beta**2 * (signal_curvature - trace) + trace)
    """
    A, Q, T, attenuation = _arrays(descent, signal_curvature, trace, beta)
    return _array(A * attenuation / (T + attenuation**2 * (Q - T)))


def surge_learning_rate(*, eta_max: Real, noise_batch: Real, batch_size: Real) -> Array:
    """Learning rate of SignSGD far below saturation. Li et al. 2024, arXiv 2405.14578.

    eta_max / (1 / 2 * sqrt(batch_size) / sqrt(noise_batch) + 1 / 2 * sqrt(noise_batch) /
        sqrt(batch_size))
    """
    eta_max_, B_surge, B = _arrays(eta_max, noise_batch, batch_size)
    part0 = np.sqrt(B)
    part1 = np.sqrt(B_surge)
    return _array(eta_max_ / (1 / 2 * part0 / part1 + 1 / 2 * part1 / part0))


def noise_curvature_fit(
    *, at_small_batch: Real, scale_batch: Real, sharpness: Real, batch_size: Real
) -> Array:
    """Noise curvature against the batch, a form for fits. own derivation.

    at_small_batch * ((batch_size / scale_batch) ** sharpness + 1) ** (-1 / sharpness)
    """
    noise_start, B_N, p, B = _arrays(at_small_batch, scale_batch, sharpness, batch_size)
    return _array(noise_start * ((B / B_N) ** p + 1) ** (-1 / p))


def crossover_learning_rate(
    *,
    eta_max: Real,
    gradient: Real,
    sigma: Real,
    epsilon: Real,
    momentum_factor: Real,
    noise_batch: Real,
    batch_size: Real,
) -> Array:
    """Learning rate of Adam, sqrt(v) + epsilon times the one-step rate of SGD. own derivation.

    eta_max * (epsilon + sqrt(gradient**2 + sigma**2 / batch_size)) / (1 + momentum_factor *
        noise_batch / batch_size)
    """
    eta_max_, g, sigma_, epsilon_, rho, B_n, B = _arrays(
        eta_max, gradient, sigma, epsilon, momentum_factor, noise_batch, batch_size
    )
    return _array(eta_max_ * (epsilon_ + np.sqrt(g**2 + sigma_**2 / B)) / (1 + B_n * rho / B))


def adam_learning_rate(
    *, descent: Real, signal_curvature: Real, trace: Real, momentum_factor: Real, beta: Real
) -> Array:
    """Learning rate of Adam, stationary averages, one step. kexue.fm/archives/11301.

    descent / (beta * (-momentum_factor * trace + signal_curvature) + momentum_factor * trace /
        beta)
    """
    A, Q, T, rho, attenuation = _arrays(descent, signal_curvature, trace, momentum_factor, beta)
    return _array(A / (T * rho / attenuation + attenuation * (Q - T * rho)))


def efficiency_batch(*, saturation_batch: Real, signal_curvature: Real, trace: Real) -> Array:
    """Batch at which the loss drop is half of its largest. own derivation.

    saturation_batch * trace / signal_curvature
    """
    K, Q, T = _arrays(saturation_batch, signal_curvature, trace)
    return _array(K * T / Q)


def surge_noise_batch(*, saturation_batch: Real, signal_curvature: Real, trace: Real) -> Array:
    """Noise batch of the Surge paper, one SNR throughout. Li et al. 2024, arXiv 2405.14578.

    saturation_batch * trace / (signal_curvature - trace)
    """
    K, Q, T = _arrays(saturation_batch, signal_curvature, trace)
    return _array(K * T / (Q - T))


def canonical_learning_rate(
    *, eta_infinity: Real, noise_batch: Real, saturation_batch: Real, batch_size: Real
) -> Array:
    """Optimal learning rate in the canonical form. own derivation.

    eta_infinity * sqrt(1 + saturation_batch / batch_size) / (1 + noise_batch / batch_size)
    """
    eta_infinity_, B_n, K, B = _arrays(eta_infinity, noise_batch, saturation_batch, batch_size)
    return _array(eta_infinity_ * np.sqrt(1 + K / B) / (1 + B_n / B))


def canonical_loss_drop_ratio(*, noise_batch: Real, batch_size: Real) -> Array:
    """Loss drop at the optimum over its value at infinite batch. own derivation.

    1 / (1 + noise_batch / batch_size)
    """
    B_n, B = _arrays(noise_batch, batch_size)
    return _array(1 / (1 + B_n / B))


def canonical_log_slope(*, noise_batch: Real, saturation_batch: Real, batch_size: Real) -> Array:
    """Logarithmic slope of the canonical learning rate over the batch. own derivation.

    noise_batch / (batch_size + noise_batch) - saturation_batch / (2 * batch_size + 2 *
        saturation_batch)
    """
    B_n, K, B = _arrays(noise_batch, saturation_batch, batch_size)
    return _array(B_n / (B + B_n) - K / (2 * B + 2 * K))


def canonical_peak_batch(*, noise_batch: Real, saturation_batch: Real) -> Array:
    """Batch of the largest canonical learning rate; negative without a surge. own derivation.

    noise_batch * saturation_batch / (-2 * noise_batch + saturation_batch)
    """
    B_n, K = _arrays(noise_batch, saturation_batch)
    return _array(B_n * K / (-2 * B_n + K))


def canonical_peak_learning_rate(
    *, eta_infinity: Real, noise_batch: Real, saturation_batch: Real
) -> Array:
    """Largest canonical learning rate, where there is a surge. own derivation.

    1 / 2 * eta_infinity * saturation_batch / (sqrt(noise_batch) * sqrt(-noise_batch +
        saturation_batch))
    """
    eta_infinity_, B_n, K = _arrays(eta_infinity, noise_batch, saturation_batch)
    return _array(1 / 2 * K * eta_infinity_ / (np.sqrt(B_n) * np.sqrt(-B_n + K)))
