"""The learning rate of SignSGD, coordinate by coordinate."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import quadratic_form, total, trace
from scaling_theory.derivations.mean_field import attenuation, saturation_batch
from scaling_theory.derivations.one_step import optimal_learning_rate
from scaling_theory.derivations.sign import algebraic_sign_mean
from scaling_theory.derivations.step import Step, equate

__all__ = ["sign_learning_rate"]

_SIZE = 3
_INDICES = range(1, _SIZE + 1)
_INDEPENDENT = "SignSGD; the noise of different coordinates is independent; E[sign²] = 1."


def sign_learning_rate() -> tuple[Step, ...]:
    """η* of SignSGD coordinate by coordinate, its limits, and a diagonal Hessian."""
    return (
        _curvature(),
        _infinite_batch(),
        _diagonal(),
        _diagonal_rises(),
        _small_batch(),
    )


def _second_moments() -> sp.Expr:
    """E[uᵀHu] from E[u_i^2] = 1 and E[u_i u_j] = mu_i mu_j."""
    return sum(
        (1 if row == column else sy.mu_[row] * sy.mu_[column]) * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )


def _curvature() -> Step:
    signal = quadratic_form(sy.H_, lambda index: sy.mu_[index])
    noise = total((1 - sy.mu_[sy.i] ** 2) * sy.H_[sy.i, sy.i])
    return Step(
        title="Curvature along the sign",
        assumption=_INDEPENDENT,
        equation=equate(sy.curvature, signal + noise),
        derived=_second_moments(),
        how="The matrix E[uuᵀ], one on the diagonal and μᵢμⱼ off it, is written out.",
        source=sources.CURRENT_STATE,
        coordinates=_SIZE,
    )


def _infinite_batch() -> Step:
    values = {sy.g_[1]: sy.x, sy.g_[2]: -sy.y, sy.g_[3]: sy.z}
    sizes = {sy.x: sp.Dummy(positive=True), sy.z: sp.Dummy(positive=True)}
    noisy = {
        sy.mu_[row]: algebraic_sign_mean()
        .subs({sy.g: sy.g_[row], sy.s: sy.sigma / sp.sqrt(sy.B)})
        .subs(values)
        .subs(sizes)
        for row in _INDICES
    }
    descent = sum(sy.mu_[row] * sy.g_[row] for row in _INDICES)
    rate = optimal_learning_rate(descent, _second_moments())
    rate = rate.subs(values).subs(sizes).subs(noisy)
    claim = total(sp.Abs(sy.g_[sy.i])) / quadratic_form(sy.H_, lambda row: sp.sign(sy.g_[row]))
    return Step(
        title="SignSGD at infinite batch",
        assumption=_INDEPENDENT + " No gradient coordinate is zero.",
        equation=equate(sy.eta_infinity, claim),
        derived=sp.limit(rate, sy.B, sp.oo),
        how="The limit B → ∞, written out for gradients of signs +, −, +.",
        source=sources.CURRENT_STATE,
        coordinates=_SIZE,
        where={index: value.subs(sizes) for index, value in values.items()},
    )


def _diagonal() -> Step:
    hessian = {sy.H_[row, column]: 0 for row in _INDICES for column in _INDICES if row != column}
    mean = algebraic_sign_mean().subs(sy.s, sy.sigma / sp.sqrt(sy.B))
    means = {
        sy.mu_[row]: mean.subs({sy.g: sy.g_[row], sy.sigma: sy.sigma_[row]}) for row in _INDICES
    }
    descent = sum(sy.mu_[row] * sy.g_[row] for row in _INDICES)
    term = (
        sy.g_[sy.i] ** 2
        / sy.sigma_[sy.i]
        / sp.sqrt(sy.c / sy.B + (sy.g_[sy.i] / sy.sigma_[sy.i]) ** 2)
    )
    return Step(
        title="SignSGD on a diagonal Hessian",
        assumption=_INDEPENDENT + " H is diagonal; the algebraic mean with c = π/2.",
        equation=equate(sy.eta_star, total(term) / trace(sy.H_)),
        derived=optimal_learning_rate(descent, _second_moments()).subs(hessian).subs(means),
        how="Off-diagonal curvature is dropped and the algebraic means are put in.",
        source=sources.CURRENT_STATE,
        coordinates=_SIZE,
        approximate=True,
    )


def _diagonal_rises() -> Step:
    ratio = sy.g / sy.sigma
    term = sy.sigma * ratio**2 / sp.sqrt(sy.c / sy.B + ratio**2)
    return Step(
        title="... rises with B",
        assumption="As above; one term of the sum over coordinates.",
        equation=equate(
            sp.Derivative(term, sy.B),
            sy.c
            * sy.g**2
            / (2 * sy.sigma * sy.B**2 * (sy.c / sy.B + ratio**2) ** sp.Rational(3, 2)),
        ),
        derived=sp.diff(term, sy.B),
        how="Differentiation: every term is positive, so a diagonal Hessian has no surge.",
        source=sources.OWN,
    )


def _small_batch() -> Step:
    beta = attenuation().subs(sy.K, saturation_batch())
    claim = sp.sqrt(sy.B / sy.c) * sy.A / (sp.sqrt(sy.kappa2) * sy.T)
    leading = sp.limit(sy.A * beta / sy.T / sp.sqrt(sy.B), sy.B, 0)
    return Step(
        title="... and starts as a square root",
        assumption="As above with one κ² for all coordinates, A = Σ|gᵢ|, T = ΣHᵢᵢ; B ≪ cκ².",
        equation=equate(sy.eta_star, claim),
        derived=leading * sp.sqrt(sy.B),
        how="The limit B → 0 of η*/√B. In terms of Σσᵢ = κΣ|gᵢ| the factor is Σσᵢ/κ²: the "
        "article prints Σσᵢ/κ, which is κ times too large.",
        source=sources.OWN + ", correcting " + sources.CURRENT_STATE,
        approximate=True,
    )
