"""The articles' algebraic substitutes for the moments: no special functions, stated errors.

Against the exact softsign moments `algebraic` is off by up to 0.108 in the mean and 0.307 in the
second moment.
"""

import math

import numpy as np

from scaling_theory.moments.functions import softsign, softsign_slope
from scaling_theory.moments.record import Array


def algebraic_moments(g: Array, s: Array, epsilon: Array) -> tuple[Array, Array, Array]:
    """Mean, variance and gain per coordinate with c = pi / 2.

    mean = g / sqrt(g^2 + epsilon^2 + c s^2), second = 1 - epsilon^2 / (g^2 + epsilon^2 + c s^2)
    (kexue.fm/archives/10563); gain is the derivative of that mean by g.
    """
    noise = math.sqrt(math.pi / 2) * s
    width = np.hypot(epsilon, noise)
    root = np.hypot(g, width)
    safe = np.where(root > 0, root, 1.0)
    return softsign(g, width), (noise / safe) ** 2, softsign_slope(g, width)


def noise_to_signal(g: Array, s: Array, epsilon: Array) -> Array:
    """kappa^2 / B = sum s^2 / sum (g^2 + epsilon^2) over the last axis: a RATIO OF MEANS.

    Both sums run over the coordinates with s > 0. kappa^2 stands in for the noise-to-signal ratio
    of the coordinates that carry noise; never-used ones (s = g = 0, such as the embedding rows of
    absent bytes) would add nothing but epsilon^2 to the denominator and dilute it.
    Infinite if there is noise but neither signal nor epsilon; 0 if there is no noise.
    """
    noise = np.where(s > 0, s, 0.0)
    level = np.where(s > 0, np.hypot(g, epsilon), 0.0)
    # A common unit keeps the squares from overflowing.
    scale = np.max(np.maximum(noise, level), axis=-1, keepdims=True)
    unit = np.where(scale > 0, scale, 1.0)
    power = np.sum((noise / unit) ** 2, axis=-1, keepdims=True)
    signal = np.sum((level / unit) ** 2, axis=-1, keepdims=True)
    infinite: Array = np.where(power > 0, math.inf, 0.0)
    np.divide(power, signal, out=infinite, where=signal > 0)
    return infinite


def mean_field_moments(
    g: Array, s: Array, epsilon: Array, shape_constant: float
) -> tuple[Array, Array, Array]:
    """Mean, variance and gain with one noise-to-signal ratio for all coordinates (last axis).

    mean = u beta, second = u^2 beta^2 + 1 - beta^2, gain = beta phi'(g), where u = softsign(g),
    beta^2 = 1 / (1 + c kappa^2 / B), kappa^2 a ratio of means (see noise_to_signal).
    c = pi / 2: kexue.fm/archives/10563; c = 1: kexue.fm/archives/11280.
    A coordinate without noise keeps mean u and variance 0.
    """
    # 1 - beta^2 = K / (B + K) as 1 / (1 + B / K): no cancellation at small K, none at infinite K.
    ratio = np.where(s > 0, shape_constant * noise_to_signal(g, s, epsilon), 0.0)
    inverse = np.divide(1, ratio, out=np.full(ratio.shape, math.inf), where=ratio > 0)
    root = 1 / np.sqrt(1 + ratio)  # beta
    return softsign(g, epsilon) * root, 1 / (1 + inverse), root * softsign_slope(g, epsilon)
