"""The loss after S steps at a constant learning rate, from what is known at the start.

With the linear gain u = A (g + H theta) + xi around the start, and M = A^1/2 H A^1/2:

    loss(S) - loss(0) = - descent + noise
    descent = sum_j w_j (1 - (1 - eta lambda_j)^2S) / (2 lambda_j)       w: of A^1/2 g
    noise   = sum_j c_j lambda_j eta^2 / 2 * sum_k<S (1 - eta lambda_j)^2k  c: of A^-1/2 xi

At S = 1 these are eta g^T A g - eta^2/2 g^T A H A g and eta^2/2 Tr(H Cov u): the one-step law.
Own derivation (the recursion of a noisy quadratic, arXiv 1907.04164, in the update's metric).
"""

from __future__ import annotations

import numpy as np

from scaling_theory.spectral_measure import FloatArray, SpectralMeasure

SMALL = 1e-7
"""Below this eta |lambda| S the limits are taken: their error is of the order of its square."""


def quadratic_descent(
    signal: SpectralMeasure, learning_rates: FloatArray, steps: int
) -> FloatArray:
    """sum_j w_j (1 - (1 - eta lambda_j)^2S) / (2 lambda_j), [R], in nats; inf where it overflows.

    w: weights of A^-1/2 mu, which is A^1/2 g where the gain is linear.
    """
    rate, node = learning_rates[:, None], signal.nodes[None, :]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        left = (1 - rate * node) ** (2 * steps)
        gone = np.where(np.abs(rate * node) * steps < SMALL, rate * steps, (1 - left) / (2 * node))
        total: FloatArray = gone @ signal.weights
    return np.where(np.isnan(total), -np.inf, total)


def quadratic_noise(noise: SpectralMeasure, learning_rates: FloatArray, steps: int) -> FloatArray:
    """sum_j c_j lambda_j eta^2 / 2 sum_k<S (1 - eta lambda_j)^2k, [R], in nats."""
    rate, node = learning_rates[:, None], noise.nodes[None, :]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        ratio = (1 - rate * node) ** 2
        repeats = np.where(
            np.abs(ratio - 1) * steps < SMALL, float(steps), (ratio**steps - 1) / (ratio - 1)
        )
        total: FloatArray = (rate**2 / 2 * node * repeats) @ noise.weights
    return np.where(np.isnan(total), np.inf, total)
