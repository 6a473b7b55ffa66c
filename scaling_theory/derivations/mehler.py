"""Covariance of two updates whose gradients have correlated noise."""

from __future__ import annotations

from functools import cache

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.step import Step, equate

__all__ = ["correlated_pair", "sign_correlation"]

_PAIR = "Two coordinates whose noise z₁, z₂ is jointly Gaussian with correlation r."


def sign_correlation(correlation: sp.Expr = sy.r) -> sp.Expr:
    """E[sign(z1) sign(z2)] = (2 / pi) arcsin r."""
    return 2 / sp.pi * sp.asin(correlation)


def correlated_pair() -> tuple[Step, ...]:
    """Price's theorem and Mehler's expansion, and the sign as a case known in closed form."""
    return (
        _joint(),
        _price(),
        _mehler(),
        _first_order(),
        _sign_by_price(),
        _sign_by_quadrature(),
        *_sign_orders(),
    )


_SLOPE = sp.Dummy("slope", real=True)


@cache
def _exponential_mean() -> sp.Expr:
    """E[exp(slope z)] by integration."""
    integrand = sp.exp(_SLOPE * sy.z) * normal_density(sy.z)
    return sp.simplify(sp.integrate(integrand, (sy.z, -sp.oo, sp.oo)))


def _transform(slope: sp.Expr) -> sp.Expr:
    return _exponential_mean().subs(_SLOPE, slope)


def _joint_transform() -> sp.Expr:
    """E[exp(p z1 + q z2)] with z2 = r z1 + sqrt(1 - r^2) w, w independent of z1."""
    return _transform(sy.p + sy.q * sy.r) * _transform(sy.q * sp.sqrt(1 - sy.r**2))


def _joint() -> Step:
    return Step(
        title="Exponentials of a Gaussian pair",
        assumption=_PAIR,
        equation=equate(sy.pair_mean, sp.exp((sy.p**2 + sy.q**2) / 2 + sy.r * sy.p * sy.q)),
        derived=_joint_transform(),
        how="z₂ = r z₁ + √(1 − r²) w; both independent averages are integrated by sympy.",
        source=sources.OWN,
    )


def _price() -> Step:
    return Step(
        title="Price's theorem",
        assumption=_PAIR + " Shown for φ₁ = exp(pz₁), φ₂ = exp(qz₂), which generate the Taylor "
        "series of all smooth φ: the right side is E[φ₁'φ₂'].",
        equation=equate(sp.Derivative(sy.pair_mean, sy.r), sy.p * sy.q * sy.pair_mean),
        derived=sp.diff(_joint_transform(), sy.r),
        how="The mean of the pair is differentiated by r.",
        source=sources.MEHLER,
        where={sy.pair_mean: _joint_transform()},
    )


def _mehler() -> Step:
    series = sp.Sum((sy.p * sy.q * sy.r) ** sy.n / sp.factorial(sy.n), (sy.n, 1, sp.oo))
    return Step(
        title="Mehler's expansion",
        assumption=_PAIR + " For φ = exp(pz) the coefficient cₙ = E[φ⁽ⁿ⁾(z)] is pⁿ exp(p²/2), so "
        "that the right side is Σ cₙ,₁cₙ,₂ rⁿ/n!.",
        equation=equate(sy.pair_covariance, series * sp.exp((sy.p**2 + sy.q**2) / 2)),
        derived=_joint_transform() - _transform(sy.p) * _transform(sy.q),
        how="E[φ₁φ₂] − E[φ₁]E[φ₂] against the series, summed by sympy. With noise s the "
        "coefficient is sⁿE[φ⁽ⁿ⁾(g + sz)].",
        source=sources.MEHLER,
        where={series: series.doit()},
    )


def _first_order() -> Step:
    gains = sy.p * sy.q * sp.exp((sy.p**2 + sy.q**2) / 2)
    joint = _joint_transform() - _transform(sy.p) * _transform(sy.q)
    return Step(
        title="First order in the correlation",
        assumption=_PAIR + " For φ = exp(pz) the gain E[φ'] is p exp(p²/2).",
        equation=equate(sp.Subs(sp.Derivative(sy.pair_covariance, sy.r), sy.r, 0), gains),
        derived=sp.diff(joint, sy.r).subs(sy.r, 0),
        how="The covariance is differentiated at r = 0: with noise s it is r s₁s₂A₁A₂, a product "
        "of two gains. For odd φ at small signal the next term is of order r³.",
        source=sources.MEHLER,
    )


def _sign_by_price() -> Step:
    root = sp.sqrt(1 - sy.r**2)
    height = normal_density(sy.x) * normal_density((sy.y - sy.r * sy.x) / root) / root
    slope = sp.Dummy("correlation", positive=True)
    derivative = sp.simplify(4 * height.subs({sy.x: 0, sy.y: 0})).subs(sy.r, slope)
    return Step(
        title="Two signs",
        assumption=_PAIR + " No signal: φ = sign, φ' = 2δ.",
        equation=equate(sy.pair_mean, sign_correlation()),
        derived=sp.integrate(derivative, (slope, 0, sy.r)),
        how="Price: ∂E/∂r = 4 × the joint density at 0, integrated from r = 0 by sympy.",
        source=sources.MEHLER,
    )


def _sign_by_quadrature() -> Step:
    correlation = sp.Rational(3, 5)
    conditional = sp.erf(correlation * sy.z / sp.sqrt(2 * (1 - correlation**2)))
    return Step(
        title="... by another route",
        assumption="The same at r = 0.6.",
        equation=equate(sy.pair_mean, sign_correlation()),
        derived=sp.Integral(2 * normal_density(sy.z) * conditional, (sy.z, 0, sp.oo)),
        how="E[sign z₁ E[sign z₂ | z₁]] by quadrature; 20 digits computed, 12 asked for.",
        source=sources.OWN,
        where={sy.r: correlation},
        tolerance=1e-12,
    )


def _sign_orders() -> tuple[Step, ...]:
    hermite = {1: sy.z, 3: sy.z**3 - 3 * sy.z}
    steps = []
    for order, polynomial in hermite.items():
        coefficient = 2 * sp.integrate(
            sp.expand(polynomial * normal_density(sy.z)), (sy.z, 0, sp.oo)
        )
        series = sp.series(sign_correlation(), sy.r, 0, 6).removeO()
        steps.append(
            Step(
                title=f"Its expansion, order {order}",
                assumption="cₙ = E[φ⁽ⁿ⁾] = E[φ Heₙ] (Stein), φ = sign.",
                equation=equate(
                    sp.Subs(sp.Derivative(sy.pair_covariance, (sy.r, order)), sy.r, 0),
                    series.coeff(sy.r, order) * sp.factorial(order),
                ),
                derived=coefficient**2,
                how="cₙ² with the Hermite polynomial integrated against the sign; the right side "
                "is n! times the coefficient of rⁿ in (2/π) arcsin r.",
                source=sources.OWN,
            )
        )
    return tuple(steps)
