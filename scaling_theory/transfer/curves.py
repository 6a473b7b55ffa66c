"""The one-step curves eta*(B) of the articles, up to their prefactor, as functions of floats.

Every batch size in one unit. The formulas are those derived in `closed_forms`; here they only get
their prefactor 1 and the arguments that a transfer varies.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

from scaling_theory.canonical import CanonicalLaw
from scaling_theory.closed_averages import mean_field_beta, momentum_factor
from scaling_theory.closed_forms import (
    adam_learning_rate,
    crossover_learning_rate,
    sgd_learning_rate,
    surge_learning_rate,
    surge_noise_batch,
)
from scaling_theory.estimate import Estimate, fewest_samples


def linear_saturating(B: float, noise_batch: float) -> float:
    """1 / (1 + B_noise/B): SGD, arXiv 1812.06162 section 2.2 (kexue.fm/archives/10542)."""
    return float(sgd_learning_rate(eta_max=1.0, noise_batch=noise_batch, batch_size=B))


def surge_curve(B: float, peak_batch: float) -> float:
    """2 / (sqrt(P/B) + sqrt(B/P)), 1 at the peak P: arXiv 2405.14578, theorem 3."""
    return float(surge_learning_rate(eta_max=1.0, noise_batch=peak_batch, batch_size=B))


def surge_peak(simple_batch: float, curvature_ratio: float) -> float:
    """(pi/2) B_simple / (Q/T - 1): arXiv 2405.14578 equation 14, every coordinate alike."""
    return float(
        surge_noise_batch(
            saturation_batch=pi / 2 * simple_batch, signal_curvature=curvature_ratio, trace=1.0
        )
    )


def canonical_curve(B: float, noise_batch: float, saturation_batch: float) -> float:
    """sqrt(1 + K/B) / (1 + B_n/B): kexue.fm/archives/10563 section 2.5 in canonical form."""
    return CanonicalLaw(1.0, noise_batch, saturation_batch).learning_rate(B)


def adam_ema_curve(B: float, simple_batch: float, curvature_ratio: float, beta1: float) -> float:
    """1 / (rho/b + b (Q/T - rho)), b = (1 + B_simple/B)^(-1/2), rho = (1-beta1)/(1+beta1).

    kexue.fm/archives/11301: Adam with sqrt(v) settled; Q = sign(g)^T H sign(g), T = Tr H.
    """
    return float(
        adam_learning_rate(
            descent=1.0,
            signal_curvature=curvature_ratio,
            trace=1.0,
            momentum_factor=momentum_factor(beta1=beta1),
            beta=mean_field_beta(kappa2=simple_batch, shape_constant=1.0, batch_size=B),
        )
    )


def epsilon_crossover_curve(
    B: float, epsilon: float, rms_gradient: float, rms_sigma: float, noise_batch: float
) -> float:
    """(sqrt(g^2 + sigma^2/B) + epsilon) / (1 + B_n/B): own derivation, Adam's epsilon outside
    the root; the learning rate of Adam is (sqrt(v) + epsilon) times that of SGD.
    """
    return float(
        crossover_learning_rate(
            eta_max=1.0,
            gradient=rms_gradient,
            sigma=rms_sigma,
            epsilon=epsilon,
            # Momentum's one-step factor has no first-order effect over many steps.
            momentum_factor=1.0,
            noise_batch=noise_batch,
            batch_size=B,
        )
    )


def propagate(function: Callable[..., float], *inputs: Estimate) -> Estimate:
    """function(values) with the delta-method standard error of independent inputs.

    Central differences over 1e-4 of each input: their relative error is of the order 1e-8.
    """
    values = [estimate.value for estimate in inputs]
    variance = 0.0
    for i, estimate in enumerate(inputs):
        if estimate.standard_error == 0:
            continue
        step = 1e-4 * abs(estimate.value)
        above, below = ([*values[:i], values[i] + h, *values[i + 1 :]] for h in (step, -step))
        slope = (function(*above) - function(*below)) / (2 * step)
        variance += (slope * estimate.standard_error) ** 2
    return Estimate(function(*values), sqrt(variance), fewest_samples(inputs))
