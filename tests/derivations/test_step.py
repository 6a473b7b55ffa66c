"""A step refuses a wrong claim, whatever its kind, and says what is left over."""

from __future__ import annotations

import pytest
import sympy as sp

from scaling_theory.derivations.averages import gaussian_average, noise_average
from scaling_theory.derivations.extremes import largest_value
from scaling_theory.derivations.step import IdentityError, Step, equate
from scaling_theory.derivations.zero import falsify, number, proves_zero
from scaling_theory.symbols import H_, B, K, N, g_, i

x = sp.Symbol("x", positive=True)


def step(claim: sp.Expr, derived: sp.Expr, coordinates: int = 0, tolerance: float = 0.0) -> Step:
    left = sp.Symbol("left")
    return Step(
        "a title",
        "None.",
        equate(left, claim),
        derived,
        "By hand.",
        "nobody",
        coordinates=coordinates,
        tolerance=tolerance,
    )


def test_an_identity_in_two_forms_holds() -> None:
    """Rung: closed form, high school algebra and a root."""
    assert step((x + 1) ** 2, x**2 + 2 * x + 1).check()
    assert step(1 / sp.sqrt(1 + K / B), sp.sqrt(B / (B + K))).check()


def test_a_wrong_claim_is_refused_with_what_is_left() -> None:
    """Rung: negative control."""
    with pytest.raises(IdentityError, match=r"step 'a title': the two sides differ by .*, wanted"):
        step((x + 1) ** 2, x**2 + x + 1).check()


def test_sums_are_written_out() -> None:
    """Rung: brute force over three coordinates, and one coordinate too many as control."""
    claim = sp.Sum(g_[i] * H_[i, i], (i, 1, N))
    written = sum(g_[row] * H_[row, row] for row in (1, 2, 3))
    assert step(claim, written, coordinates=3).check()
    with pytest.raises(IdentityError):
        step(claim, written, coordinates=4).check()


def test_numbers_hold_to_their_tolerance_and_no_further() -> None:
    """Rung: closed form, pi to four digits."""
    assert step(sp.Float("3.1416"), sp.pi, tolerance=5e-5).check()
    with pytest.raises(IdentityError):
        step(sp.Float("3.1418"), sp.pi, tolerance=5e-5).check()


def test_a_number_that_is_none_is_refused() -> None:
    """Rung: negative control; a free symbol is left, so there is nothing to compare."""
    with pytest.raises(IdentityError):
        step(x, sp.Integer(1), tolerance=1.0).check()
    with pytest.raises(IdentityError):
        step(sp.nan, sp.Integer(1), tolerance=1.0).check()


def test_planting_changes_the_shown_equation() -> None:
    """Rung: closed form; a claim of zero is shifted, since no factor changes it."""
    planted = step(x, x).planted(sp.Rational(101, 100))
    assert planted.claim == sp.Rational(101, 100) * x
    zero = step(sp.Integer(0), sp.Integer(0)).planted(sp.Rational(101, 100))
    assert zero.claim == sp.Rational(1, 100)
    for wrong in (planted, zero):
        with pytest.raises(IdentityError):
            wrong.check()


def test_latex_shows_what_is_checked() -> None:
    """Rung: closed form; relation and both sides, symbols by their LaTeX."""
    shown = Step("t", "a", equate(B, K / 2), K / 2, "h.", "s", approximate=True).latex
    assert shown == r"B \approx \frac{K}{2}"


def test_falsify_refutes_and_never_proves() -> None:
    """Rung: closed form; a difference of 1e-3 is seen, zero and an unevaluated form are not."""
    assert falsify(x / 1000) is not None
    assert falsify((x + 1) ** 2 - x**2 - 2 * x - 1) is None
    assert falsify(sp.Function("unknown")(x)) is None


@pytest.mark.parametrize(
    "zero",
    [
        sp.erf(x) + sp.erfc(x) - 1,
        sp.exp(x**2 / (1 + x)) * sp.exp(x / (1 + x)) - sp.exp(x),
        1 / (1 + x) - (1 - x) / (1 - x**2),
        sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
    ],
    ids=str,
)
def test_reductions_prove_zero_and_only_zero(zero: sp.Expr) -> None:
    """Rung: closed form; the same with a term more is the control."""
    assert proves_zero(zero)
    assert not proves_zero(zero + x / 7)


def test_number_integrates() -> None:
    """Rung: closed form, the Gaussian integral, and a finite range."""
    gauss = sp.Integral(sp.exp(-(x**2)), (x, 0, sp.oo))
    assert abs(number(gauss) - sp.sqrt(sp.pi) / 2) < 1e-15
    assert abs(
        number(1 + sp.Integral(x**2, (x, 0, sp.Rational(1, 2)))) - 1 - 1 / sp.Integer(24)
    ) < (1e-15)


def test_averages_over_noise() -> None:
    """Rung: closed form. Gaussian moments 1, 0, 3; a third power needs more than a covariance."""
    first, second = sp.symbols("first second", real=True)
    noisy = (1 + first) * (2 + 3 * second)
    assert noise_average(noisy, (first, second), lambda i, j: sp.Integer(10 * i + j)) == 2 + 3 * 12
    with pytest.raises(ValueError, match="degree 3"):
        noise_average(first**3, (first, second), lambda i, j: sp.Integer(1))
    z = sp.Symbol("z", real=True)
    assert gaussian_average(1 + z + 3 * z**4, z) == 10


def test_largest_value_is_a_maximum() -> None:
    """Rung: closed form, sin at pi/2; a minimum is refused."""
    place, value = largest_value(sp.sin(x), x, start=1.4)
    assert abs(place - sp.pi / 2) < 1e-15 and abs(value - 1) < 1e-15
    with pytest.raises(ArithmeticError, match="no maximum"):
        largest_value(sp.cos(x), x, start=3.0)
