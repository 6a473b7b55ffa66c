"""The peaked form of the mean field: one maximum in beta, and the batches that belong to it."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.mean_field import attenuation
from scaling_theory.derivations.softsign_law import mean_field_drop, mean_field_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["peaked_form", "peaked_learning_rate"]


def peaked_learning_rate() -> sp.Expr:
    """eta_max / ((beta_noise / beta + beta / beta_noise) / 2)."""
    ratio = sy.beta_noise / sy.attenuation
    return sy.eta_max / ((ratio + 1 / ratio) / 2)


def peaked_form() -> tuple[Step, ...]:
    """η_max over a mean of β/β_noise and its inverse; noise batches and loss drop."""
    return (
        _peaked(),
        _turning(),
        _peak_batch(),
        _largest_drop(),
        _efficiency_batch(),
        _drop_law(),
        _difference(),
    )


def _peak_values() -> dict[sp.Symbol, sp.Expr]:
    """beta_noise and eta_max by T and the off-diagonal sum Q - T > 0."""
    return {
        sy.beta_noise: sp.sqrt(sy.T / (sy.Q - sy.T)),
        sy.eta_max: sy.A / (2 * sp.sqrt(sy.T * (sy.Q - sy.T))),
    }


def _with_positive_gap(expression: sp.Expr) -> sp.Expr:
    """Q = T + gap with a positive gap, so that the roots are real."""
    return expression.subs(sy.Q, sy.T + sp.Symbol("gap", positive=True))


_PEAKED = (
    "Mean field, Q = Σ sign(gᵢgⱼ)Hᵢⱼ > T = ΣHᵢᵢ, β_noise² = T/(Q − T), "
    "η_max = A/(2√(T(Q − T))). For Q ≤ T there is no peak and η* only rises."
)


def _peaked() -> Step:
    return Step(
        title="Peaked form",
        assumption=_PEAKED,
        equation=equate(sy.eta_star, peaked_learning_rate()),
        derived=_with_positive_gap(mean_field_rate()),
        how="βA/(T + β²(Q − T)) against the right side with β_noise and η_max put in.",
        source=sources.CURRENT_STATE,
        where={symbol: _with_positive_gap(value) for symbol, value in _peak_values().items()},
    )


def _turning() -> Step:
    beta, noise = sy.attenuation, sy.beta_noise
    claim = 2 * sy.eta_max * noise * (noise**2 - beta**2) / (noise**2 + beta**2) ** 2
    return Step(
        title="One maximum, at β = β_noise",
        assumption=_PEAKED,
        equation=equate(sp.Derivative(sy.eta_star, beta), claim),
        derived=sp.diff(peaked_learning_rate(), beta),
        how="Differentiation: positive below β_noise, negative above. β < 1 for finite B, so "
        "η* falls at large B exactly when β_noise < 1.",
        source=sources.CURRENT_STATE,
    )


def _batch_of_peak() -> sp.Expr:
    (batch,) = sp.solve(attenuation() ** 2 - sy.beta_noise**2, sy.B)
    return batch


def _peak_batch() -> Step:
    claim = sy.K * sy.beta_noise**2 / (1 - sy.beta_noise**2)
    return Step(
        title="Batch of the peak",
        assumption=_PEAKED + " K = cκ² = πκ²/2.",
        equation=equate(sy.B_peak, claim),
        derived=_batch_of_peak(),
        how="β(B) = β_noise is solved for B.",
        source=sources.CURRENT_STATE,
    )


def _mean_field_drop() -> sp.Expr:
    return mean_field_drop().subs(sy.attenuation, attenuation())


def _largest_drop() -> Step:
    claim = sy.beta_noise * sy.eta_max * sy.A / (1 + sy.beta_noise**2)
    values = {symbol: _with_positive_gap(value) for symbol, value in _peak_values().items()}
    return Step(
        title="Largest loss drop",
        assumption=_PEAKED,
        equation=equate(sy.drop_max, claim),
        derived=sp.limit(_with_positive_gap(_mean_field_drop()), sy.B, sp.oo),
        how="The limit B → ∞ of (E[u]ᵀg)²/(2E[uᵀHu]).",
        source=sources.CURRENT_STATE,
        where=values,
    )


def _efficiency() -> sp.Expr:
    """The batch at which the loss drop is half of its largest value."""
    drop = _mean_field_drop()
    (batch,) = sp.solve(sp.together(drop - sp.limit(drop, sy.B, sp.oo) / 2), sy.B)
    return batch


def _efficiency_batch() -> Step:
    claim = sy.K * sy.beta_noise**2 / (1 + sy.beta_noise**2)
    return Step(
        title="Efficiency scale",
        assumption=_PEAKED,
        equation=equate(sy.B_n, claim),
        derived=_with_positive_gap(_efficiency()),
        how="ΔL(B) = ΔL_max/2 is solved for B.",
        source=sources.CURRENT_STATE,
        where={sy.beta_noise: _with_positive_gap(_peak_values()[sy.beta_noise])},
    )


def _drop_law() -> Step:
    return Step(
        title="Loss drop against B",
        assumption=_PEAKED,
        equation=equate(sy.drop, sy.drop_max / (1 + sy.B_n / sy.B)),
        derived=_mean_field_drop(),
        how="The loss drop against the right side with its own limit and half-point put in: the "
        "form of SGD, hence the same hyperbola between steps and samples.",
        source=sources.CURRENT_STATE,
        where={
            sy.drop_max: sp.limit(_mean_field_drop(), sy.B, sp.oo),
            sy.B_n: _efficiency(),
        },
    )


def _difference() -> Step:
    efficiency = sy.K * sy.beta_noise**2 / (1 + sy.beta_noise**2)
    return Step(
        title="Efficiency scale against the peak",
        assumption=_PEAKED,
        equation=equate(1 / sy.B_n - 1 / sy.B_peak, 2 / sy.K),
        derived=1 / efficiency - 1 / _batch_of_peak(),
        how="Both batches are put in; with K = πκ²/2 the right side is 4/(πκ²).",
        source=sources.CURRENT_STATE,
    )
