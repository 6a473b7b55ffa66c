"""SignSGD under Gaussian noise: erf, its algebraic substitute, and the law of the article."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.extremes import largest_value
from scaling_theory.derivations.step import Step, equate

__all__ = ["algebraic_sign_mean", "sign_mean", "sign_moments"]


def sign_mean() -> sp.Expr:
    """E[sign(g + s z)] = erf(g / (sqrt(2) s)), exact."""
    return sp.erf(sy.g / (sp.sqrt(2) * sy.s))


def algebraic_sign_mean() -> sp.Expr:
    """The substitute g / sqrt(g^2 + c s^2); c = pi / 2 has the slope of erf at 0."""
    return sy.g / sp.sqrt(sy.g**2 + sy.c * sy.s**2)


def sign_moments() -> tuple[Step, ...]:
    """Mean, gain and second moment of sign(g + s z), and the substitute for the mean."""
    return (_mean(), _in_batch(), _gain(), _slope_constant(), _substitute(), *_errors(), _second())


_GAUSSIAN = "The batch gradient is Gaussian with mean g and variance s² = σ²/B."


def _mean() -> Step:
    density = normal_density(sy.z)
    above = sp.integrate(density, (sy.z, -sy.g / sy.s, sp.oo))
    below = sp.integrate(density, (sy.z, -sp.oo, -sy.g / sy.s))
    return Step(
        title="Mean of the sign",
        assumption=_GAUSSIAN,
        equation=equate(sy.mu, sign_mean()),
        derived=above - below,
        how="The normal density is integrated above and below z = −g/s.",
        source=sources.CURRENT_STATE,
    )


def _in_batch() -> Step:
    return Step(
        title="The same in terms of B",
        assumption=_GAUSSIAN,
        equation=equate(sy.mu, sp.erf(sy.g / sy.sigma * sp.sqrt(sy.B / 2))),
        derived=sign_mean().subs(sy.s, sy.sigma / sp.sqrt(sy.B)),
        how="s = σ/√B is put in.",
        source=sources.CURRENT_STATE,
    )


def _gain() -> Step:
    density = normal_density(sy.z).subs(sy.z, (sy.x - sy.g) / sy.s) / sy.s
    return Step(
        title="Gain of the sign",
        assumption=_GAUSSIAN,
        equation=equate(
            sp.Derivative(sy.mu, sy.g),
            sp.sqrt(2 / sp.pi) * sp.exp(-(sy.g**2) / (2 * sy.s**2)) / sy.s,
        ),
        derived=2 * sp.integrate(sp.DiracDelta(sy.x) * density, (sy.x, -sp.oo, sp.oo)),
        how="E[sign'(x)] = E[2δ(x)], integrated over the density (Stein: it is ∂μ/∂g).",
        source=sources.OWN,
    )


def _slope_constant() -> Step:
    constant = sp.Dummy("c0", positive=True)
    slope = sp.diff(sy.y / sp.sqrt(sy.y**2 + constant), sy.y).subs(sy.y, 0)
    erf_slope = sp.diff(sp.erf(sy.y), sy.y).subs(sy.y, 0)
    (matched,) = sp.solve(slope - erf_slope, constant)
    return Step(
        title="Substitute for erf",
        assumption="erf(y) ≈ y/√(y² + c₀), with the same slope at 0.",
        equation=equate(sy.c_0, sp.pi / 4),
        derived=matched,
        how="The two slopes at 0 are set equal and solved for c₀.",
        source=sources.CURRENT_STATE,
    )


def _substitute() -> Step:
    y = sy.g / (sp.sqrt(2) * sy.s)
    return Step(
        title="Algebraic mean of the sign",
        assumption="erf replaced by its substitute with c₀ = c/2.",
        equation=equate(sy.mu, algebraic_sign_mean()),
        derived=y / sp.sqrt(y**2 + sy.c / 2),
        how="y = g/(√2 s) is put into y/√(y² + c/2); c = π/2 is the matched slope.",
        source=sources.CURRENT_STATE,
        approximate=True,
    )


def _errors() -> tuple[Step, ...]:
    y = sy.y
    matched = sp.erf(y) - y / sp.sqrt(y**2 + sp.pi / 4)
    where, worst = largest_value(matched, y, start=1.3)
    mean_field = y / sp.sqrt(y**2 + 1) - sp.erf(y / sp.sqrt(2))
    _, worst_one = largest_value(mean_field, y, start=0.6)
    _, other_one = largest_value(-mean_field, y, start=2.2)
    rounding = "Half a unit of the last printed digit is the tolerance."
    return (
        Step(
            title="Largest error of the substitute, c = π/2",
            assumption="None: erf(y) against y/√(y² + π/4) for all y.",
            equation=equate(sy.worst, sp.Float("0.1078")),
            derived=worst,
            how="The stationary point of the difference is found at 20 digits. " + rounding,
            source=sources.OWN,
            tolerance=5e-5,
        ),
        Step(
            title="Where it is",
            assumption="As above.",
            equation=equate(sy.y, sp.Float("1.33")),
            derived=where,
            how="The same stationary point. " + rounding,
            source=sources.OWN,
            tolerance=5e-3,
        ),
        Step(
            title="Largest error of the substitute, c = 1",
            assumption="None: erf(a/√2) against a/√(a² + 1) for all a.",
            equation=equate(sy.worst, sp.Float("0.0644")),
            derived=sp.Max(worst_one, other_one),
            how="The larger of the two stationary points, one on each side of zero error. "
            + rounding,
            source=sources.OWN,
            tolerance=5e-5,
        ),
    )


def _second() -> Step:
    density = normal_density(sy.z)
    edge = -sy.g / sy.s
    halves = sp.integrate(density, (sy.z, edge, sp.oo)) + sp.integrate(
        density, (sy.z, -sp.oo, edge)
    )
    return Step(
        title="Second moment of the sign",
        assumption=_GAUSSIAN,
        equation=equate(sy.V + sy.mu**2, sp.Integer(1)),
        derived=halves,
        how="sign² = 1 is integrated over both halves of the density.",
        source=sources.CURRENT_STATE,
    )
