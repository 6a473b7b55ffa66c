"""Formulas eta*(B) of the laws that no derivation's closed form covers. Arrays broadcast.

B and every *_batch in one unit; eta_* in the unit of a learning rate.
"""

from __future__ import annotations

import numpy as np

from scaling_theory.closed_averages import mean_field_beta
from scaling_theory.closed_forms import canonical_learning_rate
from scaling_theory.laws.form import Array


def power(B: Array, eta_one: Array, exponent: Array | float) -> Array:
    """eta_one B^exponent: a straight line in logarithms."""
    return eta_one * B**exponent


def saturating(B: Array, eta_infinity: Array, noise_batch: Array, exponent: Array) -> Array:
    """eta_infinity (1 + B_n/B)^-exponent: the guess for Adam quoted in kexue.fm/archives/10542.

    Exponent 1 is SGD's law, 1/2 that of signs where the curvature is diagonal (same article).
    """
    return eta_infinity * (1 + noise_batch / B) ** -exponent


def canonical_epsilon(
    B: Array,
    eta_infinity: Array,
    noise_batch: Array,
    saturation_batch: Array,
    epsilon_scale: Array,
    epsilon: Array,
) -> Array:
    """eta_infinity sqrt(1 + (epsilon/e)^2 + K/B) / (1 + B_n/B): one curve per epsilon.

    Own derivation from (2.8) of kexue.fm/archives/10563 with |g_i| = e throughout: epsilon makes
    A/Q larger by 1 + (epsilon/e)^2 under a root, K = c sigma^2/(g^2 + epsilon^2) smaller by the
    same, and leaves B_n = K T/Q alone. eta_infinity, noise_batch, saturation_batch: at epsilon 0.
    """
    softened = 1 + (epsilon / epsilon_scale) ** 2
    return canonical_learning_rate(
        eta_infinity=eta_infinity * np.sqrt(softened),
        noise_batch=noise_batch,
        saturation_batch=saturation_batch / softened,
        batch_size=B,
    )


def two_groups(
    B: Array,
    eta_infinity: Array,
    noise_ratio: Array,
    first_saturation: Array,
    saturation_ratio: Array,
    second_share: Array,
) -> Array:
    """eta_infinity (b1 + s b2) / (q(b1) + s q(b2)), b_k = (1 + K_k/B)^(-1/2).

    q(b) = b^2 + t (1 - b^2).
    The law of several signal-to-noise ratios (own derivation from kexue.fm/archives/10563
    section 2.5, one beta per group) for two groups without curvature between them, one t = T/Q
    and one A/Q; s: A of the second group over that of the first. s = 0 is the canonical law.
    saturation_ratio: K_2/K_1, above 1, or the groups could change places.
    """
    first = mean_field_beta(kappa2=first_saturation, shape_constant=1.0, batch_size=B)
    second_saturation = first_saturation * saturation_ratio
    second = mean_field_beta(kappa2=second_saturation, shape_constant=1.0, batch_size=B)
    descent = first + second_share * second
    curvature = (1 - noise_ratio) * (first**2 + second_share * second**2)
    return np.asarray(eta_infinity * descent / (curvature + noise_ratio * (1 + second_share)))


def two_slopes(B: Array, eta_break: Array, break_batch: Array, rise: Array, fall: Array) -> Array:
    """2 eta_break / ((b/B)^rise + (B/b)^fall): a power law below b and another above.

    rise = fall = 1/2 is the Surge paper's curve (arXiv 2405.14578, theorem 3); fall < 0 rises on.
    """
    ratio = B / break_batch
    return 2 * eta_break / (ratio**-rise + ratio**fall)
