"""The identities that the numeric code rests on, derived with sympy."""

from __future__ import annotations

import pytest
import sympy as sp

a, u = sp.symbols("a u", real=True)
b, s, t, y, epsilon = sp.symbols("b s t y epsilon", positive=True)
g = sp.Symbol("g", real=True)
A, B, K, Q, T = sp.symbols("A B K Q T", positive=True)


def is_zero(expression: sp.Expr) -> bool:
    return bool(sp.simplify(expression) == 0)


def mean_integrand() -> sp.Expr:
    """Integrand in t of E[u], from 1/sqrt(r) = (2 / sqrt(pi)) int exp(-r t^2) dt."""
    spread = 1 + 2 * s**2 * t**2
    gauss = sp.exp(-(epsilon**2) * t**2 - g**2 * t**2 / spread)
    return 2 / sp.sqrt(sp.pi) * g * gauss / spread ** sp.Rational(3, 2)


def test_mean_integral() -> None:
    """Rung: symbolic. E[x exp(-x^2 t^2)] for x ~ N(g, s^2) is the integrand used for the mean."""
    z, q = sp.symbols("z q", real=True)
    p = sp.Symbol("p", positive=True)
    generating = sp.integrate(sp.exp(-p * z**2 + q * z), (z, -sp.oo, sp.oo))
    master = g * generating + s * sp.diff(generating, q)  # of (g + s z) exp(-p z^2 + q z)
    # -(g + s z)^2 t^2 - z^2 / 2 = -p z^2 + q z - g^2 t^2
    values = {p: s**2 * t**2 + sp.Rational(1, 2), q: -2 * g * s * t**2}
    direct = master.subs(values) * sp.exp(-(g**2) * t**2) / sp.sqrt(2 * sp.pi)
    claimed = mean_integrand() * sp.exp(epsilon**2 * t**2) * sp.sqrt(sp.pi) / 2
    assert is_zero(sp.simplify(direct / claimed) - 1)


def test_gain_is_the_derivative_of_the_mean_integral() -> None:
    """Rung: symbolic. d/dg multiplies g by its logarithmic derivative 1 - 2 g^2 t^2 / (1 + ...)."""
    integrand = mean_integrand()
    spread = 1 + 2 * s**2 * t**2
    claimed = integrand / g * (1 - 2 * g**2 * t**2 / spread)
    assert is_zero(sp.diff(integrand, g) - claimed)
    assert not is_zero(sp.diff(integrand, g) - claimed * sp.Rational(101, 100))


def test_change_of_variable() -> None:
    """Rung: symbolic, to 25 digits at three points: y = sqrt(2) s t / sqrt(1 + 2 s^2 t^2)."""
    of_y = y / (s * sp.sqrt(2) * sp.sqrt(1 - y**2))
    here = (mean_integrand().subs(t, of_y) * sp.diff(of_y, y)).subs({g: a * s, epsilon: b * s})
    exponent = -(a**2) * y**2 / 2 - b**2 * y**2 / (2 * (1 - y**2))
    claimed = sp.sqrt(2 / sp.pi) * a * sp.exp(exponent)
    point = {a: sp.Rational(7, 5), b: sp.Rational(3, 10), s: sp.Rational(11, 7)}
    for place in (sp.Rational(1, 10), sp.Rational(1, 2), sp.Rational(9, 10)):
        ratio = (here / claimed).subs(point).subs(y, place)
        assert abs(sp.N(ratio, 30) - 1) < 1e-25


def test_taylor_series_of_softsign_is_legendre() -> None:
    """Rung: symbolic. Coefficient n around g is (-1)^(n-1) (1 - u^2) P'_n(u) / (n h^n)."""
    x = sp.Symbol("x", real=True)
    h = sp.sqrt(g**2 + epsilon**2)
    for n in range(1, 6):
        taylor = sp.diff(x / sp.sqrt(x**2 + epsilon**2), x, n).subs(x, g) / sp.factorial(n)
        slope = sp.diff(sp.legendre(n, u), u).subs(u, g / h)
        claimed = (-1) ** (n - 1) * (epsilon / h) ** 2 * slope / (n * h**n)
        assert is_zero(taylor - claimed)


