"""The laws that can be fitted: limits, brute force from coordinates, what each entry states."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

from scaling_theory import symbols as sy
from scaling_theory.derivations.groups import multi_group
from scaling_theory.laws.form import LawForm
from scaling_theory.laws.run_limits import NOISE_POWERS, TIMESCALE_EXPONENT, noise_and_curvature
from scaling_theory.laws.table import LAW_FORMS

B = np.geomspace(1, 1e5, 41)


def rates(name: str, *values: float) -> np.ndarray:
    return LAW_FORMS[name].learning_rate(B, *values)


LIMITS = {
    "two slopes is the surge curve": ("two slopes", (2e-3, 80, 0.5, 0.5), "surge", (2e-3, 80)),
    "saturating, exponent 1": ("saturating", (2e-3, 80, 1.0), "linear saturating", (2e-3, 80)),
    "saturating, exponent 1/2": (
        "saturating", (2e-3, 80, 0.5), "square root saturating", (2e-3, 80),
    ),
    "canonical, K = B_n": ("canonical", (2e-3, 80, 80), "square root saturating", (2e-3, 80)),
    "canonical, K = 0": ("canonical", (2e-3, 80, 1e-12), "linear saturating", (2e-3, 80)),
    "epsilon = 0": ("canonical epsilon", (2e-3, 50, 300, 1e-4, 0.0), "canonical", (2e-3, 50, 300)),
    "one group": ("two groups", (2e-3, 0.2, 300, 10, 1e-13), "canonical", (2e-3, 60, 300)),
    "equal groups": ("two groups", (2e-3, 0.2, 300, 1, 0.7), "canonical", (2e-3, 60, 300)),
    "power 1/2": ("power", (2e-4, 0.5), "square root", (2e-4,)),
    "power 1": ("power", (2e-4, 1.0), "linear", (2e-4,)),
    "power 0": ("power", (2e-4, 0.0), "constant", (2e-4,)),
    "noise decides": ("noise and curvature", (2e-5, 1e9, 5), "linear", (2e-5,)),
    "curvature decides": ("noise and curvature", (1e9, 2e-3, 1e-12), "constant", (2e-3,)),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS.values(), ids=LIMITS)
def test_laws_contain_each_other(
    case: tuple[str, tuple[float, ...], str, tuple[float, ...]],
) -> None:
    """Rung: closed form. Limits; what is left out is of the order 1e-9 of the rest or less."""
    name, values, limit, limit_values = case
    np.testing.assert_allclose(rates(name, *values), rates(limit, *limit_values), rtol=1e-8)


def test_limits_see_a_planted_error() -> None:
    """Rung: closed form (negative control). 1 % in one parameter breaks a limit."""
    wrong, right = rates("two slopes", 2e-3, 80, 0.505, 0.5), rates("surge", 2e-3, 80)
    assert not np.allclose(wrong, right, rtol=1e-8)


def test_two_groups_are_the_derived_law() -> None:
    """Rung: another route (sympy). The derivation's law with its sums put in, to rounding."""
    eta, t, first, ratio, share = 2e-3, 0.07, 40.0, 50.0, 1.7
    claim = multi_group()[0].equation.rhs
    own = {sy.A_group[1]: eta, sy.A_group[2]: eta * share}
    own |= {sy.T_group[1]: t, sy.T_group[2]: t * share}
    own |= {sy.Q_group[1, 1]: 1, sy.Q_group[2, 2]: share, sy.Q_group[1, 2]: 0, sy.Q_group[2, 1]: 0}
    derived = []
    for batch in B:
        beta = [1 / sp.sqrt(1 + k / batch) for k in (first, first * ratio)]
        values = {sy.beta_first: beta[0], sy.beta_second: beta[1], **own}
        derived.append(float(claim.subs(values)))
    np.testing.assert_allclose(rates("two groups", eta, t, first, ratio, share), derived, rtol=1e-9)


def test_canonical_epsilon_from_coordinates() -> None:
    """Rung: slow brute force. (2.8) of kexue.fm/archives/10563 summed over 50 coordinates."""
    n, g, sigma, epsilon = 50, 2e-4, 3e-3, 1.5e-4
    matrix = np.random.default_rng(0).normal(size=(n, n)) / n
    curvature = matrix @ matrix.T + 0.3 * np.eye(n) + 0.05
    sign = np.random.default_rng(1).choice([-1.0, 1.0], n)

    def eta(batch: float, eps: float) -> float:
        u = sign * g / np.sqrt(g**2 + eps**2)
        beta2 = 1 / (1 + sigma**2 / (g**2 + eps**2) / batch)
        descent = np.sqrt(beta2) * float(u @ (sign * g))
        return float(descent / (beta2 * u @ curvature @ u + (1 - beta2) * np.trace(curvature)))

    at_signs = float(sign @ curvature @ sign)
    parameters = (
        n * g / at_signs, (sigma / g) ** 2 * np.trace(curvature) / at_signs, (sigma / g) ** 2, g,
    )  # fmt: skip
    for eps in (0.0, epsilon, 30 * epsilon):
        expected = [eta(batch, eps) for batch in B]
        np.testing.assert_allclose(
            rates("canonical epsilon", *parameters, eps), expected, rtol=1e-10
        )


def test_noise_and_curvature_solves_its_equation() -> None:
    """Rung: another route. A root finder on 1 = eta/(a B) + (eta/c)^2, to its tolerance."""
    slope, plateau, saturation = 2e-5, 2e-3, 400.0

    def excess(eta: float, batch: float) -> float:
        cap = plateau * np.sqrt(1 + saturation / batch)
        return float(eta / (slope * batch) + (eta / cap) ** 2 - 1)

    expected = [brentq(excess, 0, 1, args=(batch,), xtol=1e-18, rtol=1e-13) for batch in B]
    found = noise_and_curvature(B, *map(np.asarray, (slope, plateau, saturation)))
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_noise_powers_keep_the_timescale_law() -> None:
    """Rung: closed form. eta D / B goes as (D/N)^0.52, whatever N and D."""
    for n_params, tokens in ((1e8, 1e9), (3e9, 7e11)):
        slope = n_params ** NOISE_POWERS["n_params"] * tokens ** NOISE_POWERS["tokens"]
        assert slope * tokens == pytest.approx((tokens / n_params) ** -TIMESCALE_EXPONENT)


@pytest.mark.parametrize("form", LAW_FORMS.values(), ids=LAW_FORMS)
def test_every_entry_is_complete(form: LawForm) -> None:
    """Rung: closed form. Name, source and formula; the formula names every parameter or symbol."""
    assert LAW_FORMS[form.name] is form
    assert form.source and form.formula and all(term.meaning for term in form.terms)
    assert form.terms[0].kind == "learning rate"
    assert all(term.lower < term.upper for term in form.terms)


@pytest.mark.parametrize("form", LAW_FORMS.values(), ids=LAW_FORMS)
def test_laws_scale_with_their_units(form: LawForm) -> None:
    """Rung: closed form. Learning rates doubled double eta*; batch sizes in another unit do not."""
    values = [1e-3 if t.kind == "learning rate" else 2.0 for t in form.terms]
    extra = [0.5] if form.epsilon else []
    once = form.learning_rate(B, *values, *extra)
    twice = [
        2 * v if t.kind == "learning rate" else v for v, t in zip(values, form.terms, strict=True)
    ]
    np.testing.assert_allclose(form.learning_rate(B, *twice, *extra), 2 * once, rtol=1e-12)
    assert np.isfinite(once).all() and (once > 0).all()
