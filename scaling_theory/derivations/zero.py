"""Is an expression zero? Refuted by numbers first, then proved by algebra."""

from __future__ import annotations

import mpmath
import sympy as sp

__all__ = ["erf_only", "falsify", "number", "proves_zero", "sample_point"]

# Distinct values near one: large enough to matter, small enough that no exponential overflows.
_VALUES = (
    sp.Rational(7, 5),
    sp.Rational(5, 6),
    sp.Rational(11, 9),
    sp.Rational(3, 4),
    sp.Rational(13, 8),
    sp.Rational(9, 10),
    sp.Rational(17, 11),
    sp.Rational(4, 7),
    sp.Rational(19, 12),
    sp.Rational(2, 3),
    sp.Rational(23, 13),
)
_DIGITS = 30
_NOISE = sp.Float("1e-20")


def _unknowns(expression: sp.Expr) -> list[sp.Expr]:
    """Free symbols and indexed elements, in an order that does not depend on hashing."""
    indexed = expression.atoms(sp.Indexed)
    inside = {symbol for element in indexed for symbol in element.free_symbols}
    bare = {symbol for symbol in expression.free_symbols if symbol not in inside}
    return sorted(bare - indexed, key=str) + sorted(indexed, key=str)


def sample_point(expression: sp.Expr, shift: int) -> dict[sp.Expr, sp.Rational]:
    """A rational value for every unknown; negative integers of `shift` are never produced."""
    return {
        unknown: _VALUES[(index + shift) % len(_VALUES)] + sp.Rational(index, 101)
        for index, unknown in enumerate(_unknowns(expression))
    }


def falsify(expression: sp.Expr, points: int = 2) -> sp.Expr | None:
    """The value of the expression at the first of a few rational points where it is not zero.

    None if every point gives zero, or if it cannot be evaluated there (then only the proof
    decides). Thirty digits are carried, and 1e-20 of them are believed.
    """
    for shift in range(0, 5 * points, 5):
        value = expression.subs(sample_point(expression, shift)).evalf(_DIGITS)
        if value.is_number and value.is_finite and abs(value) > _NOISE:
            return value.evalf(6)
    return None


def number(expression: sp.Expr) -> sp.Expr:
    """Twenty digits of an expression without free symbols; one-dimensional integrals by mpmath."""
    return expression.replace(lambda part: isinstance(part, sp.Integral), _quadrature).evalf(20)


def _quadrature(integral: sp.Integral) -> sp.Float:
    ((variable, low, high),) = integral.limits
    integrand = sp.lambdify(variable, integral.function, "mpmath")
    with mpmath.workdps(25):
        ends = [
            mpmath.mpf(str(end)) if end.is_finite else mpmath.mpf(int(sp.sign(end))) * mpmath.inf
            for end in (low, high)
        ]
        return sp.Float(mpmath.quad(integrand, ends), 20)


def erf_only(expression: sp.Expr) -> sp.Expr:
    """The expression with erfc written as 1 - erf, so that the two can cancel."""
    return expression.replace(sp.erfc, lambda argument: 1 - sp.erf(argument))


def proves_zero(expression: sp.Expr) -> bool:
    """True if one of sympy's exact reductions turns the expression into 0."""
    if expression == 0:
        return True
    expression = erf_only(expression)
    for reduce in (sp.expand, _numerator, _exponents, sp.simplify):
        if reduce(expression) == 0:
            return True
    return bool(sp.simplify(sp.expand(sp.radsimp(expression))) == 0)


def _numerator(expression: sp.Expr) -> sp.Expr:
    """The expanded numerator over a common denominator."""
    return sp.expand(sp.fraction(sp.together(expression))[0])


def _exponents(expression: sp.Expr) -> sp.Expr:
    """Exponentials of a product joined, and their exponents brought to one form."""
    return sp.powsimp(expression).replace(sp.exp, lambda power: sp.exp(sp.cancel(power)))
