"""Which expressions become numpy functions: moments of the update, averages, RMS."""

from __future__ import annotations

from scaling_theory import symbols as sy
from scaling_theory.derivations import (
    half_life,
    mean_field,
    momentum,
    softsign,
    sources,
    update_rms,
    weight_rms,
)
from scaling_theory.numeric import ClosedForm

__all__ = ["closed_averages"]

_BATCH = {"batch_size": sy.B}
_SHAPE = {"shape_constant": sy.c}
_FACTOR = {"momentum_factor": sy.rho}
_COORDINATE = {"gradient": sy.g, "noise": sy.s, "epsilon": sy.epsilon}


def closed_averages() -> tuple[ClosedForm, ...]:
    """Closed forms of moments and averages, in the order of the derivations."""
    return (*_moments(), *_averages())


def _moments() -> tuple[ClosedForm, ...]:
    algebraic = _COORDINATE | _SHAPE
    beta = mean_field.attenuation().subs(sy.K, mean_field.saturation_batch())
    return (
        ClosedForm(
            "algebraic_mean",
            "Mean of the softsign, algebraic substitute",
            softsign.algebraic_mean(),
            algebraic,
            sources.EPSILON,
        ),
        ClosedForm(
            "algebraic_second_moment",
            "Second moment of the softsign, algebraic substitute",
            softsign.algebraic_second(),
            algebraic,
            sources.EPSILON,
        ),
        ClosedForm(
            "algebraic_gain",
            "Derivative of the algebraic mean by the gradient",
            softsign.algebraic_gain(),
            algebraic,
            sources.OWN,
        ),
        ClosedForm(
            "mean_field_beta",
            "Damping of the mean update by noise in the mean field",
            beta,
            {"kappa2": sy.kappa2} | _SHAPE | _BATCH,
            sources.EPSILON,
        ),
        ClosedForm(
            "mean_field_second_moment",
            "Second moment of the update in the mean field",
            mean_field.mean_field_second(),
            {"update": sy.u, "beta": sy.attenuation},
            sources.EPSILON,
        ),
    )


def _averages() -> tuple[ClosedForm, ...]:
    rms = {"rms": sy.rms} | _FACTOR
    return (
        ClosedForm(
            "beta_from_half_life",
            "Averaging factor whose half-life is that many tokens",
            half_life.beta_from_half_life(),
            {"half_life": sy.half_life, "tokens_per_step": sy.tokens},
            sources.MAREK,
        ),
        ClosedForm(
            "half_life_from_beta",
            "Tokens in which an average forgets half",
            half_life.half_life_from_beta(),
            {"beta": sy.beta2, "tokens_per_step": sy.tokens},
            sources.MAREK,
        ),
        ClosedForm(
            "momentum_factor",
            "Share of its variance that a moving average keeps",
            momentum.momentum_factor(),
            {"beta1": sy.beta1},
            sources.MOMENTUM,
        ),
        ClosedForm(
            "update_rms",
            "RMS of Adam's update at a signal-to-noise ratio",
            update_rms.update_rms(),
            {"snr": sy.snr} | _FACTOR,
            sources.UPDATE_RMS,
        ),
        ClosedForm(
            "snr_from_update_rms",
            "Signal-to-noise ratio of the batch gradient from the RMS of Adam's update",
            update_rms.snr_from_rms(),
            rms,
            sources.OWN,
        ),
        ClosedForm(
            "noise_scale_from_update_rms",
            "Simple noise scale from the RMS of Adam's update",
            update_rms.noise_scale_from_rms(),
            rms | _BATCH,
            sources.OWN,
        ),
        ClosedForm(
            "adamw_weight_rms",
            "RMS of AdamW's weights under pure noise",
            weight_rms.weight_rms_limit(),
            {"learning_rate": sy.eta, "weight_decay": sy.decay},
            sources.WEIGHT_RMS,
        ),
    )
