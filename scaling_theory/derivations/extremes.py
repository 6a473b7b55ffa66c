"""Extremes of smooth functions of one variable, to twenty digits."""

from __future__ import annotations

import sympy as sp

__all__ = ["largest_value"]


def largest_value(
    function: sp.Expr, variable: sp.Symbol, start: float
) -> tuple[sp.Float, sp.Float]:
    """Position and value of the local maximum nearest to `start`.

    Raises ArithmeticError if the stationary point found is not a maximum.
    """
    place = sp.nsolve(sp.diff(function, variable), variable, start, prec=20)
    if sp.diff(function, variable, 2).subs(variable, place).evalf() >= 0:
        raise ArithmeticError(
            f"the stationary point {place} is no maximum; start nearer than {start}"
        )
    return place, function.subs(variable, place).evalf(20)
