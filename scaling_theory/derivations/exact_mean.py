"""Exact Gaussian mean of the softsign, and its gain: one smooth integral."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.softsign import softsign
from scaling_theory.derivations.step import Step, equate
from scaling_theory.derivations.zero import erf_only

__all__ = [
    "GAUSSIAN",
    "POINT",
    "QUADRATURE",
    "bounded_integrand",
    "exact_mean",
    "exact_mean_moments",
    "expectation",
]

GAUSSIAN = "x = g + s z is Gaussian; u = x/√(x² + ε²)."
# Any point would do; this one is generic, with g, s and ε of one size.
POINT = {sy.g: sp.Rational(7, 10), sy.s: sp.Rational(11, 10), sy.epsilon: sp.Rational(3, 5)}
QUADRATURE = 1e-12


def _integrand() -> sp.Expr:
    """Integrand over t > 0 of E[u]."""
    widened = 1 + 2 * sy.s**2 * sy.t**2
    damping = sp.exp(-(sy.epsilon**2) * sy.t**2 - sy.g**2 * sy.t**2 / widened)
    return 2 / sp.sqrt(sp.pi) * sy.g / widened ** sp.Rational(3, 2) * damping


def bounded_integrand() -> sp.Expr:
    """Integrand over y in (0, 1) of E[u], at a = g / s and b = epsilon / s."""
    tangent = sy.y**2 / (1 - sy.y**2)
    height = sp.exp(-(sy.a**2 * sy.y**2 + sy.b**2 * tangent) / 2)
    return sp.sqrt(2 / sp.pi) * sy.a * height


def exact_mean() -> sp.Expr:
    """E[u], an unevaluated integral over y."""
    return sp.Integral(bounded_integrand(), (sy.y, 0, 1))


def exact_mean_moments() -> tuple[Step, ...]:
    """Mean and gain as one-dimensional integrals, and their limits."""
    return (_root(), _average(), _bounded(), _mean(), _gain(), *_limits())


def expectation(function: sp.Expr) -> sp.Expr:
    """E[function(x)], x = g + s z, as an unevaluated integral over z."""
    return sp.Integral(
        function.subs(sy.x, sy.g + sy.s * sy.z) * normal_density(sy.z), (sy.z, -sp.oo, sp.oo)
    )


def _root() -> Step:
    integral = sp.Integral(sp.exp(-sy.y * sy.t**2), (sy.t, 0, sp.oo)) * 2 / sp.sqrt(sp.pi)
    return Step(
        title="A root as an integral",
        assumption="y > 0.",
        equation=equate(integral, 1 / sp.sqrt(sy.y)),
        derived=integral.doit(),
        how="Integrated by sympy; it will be used with y = x² + ε².",
        source=sources.OWN,
    )


def _averaged_gaussian() -> sp.Expr:
    """E[x exp(-x^2 t^2)] by integration of x exp(-w x^2 + v x)."""
    width, tilt = sp.Dummy("width", positive=True), sp.Dummy("tilt", real=True)
    integrand = sy.x * sp.exp(-width * sy.x**2 + tilt * sy.x)
    integral = sp.expand(erf_only(sp.integrate(integrand, (sy.x, -sp.oo, sp.oo))))
    exponents = {width: (1 + 2 * sy.s**2 * sy.t**2) / (2 * sy.s**2), tilt: sy.g / sy.s**2}
    return _density_at_zero() * integral.subs(exponents)


def _density_at_zero() -> sp.Expr:
    """Density of x = g + s z at 0."""
    return normal_density(sy.z).subs(sy.z, sy.g / sy.s) / sy.s


def _average() -> Step:
    return Step(
        title="Integrand of the mean",
        assumption=GAUSSIAN,
        equation=equate(sp.Derivative(sy.mu, sy.t), _integrand()),
        derived=2 / sp.sqrt(sp.pi) * sp.exp(-(sy.epsilon**2) * sy.t**2) * _averaged_gaussian(),
        how="(2/√π) exp(−ε²t²) E[x exp(−x²t²)], the average over x done by sympy; dμ/dt stands "
        "for the integrand over t.",
        source=sources.OWN,
    )


def _mean() -> Step:
    direct = expectation(softsign(sy.x)).subs(POINT)
    return Step(
        title="Exact mean",
        assumption=GAUSSIAN,
        equation=equate(sy.mu, exact_mean()),
        derived=direct,
        how="E[x/√(x² + ε²)] is integrated over z at g = 0.7, s = 1.1, ε = 0.6 and compared; "
        "both integrals are computed to 20 digits, 12 are asked for.",
        source=sources.OWN,
        where={sy.a: sp.Rational(7, 11), sy.b: sp.Rational(6, 11)},
        tolerance=QUADRATURE,
    )


def _gain() -> Step:
    widened = 1 + 2 * sy.s**2 * sy.t**2
    factor = (1 - 2 * sy.g**2 * sy.t**2 / widened) / sy.g
    return Step(
        title="Integrand of the gain",
        assumption=GAUSSIAN + " The gain is A = ∂μ/∂g = E[φ'(x)] (Stein).",
        equation=equate(sp.Derivative(sy.mu, sy.g, sy.t), _integrand() * factor),
        derived=sp.diff(_integrand(), sy.g),
        how="The integrand of the mean is differentiated by g: g is replaced by "
        "1 − 2g²t²/(1 + 2s²t²).",
        source=sources.OWN,
    )


def _bounded() -> Step:
    t = sy.y / (sp.sqrt(2) * sy.s * sp.sqrt(1 - sy.y**2))
    # y = sin of an angle keeps every root real for the reduction.
    angle = sp.Dummy("angle", positive=True)
    moved = (_integrand().subs(sy.t, t) * sp.diff(t, sy.y)).subs(
        {sy.g: sy.a * sy.s, sy.epsilon: sy.b * sy.s}
    )
    return Step(
        title="The same over a bounded range",
        assumption=GAUSSIAN + " a = g/s, b = ε/s, y = √2 st/√(1 + 2s²t²) from 0 to 1.",
        equation=equate(sp.Derivative(sy.mu, sy.y), bounded_integrand()),
        derived=_on_unit_interval(moved, angle),
        how="The integrand is transformed to y; dμ/dy stands for the integrand over y. This is "
        "the form that is evaluated numerically.",
        source=sources.OWN,
    )


def _on_unit_interval(expression: sp.Expr, angle: sp.Symbol) -> sp.Expr:
    """Simplify with sqrt(1 - y^2) as a positive number of its own, then put it back."""
    root = sp.sqrt(1 - sy.y**2)
    freed = sp.simplify(expression.subs(root, angle).subs(sy.y**2, 1 - angle**2))
    return freed.subs(angle, root)


def _limits() -> tuple[Step, ...]:
    size = sp.Dummy("size", positive=True)
    bounded = sp.sqrt(2 / sp.pi) * sp.exp(-(size**2) * sy.y**2 / 2)
    scaled = _integrand().subs(sy.t, sy.p / sy.epsilon)
    return (
        Step(
            title="ε → 0: the sign",
            assumption=GAUSSIAN + " Shown for g > 0; the mean is odd.",
            equation=equate(sp.Limit(sy.mu, sy.b, 0), sp.erf(sy.a / sp.sqrt(2))),
            derived=sp.integrate(size * bounded, (sy.y, 0, 1)),
            how="b = 0 in the bounded form, integrated by sympy: SignSGD exactly.",
            source=sources.OWN,
            where={sy.a: size},
        ),
        Step(
            title="ε → 0: the gain of the sign",
            assumption=GAUSSIAN,
            equation=equate(
                sp.Limit(sy.s * sp.Derivative(sy.mu, sy.g), sy.b, 0),
                sp.sqrt(2 / sp.pi) * sp.exp(-(sy.a**2) / 2),
            ),
            derived=sp.integrate((1 - size**2 * sy.y**2) * bounded, (sy.y, 0, 1)),
            how="b = 0 in the bounded form of the gain, integrated by sympy.",
            source=sources.OWN,
            where={sy.a: size},
        ),
        Step(
            title="B → 0: a square root",
            assumption=GAUSSIAN + " s → ∞ at fixed g and ε.",
            equation=equate(sp.Limit(sy.s * sy.mu, sy.s, sp.oo), sp.sqrt(2 / sp.pi) * sy.g),
            derived=sy.g * sp.integrate(bounded.subs(size, 0), (sy.y, 0, 1)),
            how="a and b vanish in sμ/g in the bounded form: μ ∝ √B, as for the sign.",
            source=sources.OWN,
        ),
        Step(
            title="ε → ∞: the gradient",
            assumption=GAUSSIAN,
            equation=equate(sp.Limit(sy.epsilon * sy.mu, sy.epsilon, sp.oo), sy.g),
            derived=sp.integrate(sp.limit(scaled, sy.epsilon, sp.oo), (sy.p, 0, sp.oo)),
            how="t = p/ε; the limit of the integrand (bounded by a Gaussian in p), integrated.",
            source=sources.OWN,
        ),
    )
