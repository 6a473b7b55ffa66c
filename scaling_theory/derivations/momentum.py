"""Momentum and Adam in the stationary view of their averages."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import quadratic_form, total, trace
from scaling_theory.derivations.one_step import optimal_learning_rate
from scaling_theory.derivations.sgd import sgd_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["ADAM", "adam_average", "adam_rate", "momentum_factor"]

_STATIONARY = "m = (1 − β₁)Σβ₁ᵏg̃ₖ at constant g and Σ, long after the start."
ADAM = (
    _STATIONARY + " v → g² + σ²/B (β₂ → 1), mean field with c = 1: β = (1 + B_simple/B)^(−1/2); "
    "independent coordinates, ε = 0. A = Σ|gᵢ|, Q = Σ sign(gᵢgⱼ)Hᵢⱼ, T = Tr H."
)


def momentum_factor() -> sp.Expr:
    """rho = (1 - beta1) / (1 + beta1)."""
    return (1 - sy.beta1) / (1 + sy.beta1)


def adam_rate() -> sp.Expr:
    """A / (rho T / beta + beta (Q - rho T))."""
    beta = sy.attenuation
    return sy.A / (sy.rho * sy.T / beta + beta * (sy.Q - sy.rho * sy.T))


def adam_average() -> tuple[Step, ...]:
    """Noise left by the average; the rate of SGD with momentum and of Adam."""
    return (
        _mean(),
        _variance(),
        _factor_value(),
        _sgd(),
        _second(),
        _spread(),
        _rate(),
    )


def _geometric(power: int) -> sp.Expr:
    """Sum over the past of the averaging weights to some power."""
    ratio = sp.Dummy("ratio", positive=True)
    # Summed for |ratio| < 1, which sympy does not know of beta1.
    series = sp.summation(ratio**sy.n, (sy.n, 0, sp.oo))
    inside = series.args[0][0] if isinstance(series, sp.Piecewise) else series
    return (1 - sy.beta1) ** power * inside.subs(ratio, sy.beta1**power)


def _mean() -> Step:
    return Step(
        title="Mean of the average",
        assumption=_STATIONARY,
        equation=equate(sy.average_mean, sy.g),
        derived=sy.g * _geometric(1),
        how="The weights (1 − β₁)β₁ᵏ are summed.",
        source=sources.MOMENTUM,
    )


def _variance() -> Step:
    return Step(
        title="Noise left by the average",
        assumption=_STATIONARY,
        equation=equate(sy.rho, momentum_factor()),
        derived=_geometric(2),
        how="Squared weights are summed: Cov(m) = ρΣ/B.",
        source=sources.MOMENTUM,
    )


def _factor_value() -> Step:
    return Step(
        title="At β₁ = 0.9",
        assumption="β₁ = 0.9.",
        equation=equate(sp.sqrt(sy.rho), sp.Float("0.22942")),
        derived=sp.sqrt(_geometric(2)).subs(sy.beta1, sp.Rational(9, 10)),
        how="√ρ to half a unit of the last digit.",
        source=sources.UPDATE_RMS,
        tolerance=5e-6,
    )


def _sgd() -> Step:
    rate = sgd_learning_rate()
    averaged = optimal_learning_rate(sy.A, sy.Q + _geometric(2) * sy.B_noise * sy.Q / sy.B)
    return Step(
        title="SGD with momentum",
        assumption=_STATIONARY + " One step of u = m; η_max = A/Q with A = gᵀg and Q = gᵀHg.",
        equation=equate(sy.eta_star, rate.subs(sy.B_noise, sy.rho * sy.B_noise)),
        derived=averaged,
        how="E[mᵀHm] = gᵀHg + ρTr(ΣH)/B: momentum stands for a batch 1/ρ times larger, in this "
        "view of one step.",
        source=sources.MOMENTUM,
        where={sy.eta_max: sy.A / sy.Q, sy.rho: momentum_factor()},
    )


def _batch_noise() -> sp.Expr:
    """sigma^2 / B = g^2 (1 / beta^2 - 1) in terms of the attenuation."""
    return sy.g**2 * (1 / sy.attenuation**2 - 1)


def _moments() -> tuple[sp.Expr, sp.Expr]:
    """|E[u]| and E[u^2] of u = m / sqrt(v)."""
    root = sp.sqrt(sy.g**2 + _batch_noise())
    size = sp.sqrt(sy.g**2) / root
    return size, (sy.g**2 + sy.rho * _batch_noise()) / root**2


def _second() -> Step:
    return Step(
        title="Second moment of Adam's update",
        assumption=ADAM,
        equation=equate(
            sy.V + sy.mu**2, 2 * sy.beta1 / (1 + sy.beta1) * sy.attenuation**2 + sy.rho
        ),
        derived=_moments()[1].subs(sy.rho, momentum_factor()),
        how="(g² + ρσ²/B)/(g² + σ²/B) with σ²/B = g²(β⁻² − 1).",
        source=sources.MOMENTUM,
        where={sy.rho: momentum_factor()},
        approximate=True,
    )


def _spread() -> Step:
    mean, second = _moments()
    return Step(
        title="Variance of Adam's update",
        assumption=ADAM,
        equation=equate(sy.V, sy.rho * (1 - sy.attenuation**2)),
        derived=sp.simplify(second - mean**2),
        how="Second moment minus squared mean.",
        source=sources.MOMENTUM,
        approximate=True,
    )


def _rate() -> Step:
    size = 2
    signs = {1: 1, 2: -1}
    mean, second = _moments()
    mean, second = sp.simplify(mean), sp.simplify(second)
    curvature = sum(
        (second if row == column else mean**2 * signs[row] * signs[column]) * sy.H_[row, column]
        for row in signs
        for column in signs
    )
    descent = mean * sum(signs[row] * sy.g_[row] for row in signs)
    scalars = {
        sy.T: trace(sy.H_),
        sy.Q: quadratic_form(sy.H_, lambda index: sp.sign(sy.g_[index])),
        sy.A: total(sp.Abs(sy.g_[sy.i])),
    }
    values = {sy.g_[1]: sp.Dummy(positive=True), sy.g_[2]: -sp.Dummy(positive=True)}
    return Step(
        title="Learning rate of Adam",
        assumption=ADAM,
        equation=equate(sy.eta_star, adam_rate()),
        derived=optimal_learning_rate(descent, curvature).subs(values),
        how="E[u]ᵀg / E[uᵀHu] for gradients of signs + and −: the canonical law with ρT for T "
        "in the noise and β at c = 1.",
        source=sources.MOMENTUM,
        where={
            symbol: value.subs(sy.N, size).doit().subs(values) for symbol, value in scalars.items()
        },
        approximate=True,
    )
