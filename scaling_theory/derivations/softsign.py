"""The softsign, S-curves, and the article's algebraic moments."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.step import Step, equate

__all__ = [
    "algebraic_gain",
    "algebraic_mean",
    "algebraic_second",
    "s_curve",
    "s_curves",
    "softsign",
    "softsign_slope",
]


def softsign(x: sp.Expr, epsilon: sp.Expr = sy.epsilon) -> sp.Expr:
    """x / sqrt(x^2 + epsilon^2), epsilon inside the root."""
    return x / sp.sqrt(x**2 + epsilon**2)


def softsign_slope(x: sp.Expr, epsilon: sp.Expr = sy.epsilon) -> sp.Expr:
    """epsilon^2 / (x^2 + epsilon^2)^(3/2)."""
    return epsilon**2 / (x**2 + epsilon**2) ** sp.Rational(3, 2)


def s_curve(x: sp.Expr, slope: sp.Expr) -> sp.Expr:
    """x / sqrt(x^2 + 1 / slope^2): smooth, odd, between -1 and 1, of the given slope at 0."""
    return x / sp.sqrt(x**2 + 1 / slope**2)


def algebraic_mean() -> sp.Expr:
    """E[u] ~ g / sqrt(g^2 + epsilon^2 + c s^2)."""
    return sy.g / sp.sqrt(sy.g**2 + sy.epsilon**2 + sy.c * sy.s**2)


def algebraic_second() -> sp.Expr:
    """E[u^2] ~ (g^2 + c s^2) / (g^2 + epsilon^2 + c s^2)."""
    return (sy.g**2 + sy.c * sy.s**2) / (sy.g**2 + sy.epsilon**2 + sy.c * sy.s**2)


def algebraic_gain() -> sp.Expr:
    """dE[u]/dg ~ (epsilon^2 + c s^2) / (g^2 + epsilon^2 + c s^2)^(3/2)."""
    width = sy.epsilon**2 + sy.c * sy.s**2
    return width / (sy.g**2 + width) ** sp.Rational(3, 2)


def s_curves() -> tuple[Step, ...]:
    """The softsign, its limits, and the two approximations of an S-curve."""
    return (
        _is_sign(),
        _is_linear(),
        _slope(),
        _curve_slope(),
        _curve_range(),
        _clip_gap(),
    )


def _is_sign() -> Step:
    size = sp.Dummy("size", positive=True)
    return Step(
        title="Softsign becomes the sign",
        assumption="x ≠ 0; shown for |x|, the softsign being odd.",
        equation=equate(sp.Limit(softsign(sy.x), sy.epsilon, 0), sp.sign(sy.x)),
        derived=sp.limit(softsign(size), sy.epsilon, 0),
        how="The limit ε → 0 at positive x.",
        source=sources.EPSILON,
        where={sy.x: size},
    )


def _is_linear() -> Step:
    return Step(
        title="Softsign becomes the gradient",
        assumption="None.",
        equation=equate(sp.Limit(sy.epsilon * softsign(sy.x), sy.epsilon, sp.oo), sy.x),
        derived=sp.limit(sy.epsilon * softsign(sy.x), sy.epsilon, sp.oo),
        how="The limit ε → ∞: at large ε, SoftSignSGD with rate η is SGD with rate η/ε.",
        source=sources.EPSILON,
    )


def _slope() -> Step:
    return Step(
        title="Slope of the softsign",
        assumption="None.",
        equation=equate(sp.Derivative(softsign(sy.x), sy.x), softsign_slope(sy.x)),
        derived=sp.diff(softsign(sy.x), sy.x),
        how="Differentiation; at 0 the slope is 1/ε.",
        source=sources.OWN,
    )


def _curve_slope() -> Step:
    return Step(
        title="S-curve (a): slope at 0",
        assumption="S is smooth, increasing, odd, with range (−1, 1) and slope k at 0. "
        "It is replaced by x/√(x² + 1/k²).",
        equation=equate(sp.Subs(sp.Derivative(s_curve(sy.x, sy.k), sy.x), sy.x, 0), sy.k),
        derived=sp.diff(s_curve(sy.x, sy.k), sy.x).subs(sy.x, 0),
        how="Differentiation at 0. The other replacement, (b), is clip(kx, −1, 1), which has "
        "slope k on |x| < 1/k by definition.",
        source=sources.EPSILON,
    )


def _curve_range() -> Step:
    return Step(
        title="S-curve (a): range",
        assumption="As above.",
        equation=equate(sp.Limit(s_curve(sy.x, sy.k), sy.x, sp.oo), sp.Integer(1)),
        derived=sp.limit(s_curve(sy.x, sy.k), sy.x, sp.oo),
        how="The limit x → ∞; the curve is odd.",
        source=sources.EPSILON,
    )


def _clip_gap() -> Step:
    inside = sy.y - softsign(sy.y, sp.Integer(1))
    outside = 1 - softsign(1 + sy.y, sp.Integer(1))
    at_edge = sp.Max(sp.limit(inside, sy.y, 1), sp.limit(outside, sy.y, 0))
    return Step(
        title="Clip against softsign, largest difference",
        assumption="The softsign is replaced by clip(x/ε, −1, 1).",
        equation=equate(sy.worst, 1 - 1 / sp.sqrt(2)),
        derived=at_edge,
        how="Below x = ε the difference x/ε − softsign grows (slope 1 − (1 + y²)^(−3/2) ≥ 0 with "
        "y = x/ε), above it falls: its largest value is at x = ε, where both branches meet.",
        source=sources.OWN,
    )