def test_second_moment_series() -> None:
    """Rung: symbolic. The Voigt form's large-argument series starts a^2/r^2 + b Im zeta^-3."""
    zeta = a + sp.I * b
    leading = 1 - b * sp.re(sp.I / zeta)
    assert is_zero(sp.expand_complex(leading) - a**2 / (a**2 + b**2))
    next_term = sp.expand_complex(b * sp.im(zeta**-3))
    assert is_zero(next_term.subs(a, 0) - 1 / b**2)


def test_mean_field_second_moment() -> None:
    """Rung: symbolic. 1 - (1 - u^2) / (1 + K / B) = u^2 beta^2 + 1 - beta^2."""
    beta2 = 1 / (1 + K / B)
    assert is_zero(1 - (1 - u**2) / (1 + K / B) - (u**2 * beta2 + 1 - beta2))
    assert is_zero(1 - beta2 - K / (B + K))
    assert not is_zero(1 - beta2 - K / B)


def test_canonical_form_and_peak() -> None:
    """Rung: symbolic. (2.8) of the article in three parameters, B_peak, eta_peak, log-slope."""
    beta = 1 / sp.sqrt(1 + K / B)
    article = beta * A / (beta**2 * Q + (1 - beta**2) * T)
    noise = K * T / Q
    canonical = A / Q * sp.sqrt(1 + K / B) / (1 + noise / B)
    assert is_zero(article - canonical)
    slope = sp.diff(sp.log(canonical), B) * B
    assert is_zero(slope - (noise / (B + noise) - K / (2 * (B + K))))
    (peak,) = sp.solve(sp.numer(sp.together(slope)), B)
    assert is_zero(peak - K * T / (Q - 2 * T))
    excess = sp.Symbol("x", positive=True)  # Q = 2 T + x: a surge
    height = canonical.subs(B, peak).subs(Q, 2 * T + excess)
    claimed = (A / (2 * sp.sqrt(T * (Q - T)))).subs(Q, 2 * T + excess)
    assert is_zero(height**2 - claimed**2)


def test_clip_slope() -> None:
    """Rung: symbolic. The mean of the clip at g = 0 rises as erf(b / sqrt 2) / b."""
    root = sp.sqrt(2)
    plus, minus = (a + b) / root, (a - b) / root
    mean = (
        (sp.erf(plus) + sp.erf(minus)) / 2
        + a / (2 * b) * (sp.erf(plus) - sp.erf(minus))
        + (sp.exp(-(plus**2)) - sp.exp(-(minus**2))) / (b * sp.sqrt(2 * sp.pi))
    )
    assert is_zero(sp.diff(mean, a).subs(a, 0) - sp.erf(b / root) / b)
    # Everywhere: the probability of |x| < epsilon, over epsilon.
    inside = (sp.erf(plus) - sp.erf(minus)) / 2
    assert is_zero(sp.diff(mean, a) - inside / b)


@pytest.mark.parametrize("coefficient", [sp.Integer(1), sp.Rational(101, 100)])
def test_law(coefficient: sp.Expr) -> None:
    """Rung: symbolic. The parabola -d eta + c eta^2 / 2; a planted 1 % is not stationary."""
    descent, curvature, eta = sp.symbols("d c eta", positive=True)
    loss = -descent * eta + curvature * eta**2 / 2
    best = coefficient * descent / curvature
    assert is_zero(sp.diff(loss, eta).subs(eta, best)) == (coefficient == 1)
    assert is_zero(loss.subs(eta, best) + descent**2 / (2 * curvature)) == (coefficient == 1)
