"""The three-parameter form of the mean-field law, and everything that follows from it."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.mean_field import attenuation
from scaling_theory.derivations.sgd import sgd_learning_rate
from scaling_theory.derivations.softsign_law import mean_field_drop, mean_field_rate
from scaling_theory.derivations.step import Step, equate

__all__ = [
    "CANONICAL",
    "canonical_form",
    "canonical_scalars",
    "learning_rate",
    "log_slope",
    "loss_drop",
]

CANONICAL = "Mean-field law with η∞ = A/Q, B_n = KT/Q, ΔL∞ = A²/(2Q); Q > 0."


def learning_rate() -> sp.Expr:
    """eta_infinity sqrt(1 + K / B) / (1 + B_n / B)."""
    return sy.eta_infinity * sp.sqrt(1 + sy.K / sy.B) / (1 + sy.B_n / sy.B)


def loss_drop() -> sp.Expr:
    """drop_max / (1 + B_n / B)."""
    return sy.drop_max / (1 + sy.B_n / sy.B)


def log_slope() -> sp.Expr:
    """d ln eta* / d ln B = B_n / (B + B_n) - K / (2 (B + K))."""
    return sy.B_n / (sy.B + sy.B_n) - sy.K / (2 * (sy.B + sy.K))


def canonical_form() -> tuple[Step, ...]:
    """The law in η∞, B_n and K, its slope, its ends and its special cases."""
    return (
        _rate(),
        _drop(),
        _slope(),
        *_ends(),
        _below_one(),
        _nearly_linear(),
        _tail(),
        _becomes_sgd(),
        _becomes_root(),
    )


def canonical_scalars() -> dict[sp.Symbol, sp.Expr]:
    """eta_infinity, B_n and the largest drop by A, Q, T and K."""
    return {
        sy.eta_infinity: sy.A / sy.Q,
        sy.B_n: sy.K * sy.T / sy.Q,
        sy.drop_max: sy.A**2 / (2 * sy.Q),
    }


def _rate() -> Step:
    return Step(
        title="Canonical learning rate",
        assumption=CANONICAL,
        equation=equate(sy.eta_star, learning_rate()),
        derived=mean_field_rate().subs(sy.attenuation, attenuation()),
        how="β = (1 + K/B)^(−1/2) is put into βA/(T + β²(Q − T)); right side with A, Q, T.",
        source=sources.OWN,
        where=canonical_scalars(),
    )


def _drop() -> Step:
    return Step(
        title="Canonical loss drop",
        assumption=CANONICAL,
        equation=equate(sy.drop, loss_drop()),
        derived=mean_field_drop().subs(sy.attenuation, attenuation()),
        how="The same in the loss drop: it rises with B even where η* falls.",
        source=sources.OWN,
        where=canonical_scalars(),
    )


def _log_derivative() -> sp.Expr:
    return sy.B * sp.diff(sp.log(learning_rate()), sy.B)


def _slope() -> Step:
    return Step(
        title="Logarithmic slope",
        assumption=CANONICAL,
        equation=equate(sy.log_slope, log_slope()),
        derived=_log_derivative(),
        how="B ∂ln η*/∂B.",
        source=sources.OWN,
    )


def _ends() -> tuple[Step, ...]:
    small = sp.limit(learning_rate() / sp.sqrt(sy.B), sy.B, 0) * sp.sqrt(sy.B)
    return (
        Step(
            title="Small batches: a square root",
            assumption=CANONICAL + " B ≪ K and B ≪ B_n.",
            equation=equate(sy.eta_star, sy.eta_infinity * sp.sqrt(sy.K * sy.B) / sy.B_n),
            derived=small,
            how="The limit B → 0 of η*/√B.",
            source=sources.OWN,
            approximate=True,
        ),
        Step(
            title="Slope at small batches",
            assumption=CANONICAL,
            equation=equate(sp.Limit(sy.log_slope, sy.B, 0), sp.Rational(1, 2)),
            derived=sp.limit(_log_derivative(), sy.B, 0),
            how="The limit B → 0.",
            source=sources.OWN,
        ),
        Step(
            title="Large batches: a plateau",
            assumption=CANONICAL,
            equation=equate(sp.Limit(sy.eta_star, sy.B, sp.oo), sy.eta_infinity),
            derived=sp.limit(learning_rate(), sy.B, sp.oo),
            how="The limit B → ∞: A/Q, exact for the softsign step without noise.",
            source=sources.OWN,
        ),
    )


def _below_one() -> Step:
    claim = sy.B / (sy.B + sy.B_n) + sy.K / (2 * (sy.B + sy.K))
    return Step(
        title="Always below linear",
        assumption=CANONICAL,
        equation=equate(1 - sy.log_slope, claim),
        derived=1 - _log_derivative(),
        how="Both terms on the right are positive.",
        source=sources.OWN,
    )


def _nearly_linear() -> Step:
    return Step(
        title="Linear in between",
        assumption=CANONICAL + " K ≪ B ≪ B_n.",
        equation=equate(sp.Limit(sp.Limit(sy.log_slope, sy.K, 0), sy.B, 0), sp.Integer(1)),
        derived=sp.limit(sp.limit(_log_derivative(), sy.K, 0), sy.B, 0),
        how="The limit K → 0 first, then B → 0.",
        source=sources.OWN,
    )


def _tail() -> Step:
    return Step(
        title="How the plateau is reached",
        assumption=CANONICAL,
        equation=equate(sp.Limit(sy.B * sy.log_slope, sy.B, sp.oo), sy.B_n - sy.K / 2),
        derived=sp.limit(sy.B * _log_derivative(), sy.B, sp.oo),
        how="The limit B → ∞: from above, so after a peak, exactly when B_n < K/2.",
        source=sources.OWN,
    )


def _becomes_sgd() -> Step:
    return Step(
        title="K → 0: the form of SGD",
        assumption=CANONICAL + " η_max = η∞ and B_noise = B_n.",
        equation=equate(sp.Limit(learning_rate(), sy.K, 0), sgd_learning_rate()),
        derived=sp.limit(learning_rate(), sy.K, 0),
        how="The limit at fixed B_n against the law of SGD.",
        source=sources.OWN,
        where={sy.eta_max: sy.eta_infinity, sy.B_noise: sy.B_n},
    )


def _becomes_root() -> Step:
    return Step(
        title="B_n = K: no surge, the guess with exponent 1/2",
        assumption=CANONICAL + " Q = T, the case of a diagonal Hessian with ε = 0.",
        equation=equate(sy.eta_star, sy.eta_infinity * (1 + sy.K / sy.B) ** sp.Rational(-1, 2)),
        derived=learning_rate().subs(sy.B_n, sy.K),
        how="B_n = K is put in; it is η_max/(1 + B_noise/B)^α with α = 1/2.",
        source=sources.CURRENT_STATE,
    )
