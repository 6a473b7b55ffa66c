"""The tables of the theory page are computed, and are what independent routes find."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from scaling_theory.derivations.tables import (
    error_table,
    largest_errors,
    noise_limit,
    noise_table,
    surge_ratios,
    surge_table,
)

ERRORS = {(found.approximation, found.moment): found for found in largest_errors()}


@pytest.mark.parametrize(
    ("approximation", "moment", "expected"),
    [
        ("algebraic, c = π/2", "mean", 0.108),
        ("algebraic, c = π/2", "second moment", 0.307),
        ("algebraic, c = 1", "mean", 0.078),
        ("algebraic, c = 1", "second moment", 0.239),
        ("clip, exact moments", "mean", 0.293),
    ],
)
def test_largest_errors(approximation: str, moment: str, expected: float) -> None:
    """Rung: closed form, the oracles; half a unit of the last digit."""
    assert ERRORS[approximation, moment].error == pytest.approx(expected, abs=5e-4)


def softsign_average(a: float, b: float, power: int) -> float:
    """E[u^power] at s = 1, by adaptive quadrature over z."""

    def integrand(z: float) -> float:
        x = a + z
        return (x / math.hypot(x, b)) ** power * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return float(quad(integrand, -12, 12, points=[-a], epsabs=1e-11, limit=300)[0])


def test_worst_second_moment_by_quadrature() -> None:
    """Rung: quadrature at g = 0, then a search over b by another library.

    The grid of 100 values a decade is off the maximum by at most 1.2 % in b, quadratic in it.
    """

    def error(b: float) -> float:
        return -abs(softsign_average(0, b, 2) - (math.pi / 2) / (b * b + math.pi / 2))

    best = minimize_scalar(error, bounds=(0.1, 3), method="bounded", options={"xatol": 1e-6})
    found = ERRORS["algebraic, c = π/2", "second moment"]
    assert found.error == pytest.approx(-best.fun, abs=1e-4)
    assert found.softness == pytest.approx(best.x, rel=0.02)
    assert found.signal == 0


def test_worst_mean_by_quadrature() -> None:
    """Rung: quadrature of the mean at the place the table names, c = 1."""
    found = ERRORS["algebraic, c = 1", "mean"]
    a, b = found.signal, found.softness
    true = softsign_average(a, b, 1)
    assert found.error == pytest.approx(abs(a / math.sqrt(a * a + b * b + 1) - true), abs=1e-9)


def test_noise_limit() -> None:
    """Rung: closed form. The article's c gives pi/2 at b -> infinity, every other one gives 1.

    Their errors fall as 1/b^2: at b = 1000 and a = 1 below 1e-5.
    """
    limits = {name: float(values[0]) for name, values in noise_limit((1000.0,)).items()}
    assert limits.pop("algebraic, c = π/2") == pytest.approx(math.pi / 2, abs=1e-5)
    assert limits == pytest.approx(dict.fromkeys(limits, 1.0), abs=1e-5)


def test_surges_vanish_where_the_derivation_says() -> None:
    """Rung: recovery of a derived threshold: sqrt(3) in the mean field, sqrt(12) exactly.

    3 % below it there is a peak above rounding; 1 % above there is none. The peak grows as the
    square of the distance, about 1e-4 here, which the grid of B resolves.
    """
    for name, end in (("mean field, any c", math.sqrt(3)), ("exact", math.sqrt(12))):
        below, above = surge_ratios((0.97 * end, 1.01 * end))[name]
        assert below > 1 + 1e-6
        assert above == 1.0


def test_surge_of_the_sign_is_the_closed_form() -> None:
    """Rung: closed form, eta_peak Q / A with Q = 8, T = 1; the grid in s errs below 1e-5."""
    expected = 8 / (2 * math.sqrt(7))
    for values in surge_ratios((0.0,)).values():
        assert float(values[0]) == pytest.approx(expected, abs=1e-4)


def test_tables_are_rectangular() -> None:
    """Rung: closed form (a count)."""
    for table in (error_table(), noise_table(), surge_table()):
        assert {len(row) for row in table.rows} == {len(table.header)}
        assert table.note
        assert np.all([bool(cell) for row in table.rows for cell in row])
