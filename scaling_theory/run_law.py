"""The learning rate of a whole run, from the one-step terms and the momentum of its optimizer.

    eta*_run = c D / (rho_S Q + N)

with D = E[u]^T g, Q = E[u]^T H E[u] and N = Tr(H Cov u) at the start, c one number for all batch
sizes and epsilons (a tuned run fixes it), and rho_S the mean over the run's steps of

    rho_t = sum of squared weights of m_t = rho (1 + beta1^t) / (1 - beta1^t),
    rho = (1 - beta1) / (1 + beta1),

the weights of a bias-corrected average. Momentum divides the curvature along the mean update, not
the noise: on a quadratic the stationary variance is eta sigma^2 / (lambda (2 - eta lambda rho)), so
that rho stands beside the curvature that limits eta, while the noise enters in full. The view of
one step (kexue.fm/archives/11301, 11285) has rho at the noise. Without momentum rho_S = 1, and
eta*_run is c times the one-step optimum. Own derivation; whole runs in docs/results.md.
"""

from __future__ import annotations

import numpy as np

from scaling_theory.closed_averages import momentum_factor
from scaling_theory.errors import InputError
from scaling_theory.spectral_measure import FloatArray


def averaging_factors(beta1: float, steps: int) -> FloatArray:
    """rho_t for t = 1 to S, [S]: 1 at the first step, rho after many.

    Raises InputError for beta1 outside [0, 1) and for fewer than one step.
    """
    if not 0 <= beta1 < 1 or steps < 1:
        raise InputError(
            f"got beta1 {beta1:g} and {steps} steps, wanted beta1 in [0, 1) and at least 1 step"
        )
    left = beta1 ** np.arange(1, steps + 1)
    found: FloatArray = float(momentum_factor(beta1=beta1)) * (1 + left) / (1 - left)
    return found


def run_momentum_factor(beta1: float, multiples: FloatArray) -> float:
    """rho_S: the mean of rho_t over the steps, weighted by the schedule's multiples, [S]."""
    factors = averaging_factors(beta1, len(multiples))
    return float(factors @ multiples / multiples.sum())


def run_shape(descent: float, signal: float, noise: float, factor: float) -> float:
    """D / (rho_S Q + N): the learning rate of a run up to its one number c.

    Raises InputError where descent or curvature is not positive.
    """
    bend = factor * signal + noise
    if not (descent > 0 and bend > 0):
        raise InputError(
            f"got a descent of {descent:.3g} and a curvature of {bend:.3g}, wanted both positive: "
            "there is no optimum to speak of; measure on more sequences"
        )
    return descent / bend
