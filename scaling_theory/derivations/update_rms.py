"""The RMS of Adam's update, and the noise scale read off it."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.momentum import momentum_factor
from scaling_theory.derivations.step import Step, equate
from scaling_theory.derivations.variance import batch_variance

__all__ = ["adam_update_rms", "noise_scale_from_rms", "snr_from_rms", "update_rms"]

_STATIONARY = (
    "Stationary averages, β₂ → 1 so that v = g² + σ²/B; SNR = Σg²/Σ(σ²/B) of the batch gradient, "
    "one SNR for all coordinates; ρ = (1 − β₁)/(1 + β₁)."
)


def update_rms() -> sp.Expr:
    """sqrt((SNR + rho) / (SNR + 1))."""
    return sp.sqrt((sy.snr + sy.rho) / (sy.snr + 1))


def snr_from_rms() -> sp.Expr:
    """(r^2 - rho) / (1 - r^2)."""
    return (sy.rms**2 - sy.rho) / (1 - sy.rms**2)


def noise_scale_from_rms() -> sp.Expr:
    """B_simple = B / SNR = B (1 - r^2) / (r^2 - rho)."""
    return sy.B / snr_from_rms()


def adam_update_rms() -> tuple[Step, ...]:
    """Forward, at pure noise, and backward as an estimator."""
    return (_forward(), _pure_noise(), _pure_noise_value(), _inverse(), _noise_scale())


def _forward() -> Step:
    noise = sy.g**2 / sy.snr
    square = (sy.g**2 + momentum_factor() * noise) / (sy.g**2 + noise)
    return Step(
        title="RMS of the update",
        assumption=_STATIONARY,
        equation=equate(sy.rms**2, update_rms() ** 2),
        derived=square,
        how="E[m²]/v = (g² + ρσ²/B)/(g² + σ²/B) with σ²/B = g²/SNR.",
        source=sources.UPDATE_RMS,
        where={sy.rho: momentum_factor()},
        approximate=True,
    )


def _pure_noise() -> Step:
    return Step(
        title="Pure noise",
        assumption=_STATIONARY,
        equation=equate(sp.Limit(sy.rms, sy.snr, 0), sp.sqrt(sy.rho)),
        derived=sp.limit(update_rms(), sy.snr, 0),
        how="The limit SNR → 0.",
        source=sources.UPDATE_RMS,
    )


def _pure_noise_value() -> Step:
    value = update_rms().subs(sy.snr, 0).subs(sy.rho, momentum_factor())
    return Step(
        title="... at β₁ = 0.9",
        assumption=_STATIONARY,
        equation=equate(sy.rms, 1 / sp.sqrt(19)),
        derived=value.subs(sy.beta1, sp.Rational(9, 10)),
        how="ρ = 1/19: 0.2294, the RMS of 0.2 that is seen in practice.",
        source=sources.UPDATE_RMS,
    )


def _inverse() -> Step:
    (solution,) = sp.solve(update_rms() ** 2 - sy.rms**2, sy.snr)
    return Step(
        title="SNR from the RMS",
        assumption=_STATIONARY + " √ρ < r < 1; r near √ρ identifies nothing.",
        equation=equate(sy.snr, snr_from_rms()),
        derived=solution,
        how="Solved for SNR. r may also be measured as ‖m‖/‖g̃‖.",
        source=sources.OWN,
    )


def _noise_scale() -> Step:
    (solution,) = sp.solve(update_rms() ** 2 - sy.rms**2, sy.snr)
    signal = sy.g**2 / batch_variance()
    (batch,) = sp.solve(signal - sy.snr, sy.B)
    scale = sy.sigma**2 / sy.g**2 * sy.B / batch
    return Step(
        title="Noise scale from the RMS",
        assumption=_STATIONARY,
        equation=equate(sy.B_simple, noise_scale_from_rms()),
        derived=scale.subs(sy.snr, solution),
        how="SNR = Bg²/σ² gives B_simple = σ²/g² = B/SNR: a noise scale without extra gradients.",
        source=sources.OWN,
    )
