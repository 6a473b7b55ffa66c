"""Gaussian moments of clip(x / epsilon, -1, 1) by integration, and the algebraic forms."""

from __future__ import annotations

from functools import cache

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.softsign import (
    algebraic_gain,
    algebraic_mean,
    algebraic_second,
    s_curve,
)
from scaling_theory.derivations.step import Step, equate

__all__ = ["clip_mean", "clip_moments", "clip_second", "slope_at_origin"]


def clip_mean() -> sp.Expr:
    """E[clip((a + z) / b)], a = g / s, b = epsilon / s."""
    upper, lower = sp.erf((sy.a + sy.b) / sp.sqrt(2)), sp.erf((sy.a - sy.b) / sp.sqrt(2))
    heights = sp.exp(-((sy.a + sy.b) ** 2) / 2) - sp.exp(-((sy.a - sy.b) ** 2) / 2)
    return (
        (upper + lower) / 2
        + sy.a / (2 * sy.b) * (upper - lower)
        + heights / (sy.b * sp.sqrt(2 * sp.pi))
    )


def clip_second() -> sp.Expr:
    """E[clip((a + z) / b)^2]."""
    return _second_by_parts().replace(sy.phi, normal_density).subs(sy.inside, _inside())


def _second_by_parts() -> sp.Expr:
    """The second moment by P, the chance of |x| < epsilon, and densities at the two edges."""
    edges = (sy.a - sy.b) * sy.phi(sy.a + sy.b) - (sy.a + sy.b) * sy.phi(sy.a - sy.b)
    return 1 - sy.inside + ((sy.a**2 + 1) * sy.inside + edges) / sy.b**2


def _inside() -> sp.Expr:
    return (sp.erf((sy.a + sy.b) / sp.sqrt(2)) - sp.erf((sy.a - sy.b) / sp.sqrt(2))) / 2


def slope_at_origin() -> sp.Expr:
    """dE[clip]/da at a = 0: erf(b / sqrt(2)) / b."""
    return sp.erf(sy.b / sp.sqrt(2)) / sy.b


def clip_moments() -> tuple[Step, ...]:
    """First and second moment of the clip, integrated; then the article's algebraic forms."""
    return (
        _mean(),
        _second(),
        _gain(),
        _origin(),
        _curve(),
        _root(),
        _algebraic_mean(),
        _algebraic_gain(),
        _algebraic_second(),
        *_second_limits(),
        *_clip_limits(),
    )


_CLIP = "softsign is replaced by the clip; x = g + s z is Gaussian, a = g/s, b = ε/s."
_S_CURVE = "E[clip] is an S-curve in a and is replaced by curve (a) of the same slope at 0."


@cache
def _expected(power: int) -> sp.Expr:
    """E[clip^power] as three integrals, split at z = -a - b and z = -a + b."""
    # Dummies stand for the limits: sympy then returns erf at once instead of searching cases.
    low, high = sp.symbols("low high", real=True, cls=sp.Dummy)
    density = normal_density(sy.z)
    middle = sp.expand(((sy.a + sy.z) / sy.b) ** power * density)
    pieces = (
        sp.integrate(density, (sy.z, high, sp.oo))
        + (-1) ** power * sp.integrate(density, (sy.z, -sp.oo, low))
        + sp.integrate(middle, (sy.z, low, high))
    )
    return pieces.subs({low: -sy.a - sy.b, high: -sy.a + sy.b})


def _mean() -> Step:
    return Step(
        title="Mean of the clip",
        assumption=_CLIP,
        equation=equate(sy.mu, clip_mean()),
        derived=_expected(1),
        how="The integral over z, split at z = −a ∓ b, done by sympy.",
        source=sources.EPSILON,
    )


def _second() -> Step:
    return Step(
        title="Second moment of the clip",
        assumption=_CLIP,
        equation=equate(sy.V + sy.mu**2, _second_by_parts()),
        derived=_expected(2),
        how="The same split, integrated by sympy; P is the chance of |x| < ε, φ the standard "
        "normal density. The article computes this moment without printing it.",
        source=sources.OWN,
        where={sy.phi: normal_density, sy.inside: _inside()},
    )


def _gain() -> Step:
    inside = sp.integrate(normal_density(sy.z), (sy.z, -sy.a - sy.b, -sy.a + sy.b))
    return Step(
        title="Gain of the clip",
        assumption=_CLIP,
        equation=equate(sp.Derivative(sy.mu, sy.a), sy.inside / sy.b),
        derived=sp.diff(clip_mean(), sy.a),
        how="The mean is differentiated; P = P(|x| < ε) is integrated on the right (Stein).",
        source=sources.OWN,
        where={sy.inside: inside},
    )


