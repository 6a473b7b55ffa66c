"""The loss after S steps, from what is known at the start: the local quadratic run forward.

The learning rate of step k is eta s_k, s the schedule's multiples. With the linear gain
u = A (g + H theta) + xi around the start, M = A^1/2 H A^1/2 and p_jk = 1 - eta s_k lambda_j:

    loss(S) - loss(0) = - descent + noise
    descent = sum_j w_j (1 - prod_k p_jk^2) / (2 lambda_j)              w: of A^1/2 g
    noise   = sum_j c_j lambda_j eta^2 / 2 sum_k s_k^2 prod_l>k p_jl^2  c: of A^-1/2 xi

At S = 1 these are eta g^T A g - eta^2/2 g^T A H A g and eta^2/2 Tr(H Cov u): the one-step law.
Own derivation (the recursion of a noisy quadratic, arXiv 1907.04164, in the update's metric).

A network has less to give than its flat directions promise: `saturated` bends the promise x into
a ln(1 + x / a), whose slope is 1 at the start of a run and a / x far along it.
"""

from __future__ import annotations

import numpy as np

from scaling_theory.spectral_measure import FloatArray, SpectralMeasure

SMALL = 1e-7
"""Below this eta |lambda| S the limit is taken: its error is of the order of its square."""


def quadratic_descent(
    signal: SpectralMeasure, learning_rates: FloatArray, multiples: FloatArray
) -> FloatArray:
    """sum_j w_j (1 - prod_k (1 - eta s_k lambda_j)^2) / (2 lambda_j), [R], nats; -inf: overflow.

    signal: weights of A^-1/2 mu, which is A^1/2 g where the gain is linear. learning_rates: peak
    eta, [R]. multiples: s, [S], of the schedule; ones for a constant learning rate.
    """
    rate, node = learning_rates[:, None], signal.nodes[None, :]
    far = float(multiples.sum())
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        left = np.ones(np.broadcast_shapes(rate.shape, node.shape))
        for multiple in multiples:
            left *= (1 - rate * multiple * node) ** 2
        small = np.abs(rate * node) * far < SMALL
        gone = np.where(small, rate * far, (1 - left) / (2 * node))
        total: FloatArray = gone @ signal.weights
    return np.where(np.isnan(total), -np.inf, total)


def quadratic_noise(
    noise: SpectralMeasure, learning_rates: FloatArray, multiples: FloatArray
) -> FloatArray:
    """sum_j c_j lambda_j eta^2/2 sum_k s_k^2 prod_l>k (1 - eta s_l lambda_j)^2, [R], in nats."""
    rate, node = learning_rates[:, None], noise.nodes[None, :]
    with np.errstate(over="ignore", invalid="ignore"):
        heard = np.zeros(np.broadcast_shapes(rate.shape, node.shape))
        for multiple in multiples:
            heard = heard * (1 - rate * multiple * node) ** 2 + multiple**2
        total: FloatArray = (rate**2 / 2 * node * heard) @ noise.weights
    return np.where(np.isnan(total), np.inf, total)


def saturated(descent: FloatArray, depth: float) -> FloatArray:
    """a ln(1 + x / a) of a promised descent x [R], nats; depth: a > 0, nats; infinity: x itself.

    Where x is below -a, further than any loss, minus infinity.
    """
    if np.isinf(depth):
        return descent
    with np.errstate(divide="ignore", over="ignore"):
        bent: FloatArray = depth * np.log1p(np.maximum(descent / depth, -1.0))
    return bent
