"""When Adam's learning rate falls at large B, in the one-step view of its averages."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.mean_field import attenuation
from scaling_theory.derivations.momentum import ADAM, adam_rate, momentum_factor
from scaling_theory.derivations.one_step import loss_drop
from scaling_theory.derivations.step import Step, equate

__all__ = ["adam_surge"]


def adam_surge() -> tuple[Step, ...]:
    """A slow average, a diagonal Hessian, and the loss drop."""
    return (
        _slow_average(),
        _diagonal_peak(),
        _diagonal_batch(),
        _diagonal_value(),
        _drop_rises(),
    )


def _slow_average() -> Step:
    return Step(
        title="β₁ → 1: falling with B",
        assumption=ADAM,
        equation=equate(
            sp.Limit(sy.eta_star, sy.rho, 0), sy.A / sy.Q * sp.sqrt(1 + sy.B_simple / sy.B)
        ),
        derived=sp.limit(adam_rate(), sy.rho, 0).subs(
            sy.attenuation, attenuation().subs(sy.K, sy.B_simple)
        ),
        how="The limit ρ → 0, with β(B) put in.",
        source=sources.MOMENTUM,
    )


def _peak_attenuation() -> sp.Expr:
    """beta^2 of the peak for a diagonal Hessian, Q = T."""
    squared = sp.Dummy("squared", positive=True)
    rate = adam_rate().subs({sy.Q: sy.T, sy.attenuation: sp.sqrt(squared)})
    (root,) = sp.solve(sp.numer(sp.together(sp.diff(rate, squared))), squared)
    return root.subs(sy.rho, momentum_factor())


def _diagonal_peak() -> Step:
    return Step(
        title="Diagonal Hessian: attenuation at the peak",
        assumption=ADAM + " H is diagonal, Q = T.",
        equation=equate(sy.beta_noise**2, (1 - sy.beta1) / (2 * sy.beta1)),
        derived=_peak_attenuation(),
        how="∂η*/∂β² = 0 is solved for β²; a peak needs β² < 1, that is β₁ > 1/3.",
        source=sources.MOMENTUM,
    )


def _batch_of_peak() -> sp.Expr:
    beta = attenuation().subs(sy.K, sy.B_simple)
    (batch,) = sp.solve(sp.numer(sp.together(beta**2 - _peak_attenuation())), sy.B)
    return batch


def _diagonal_batch() -> Step:
    return Step(
        title="Diagonal Hessian: batch of the peak",
        assumption=ADAM + " H is diagonal; β₁ > 1/3.",
        equation=equate(sy.B_peak, sy.B_simple * (1 - sy.beta1) / (3 * sy.beta1 - 1)),
        derived=_batch_of_peak(),
        how="β(B)² is set to its value at the peak and solved for B.",
        source=sources.MOMENTUM,
    )


def _diagonal_value() -> Step:
    return Step(
        title="... at β₁ = 0.9",
        assumption=ADAM + " H is diagonal; β₁ = 0.9.",
        equation=equate(sy.B_peak / sy.B_simple, sp.Float("0.0588")),
        derived=(_batch_of_peak() / sy.B_simple).subs(sy.beta1, sp.Rational(9, 10)),
        how="To half a unit of the last digit.",
        source=sources.MOMENTUM,
        tolerance=5e-5,
    )


def _drop_rises() -> Step:
    beta = sy.attenuation
    curvature = sy.rho * sy.T + beta**2 * (sy.Q - sy.rho * sy.T)
    claim = sy.A**2 * sy.rho * sy.T * beta / curvature**2
    return Step(
        title="The loss drop still rises",
        assumption=ADAM,
        equation=equate(sp.Derivative(sy.drop, beta), claim),
        derived=sp.diff(loss_drop(beta * sy.A, curvature), beta),
        how="Differentiation: positive. Only η* falls at large B, not the efficiency.",
        source=sources.OWN + ", against " + sources.MOMENTUM,
    )
