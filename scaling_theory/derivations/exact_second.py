"""Exact Gaussian second moment of the softsign: a Voigt profile."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.exact_mean import GAUSSIAN, POINT, QUADRATURE, expectation
from scaling_theory.derivations.softsign import softsign
from scaling_theory.derivations.step import Step, equate

__all__ = ["exact_second", "exact_second_moments", "faddeeva"]


def exact_second() -> sp.Expr:
    """E[u^2] = 1 - sqrt(pi/2) (epsilon/s) Re w(zeta), zeta = (g + i epsilon) / (sqrt(2) s)."""
    return 1 - sp.sqrt(sp.pi / 2) * sy.epsilon / sy.s * sp.re(sy.faddeeva(_zeta()))


def faddeeva(zeta: sp.Expr) -> sp.Expr:
    """w(zeta) = exp(-zeta^2) erfc(-i zeta)."""
    return sp.exp(-(zeta**2)) * sp.erfc(-sp.I * zeta)


def _zeta() -> sp.Expr:
    return (sy.g + sp.I * sy.epsilon) / (sp.sqrt(2) * sy.s)


def exact_second_moments() -> tuple[Step, ...]:
    """The second moment as a Voigt profile, and its limits."""
    return (_laplace(), _wave(), _half_line(), _second(), _without_signal(), _sgd_noise())


def _laplace() -> Step:
    transform = sp.laplace_transform(sp.cos(sy.k * sy.x), sy.k, sy.p, noconds=True)
    return Step(
        title="A Lorentzian as an integral",
        assumption="ε > 0.",
        equation=equate(
            sp.Integral(sp.exp(-sy.epsilon * sy.k) * sp.cos(sy.k * sy.x), (sy.k, 0, sp.oo)),
            sy.epsilon / (sy.x**2 + sy.epsilon**2),
        ),
        derived=transform.subs(sy.p, sy.epsilon),
        how="The Laplace transform of a cosine by sympy.",
        source=sources.OWN,
    )


def _wave() -> Step:
    density = normal_density(sy.z).subs(sy.z, (sy.x - sy.g) / sy.s) / sy.s
    grown = sp.integrate(sp.exp(sy.q * sy.x) * density, (sy.x, -sp.oo, sp.oo))
    turned = sp.simplify(grown).subs(sy.q, sp.I * sy.k)
    return Step(
        title="Average of a wave",
        assumption="x = g + s z is Gaussian.",
        equation=equate(
            sy.mean_wave,
            sp.exp(-(sy.s**2) * sy.k**2 / 2) * sp.cos(sy.k * sy.g),
        ),
        derived=sp.re(sp.expand(turned, complex=True)),
        how="E[exp(qx)] is integrated by sympy for real q and continued to q = ik.",
        source=sources.OWN,
    )


def _half_line() -> Step:
    integrand = sp.exp(-sy.p * sy.k - sy.s**2 * sy.k**2 / 2)
    claim = (
        sp.sqrt(sp.pi / 2)
        / sy.s
        * sp.exp(sy.p**2 / (2 * sy.s**2))
        * sp.erfc(sy.p / (sp.sqrt(2) * sy.s))
    )
    return Step(
        title="Half a Gaussian",
        assumption="p > 0; both sides are analytic in p, so that p = ε − ig may be put in.",
        equation=equate(sp.Integral(integrand, (sy.k, 0, sp.oo)), claim),
        derived=sp.integrate(integrand, (sy.k, 0, sp.oo)),
        how="Integrated by sympy. With p = ε − ig its real part is √(π/2) Re w(ζ)/s, "
        "w(ζ) = exp(−ζ²) erfc(−iζ), ζ = (g + iε)/(√2 s).",
        source=sources.OWN,
    )


def _second() -> Step:
    direct = expectation(softsign(sy.x) ** 2).subs(POINT)
    return Step(
        title="Exact second moment",
        assumption=GAUSSIAN,
        equation=equate(sy.V + sy.mu**2, exact_second()),
        derived=direct,
        how="1 − εE[ε/(x² + ε²)] by the three steps above. E[x²/(x² + ε²)] is integrated over z "
        "at g = 0.7, s = 1.1, ε = 0.6 and compared; 20 digits computed, 12 asked for.",
        source=sources.VOIGT,
        where={sy.faddeeva: faddeeva} | POINT,
        tolerance=QUADRATURE,
    )


def _at_zero_signal() -> sp.Expr:
    """E[u^2] at g = 0 by b = epsilon / s."""
    written = exact_second().replace(sy.faddeeva, faddeeva)
    return written.subs(sy.g, 0).subs(sy.epsilon, sy.b * sy.s)


def _without_signal() -> Step:
    claim = 1 - sp.sqrt(sp.pi / 2) * sy.b * sp.exp(sy.b**2 / 2) * sp.erfc(sy.b / sp.sqrt(2))
    return Step(
        title="Second moment without signal",
        assumption="g = 0, b = ε/s.",
        equation=equate(sy.V, claim),
        derived=_at_zero_signal(),
        how="g = 0 is put in: everything is real.",
        source=sources.OWN,
    )


def _sgd_noise() -> Step:
    return Step(
        title="ε → ∞: the noise of SGD",
        assumption="g = 0.",
        equation=equate(sp.Limit(sy.b**2 * sy.V, sy.b, sp.oo), sp.Integer(1)),
        derived=sp.limit(sy.b**2 * sp.simplify(_at_zero_signal()), sy.b, sp.oo),
        how="The limit b → ∞: ε²E[u²]/s² → 1, where the article's form gives π/2.",
        source=sources.OWN,
    )
