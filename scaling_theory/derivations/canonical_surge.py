"""Inside the canonical form: when eta* falls at large B, where it peaks, and how high."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.canonical_form import CANONICAL, canonical_scalars, learning_rate
from scaling_theory.derivations.peaked import peaked_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["canonical_surge", "peak_batch", "peak_learning_rate"]


def peak_batch() -> sp.Expr:
    """K B_n / (K - 2 B_n), positive if B_n < K / 2."""
    return sy.K * sy.B_n / (sy.K - 2 * sy.B_n)


def peak_learning_rate() -> sp.Expr:
    """eta* at the peak, eta_infinity K / (2 sqrt(B_n (K - B_n)))."""
    return sy.eta_infinity * sy.K / (2 * sp.sqrt(sy.B_n * (sy.K - sy.B_n)))


def canonical_surge() -> tuple[Step, ...]:
    """The exact condition of a surge inside this form, its peak, and the weaker condition."""
    return (
        _condition(),
        _batch_of_peak(),
        _in_scalars(),
        _height(),
        _height_in_scalars(),
        _noise_attenuation(),
        _between(),
        _example(),
    )


def _slope() -> sp.Expr:
    """B times the derivative of ln eta*, by differentiation."""
    return sy.B * sp.diff(sp.log(learning_rate()), sy.B)


def _condition() -> Step:
    claim = ((2 * sy.B_n - sy.K) * sy.B + sy.K * sy.B_n) / (2 * (sy.B + sy.B_n) * (sy.B + sy.K))
    return Step(
        title="Exact condition of a surge",
        assumption=CANONICAL,
        equation=equate(sy.log_slope, claim),
        derived=_slope(),
        how="The slope over one denominator: its numerator is linear in B and positive at 0, so "
        "η* falls somewhere exactly when 2B_n < K, that is Q > 2T.",
        source=sources.OWN,
    )


def _root_of_slope() -> sp.Expr:
    (batch,) = sp.solve(sp.together(_slope()), sy.B)
    return batch


def _batch_of_peak() -> Step:
    return Step(
        title="Batch of the peak",
        assumption=CANONICAL + " Q > 2T.",
        equation=equate(sy.B_peak, peak_batch()),
        derived=_root_of_slope(),
        how="The slope is set to zero and solved for B.",
        source=sources.OWN,
    )


def _in_scalars() -> Step:
    return Step(
        title="... by trace and curvature",
        assumption=CANONICAL + " Q > 2T.",
        equation=equate(sy.B_peak, sy.K * sy.T / (sy.Q - 2 * sy.T)),
        derived=_root_of_slope().subs(canonical_scalars()),
        how="B_n = KT/Q is put in.",
        source=sources.OWN,
    )


def _surging(expression: sp.Expr) -> sp.Expr:
    """With K = 2 B_n + gap, gap > 0, so that roots of K - 2 B_n are real."""
    return expression.subs(sy.K, 2 * sy.B_n + sp.Symbol("gap", positive=True))


def _height() -> Step:
    return Step(
        title="Learning rate at the peak",
        assumption=CANONICAL + " Q > 2T.",
        equation=equate(sy.eta_peak, peak_learning_rate()),
        derived=_surging(learning_rate().subs(sy.B, _root_of_slope())),
        how="The batch of the peak is put into η*.",
        source=sources.OWN,
        where={sy.K: _surging(sy.K)},
    )


def _height_in_scalars() -> Step:
    # T and Q as K = (2 + gap) B_n reads there: Q = (2 + gap) T.
    surging = {sy.Q: (2 + sp.Symbol("gap", positive=True)) * sy.T}
    rate = learning_rate().subs(sy.B, _root_of_slope())
    return Step(
        title="... by trace and curvature",
        assumption=CANONICAL + " Q > 2T.",
        equation=equate(sy.eta_peak, sy.A / (2 * sp.sqrt(sy.T * (sy.Q - sy.T)))),
        derived=rate.subs(canonical_scalars()).subs(surging),
        how="η∞ = A/Q and B_n = KT/Q are put in.",
        source=sources.OWN,
        where=surging,
    )


def _noise_attenuation() -> Step:
    (beta,) = sp.solve(sp.diff(peaked_learning_rate(), sy.attenuation), sy.attenuation)
    return Step(
        title="β_noise < 1 is the same condition",
        assumption=CANONICAL + " β_noise² = T/(Q − T), Q > T.",
        equation=equate(1 - sy.beta_noise**2, (sy.Q - 2 * sy.T) / (sy.Q - sy.T)),
        derived=(1 - beta**2).subs(sy.beta_noise, sp.sqrt(sy.T / (sy.Q - sy.T))),
        how="The maximum of the peaked form is at β_noise; positive exactly when Q > 2T.",
        source=sources.OWN,
    )


def _between() -> Step:
    slope = _slope().subs(sy.B_n, sy.K * sy.T / sy.Q).subs(sy.Q, 3 * sy.T / 2)
    claim = sy.K * (sy.B + 2 * sy.K) / (2 * (sy.B + sy.K) * (3 * sy.B + 2 * sy.K))
    return Step(
        title="The article's condition Q > T is necessary, not sufficient",
        assumption=CANONICAL + " Q = 3T/2: between T and 2T.",
        equation=equate(sy.log_slope, claim),
        derived=slope,
        how="Q = 3T/2 is put into the slope: positive for every B, no surge though Q > T.",
        source=sources.OWN + ", sharpening " + sources.EPSILON,
    )


def _example() -> Step:
    values = {sy.K: 100, sy.T: 1, sy.Q: 3}
    return Step(
        title="Example of a peak",
        assumption="K = 100, T = 1, Q = 3.",
        equation=equate(sy.B_peak, sp.Integer(100)),
        derived=_root_of_slope().subs(canonical_scalars()).subs(values),
        how="The numbers are put into the root of the slope.",
        source=sources.OWN,
    )