def _origin() -> Step:
    return Step(
        title="Slope at the origin",
        assumption=_CLIP,
        equation=equate(sp.Subs(sp.Derivative(sy.mu, sy.a), sy.a, 0), slope_at_origin()),
        derived=sp.diff(_expected(1), sy.a).subs(sy.a, 0),
        how="The integral is differentiated at a = 0.",
        source=sources.EPSILON,
    )


def _curve() -> Step:
    return Step(
        title="Mean as an S-curve",
        assumption=_S_CURVE,
        equation=equate(sy.mu, sy.a / sp.sqrt(sy.a**2 + sy.b**2 / sp.erf(sy.b / sp.sqrt(2)) ** 2)),
        derived=s_curve(sy.a, slope_at_origin()),
        how="The slope at the origin is put into x/√(x² + 1/k²).",
        source=sources.EPSILON,
        approximate=True,
    )


def _root() -> Step:
    half = sy.b / sp.sqrt(2)
    substitute = half / sp.sqrt(half**2 + sy.c / 2)
    return Step(
        title="Width of the S-curve",
        assumption="erf(y) is replaced by y/√(y² + c/2), c = π/2, at y = b/√2.",
        equation=equate(sy.b**2 / sp.erf(sy.b / sp.sqrt(2)) ** 2, sy.b**2 + sy.c),
        derived=sy.b**2 / substitute**2,
        how="The substitute is put in.",
        source=sources.EPSILON,
        approximate=True,
    )


def _algebraic_mean() -> Step:
    curve = sy.a / sp.sqrt(sy.a**2 + sy.b**2 + sy.c)
    return Step(
        title="Algebraic mean",
        assumption=_S_CURVE,
        equation=equate(sy.mu, algebraic_mean()),
        derived=curve.subs({sy.a: sy.g / sy.s, sy.b: sy.epsilon / sy.s}),
        how="The width is put into the S-curve, then a = g/s and b = ε/s.",
        source=sources.EPSILON,
        approximate=True,
    )


def _algebraic_gain() -> Step:
    return Step(
        title="Algebraic gain",
        assumption=_S_CURVE,
        equation=equate(sp.Derivative(sy.mu, sy.g), algebraic_gain()),
        derived=sp.diff(algebraic_mean(), sy.g),
        how="Differentiation.",
        source=sources.OWN,
        approximate=True,
    )


def _algebraic_second() -> Step:
    bell = 1 - sy.b**2 / (sy.a**2 + sy.b**2 + sy.c)
    return Step(
        title="Algebraic second moment",
        assumption="By analogy with the mean, not derived from the clip: an inverted bell in a, "
        "1 − b²/(a² + b² + c).",
        equation=equate(sy.V + sy.mu**2, algebraic_second()),
        derived=bell.subs({sy.a: sy.g / sy.s, sy.b: sy.epsilon / sy.s}),
        how="a = g/s and b = ε/s are put into the bell.",
        source=sources.EPSILON,
        approximate=True,
    )


def _second_limits() -> tuple[Step, ...]:
    shown = sy.V + sy.mu**2
    return tuple(
        Step(
            title=f"Algebraic second moment, {case}",
            assumption="As above.",
            equation=equate(sp.Limit(shown, sy.epsilon, end), limit),
            derived=sp.limit(algebraic_second(), sy.epsilon, end),
            how="A property of the exact moment that the bell keeps.",
            source=sources.EPSILON,
            approximate=True,
        )
        for case, end, limit in (("no ε", 0, sp.Integer(1)), ("large ε", sp.oo, sp.Integer(0)))
    )


def _clip_limits() -> tuple[Step, ...]:
    spread = clip_second() - clip_mean() ** 2
    return (
        Step(
            title="Clip without ε is the sign",
            assumption=_CLIP,
            equation=equate(sp.Limit(sy.mu, sy.b, 0), sp.erf(sy.a / sp.sqrt(2))),
            derived=sp.limit(clip_mean(), sy.b, 0),
            how="The limit b → 0 of the integrated mean.",
            source=sources.OWN,
        ),
        Step(
            title="Clip at large ε has the noise of SGD",
            assumption=_CLIP + " At a = 0.",
            equation=equate(sp.Limit(sy.b**2 * sy.V, sy.b, sp.oo), sp.Integer(1)),
            derived=sp.limit(sy.b**2 * spread.subs(sy.a, 0), sy.b, sp.oo),
            how="The limit b → ∞ of b² times the integrated variance: ε²V → s².",
            source=sources.OWN,
        ),
    )
