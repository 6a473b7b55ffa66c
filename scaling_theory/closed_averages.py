"""Closed forms of moments and averages, as numpy functions. Generated; do not edit.

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


def algebraic_mean(*, gradient: Real, noise: Real, epsilon: Real, shape_constant: Real) -> Array:
    """Mean of the softsign, algebraic substitute. kexue.fm/archives/10563.

    gradient / sqrt(epsilon**2 + gradient**2 + noise**2 * shape_constant)
    """
    g, s, epsilon_, c = _arrays(gradient, noise, epsilon, shape_constant)
    return _array(g / np.sqrt(c * s**2 + epsilon_**2 + g**2))


def algebraic_second_moment(
    *, gradient: Real, noise: Real, epsilon: Real, shape_constant: Real
) -> Array:
    """Second moment of the softsign, algebraic substitute. kexue.fm/archives/10563.

    (gradient**2 + noise**2 * shape_constant) / (epsilon**2 + gradient**2 + noise**2 *
        shape_constant)
    """
    g, s, epsilon_, c = _arrays(gradient, noise, epsilon, shape_constant)
    return _array((c * s**2 + g**2) / (c * s**2 + epsilon_**2 + g**2))


def algebraic_gain(*, gradient: Real, noise: Real, epsilon: Real, shape_constant: Real) -> Array:
    """Derivative of the algebraic mean by the gradient. own derivation.

    (epsilon**2 + noise**2 * shape_constant) / (epsilon**2 + gradient**2 + noise**2 *
        shape_constant) ** (3 / 2)
    """
    g, s, epsilon_, c = _arrays(gradient, noise, epsilon, shape_constant)
    return _array((c * s**2 + epsilon_**2) / (c * s**2 + epsilon_**2 + g**2) ** (3 / 2))


def mean_field_beta(*, kappa2: Real, shape_constant: Real, batch_size: Real) -> Array:
    """Damping of the mean update by noise in the mean field. kexue.fm/archives/10563.

    1 / sqrt(1 + kappa2 * shape_constant / batch_size)
    """
    kappa2_, c, B = _arrays(kappa2, shape_constant, batch_size)
    return _array(1 / np.sqrt(1 + c * kappa2_ / B))


def mean_field_second_moment(*, update: Real, beta: Real) -> Array:
    """Second moment of the update in the mean field. kexue.fm/archives/10563.

    beta**2 * update**2 - beta**2 + 1
    """
    u, attenuation = _arrays(update, beta)
    return _array(attenuation**2 * u**2 - attenuation**2 + 1)


def beta_from_half_life(*, half_life: Real, tokens_per_step: Real) -> Array:
    """Averaging factor whose half-life is that many tokens. Marek et al. 2025, arXiv 2507.07101.

    2 ** (-tokens_per_step / half_life)
    """
    half_life_, tokens = _arrays(half_life, tokens_per_step)
    return _array(2 ** (-tokens / half_life_))


def half_life_from_beta(*, beta: Real, tokens_per_step: Real) -> Array:
    """Tokens in which an average forgets half. Marek et al. 2025, arXiv 2507.07101.

    -tokens_per_step * log(2) / log(beta)
    """
    beta2, tokens = _arrays(beta, tokens_per_step)
    return _array(-tokens * np.log(2) / np.log(beta2))


def momentum_factor(*, beta1: Real) -> Array:
    """Share of its variance that a moving average keeps. kexue.fm/archives/11301.

    (1 - beta1) / (beta1 + 1)
    """
    (beta1_,) = _arrays(beta1)
    return _array((1 - beta1_) / (beta1_ + 1))


def update_rms(*, snr: Real, momentum_factor: Real) -> Array:
    """RMS of Adam's update at a signal-to-noise ratio. kexue.fm/archives/11267.

    sqrt(momentum_factor + snr) / sqrt(snr + 1)
    """
    snr_, rho = _arrays(snr, momentum_factor)
    return _array(np.sqrt(rho + snr_) / np.sqrt(snr_ + 1))


def snr_from_update_rms(*, rms: Real, momentum_factor: Real) -> Array:
    """Signal-to-noise ratio of the batch gradient from the RMS of Adam's update. own derivation.

    (-momentum_factor + rms**2) / (1 - rms**2)
    """
    rms_, rho = _arrays(rms, momentum_factor)
    return _array((-rho + rms_**2) / (1 - rms_**2))


def noise_scale_from_update_rms(*, rms: Real, momentum_factor: Real, batch_size: Real) -> Array:
    """Simple noise scale from the RMS of Adam's update. own derivation.

    batch_size * (1 - rms**2) / (-momentum_factor + rms**2)
    """
    rms_, rho, B = _arrays(rms, momentum_factor, batch_size)
    return _array(B * (1 - rms_**2) / (-rho + rms_**2))


def adamw_weight_rms(*, learning_rate: Real, weight_decay: Real) -> Array:
    """RMS of AdamW's weights under pure noise. kexue.fm/archives/11307 and 11404.

    1 / 2 * sqrt(2) * sqrt(learning_rate) / sqrt(weight_decay)
    """
    eta, decay = _arrays(learning_rate, weight_decay)
    return _array(1 / 2 * np.sqrt(2) * np.sqrt(eta) / np.sqrt(decay))
