"""Averages over gradient noise, and sums over coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import sympy as sp

from scaling_theory import symbols as sy

__all__ = [
    "gaussian_average",
    "noise_average",
    "normal_density",
    "quadratic_form",
    "symmetric",
    "total",
    "trace",
]


def total(term: sp.Expr) -> sp.Sum:
    """Sum over the coordinates i = 1..N of a term in i."""
    return sp.Sum(term, (sy.i, 1, sy.N))


def trace(matrix: sp.IndexedBase) -> sp.Sum:
    """Sum of the diagonal of an N x N matrix."""
    return total(matrix[sy.i, sy.i])


def quadratic_form(matrix: sp.IndexedBase, vector: Callable[[sp.Symbol], sp.Expr]) -> sp.Sum:
    """Sum over i and j of v_i v_j M_ij, `vector` giving v at an index."""
    term = vector(sy.i) * vector(sy.j) * matrix[sy.i, sy.j]
    return sp.Sum(term, (sy.i, 1, sy.N), (sy.j, 1, sy.N))


def symmetric(matrix: sp.IndexedBase, size: int) -> dict[sp.Expr, sp.Expr]:
    """Replacements M_ij -> M_ji for i > j, which make an indexed matrix symmetric."""
    return {
        matrix[row, column]: matrix[column, row]
        for row, column in product(range(1, size + 1), repeat=2)
        if row > column
    }


def noise_average(
    polynomial: sp.Expr,
    noise: Sequence[sp.Symbol],
    covariance: Callable[[int, int], sp.Expr],
) -> sp.Expr:
    """Mean of a polynomial of degree <= 2 in noise of mean 0: d_i -> 0, d_i d_j -> covariance.

    covariance(i, j) counts from 1. Raises ValueError for a higher degree, which would need more
    than two moments of the noise.
    """
    average = sp.Integer(0)
    for powers, coefficient in sp.Poly(sp.expand(polynomial), *noise).terms():
        factors = [index + 1 for index, power in enumerate(powers) for _ in range(power)]
        if len(factors) > 2:
            raise ValueError(f"a term of degree {len(factors)} in the noise; at most 2 is known")
        if len(factors) == 1:
            continue
        average += coefficient * (covariance(*factors) if factors else 1)
    return average


def normal_density(variable: sp.Expr) -> sp.Expr:
    """The standard normal density."""
    return sp.exp(-(variable**2) / 2) / sp.sqrt(2 * sp.pi)


def gaussian_average(polynomial: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Mean of a polynomial of a standard normal variable, by integration."""
    integrand = sp.expand(polynomial) * normal_density(variable)
    return sp.integrate(integrand, (variable, -sp.oo, sp.oo))
