"""Curvature along an update whose noise is correlated between coordinates, and its limits."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import noise_average, quadratic_form, total, trace
from scaling_theory.derivations.step import Step, equate

__all__ = ["correlated_noise"]

_SIZE = 3
_INDICES = range(1, _SIZE + 1)
_GAUSSIAN = (
    "The batch gradient is jointly Gaussian with covariance Σ/B; μᵢ, Vᵢ and gains Aᵢ are exact."
)
_SYMMETRY = {
    matrix[row, column]: matrix[column, row]
    for matrix in (sy.Sigma_, sy.R_)
    for row in _INDICES
    for column in range(1, row)
}


def correlated_noise() -> tuple[Step, ...]:
    """First order in the correlation off the diagonal, everything on it; where it leads."""
    return (
        _curvature(),
        _from_deviations(),
        _sgd_limit(),
        _sign_limit(),
        _adam_limit(),
        _independent(),
    )


def _double_sum(term: sp.Expr) -> sp.Sum:
    return sp.Sum(term, (sy.i, 1, sy.N), (sy.j, 1, sy.N))


def _filtered() -> sp.Sum:
    """Tr(H A Sigma A)."""
    return _double_sum(sy.H_[sy.i, sy.j] * sy.A_[sy.i] * sy.A_[sy.j] * sy.Sigma_[sy.i, sy.j])


def _signal() -> sp.Sum:
    return quadratic_form(sy.H_, lambda index: sy.mu_[index])


def _averaged() -> sp.Expr:
    """E[uᵀHu] with Cov(u_i, u_j) = A_i A_j Sigma_ij / B for i != j and V_i for i = j."""
    covariance = {
        (row, column): sy.V_[row]
        if row == column
        else sy.A_[row] * sy.A_[column] * sy.Sigma_[row, column] / sy.B
        for row in _INDICES
        for column in _INDICES
    }
    return sum(
        (sy.mu_[row] * sy.mu_[column] + covariance[row, column]) * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )


def _noise() -> sp.Expr:
    """The noise part of the curvature, written out."""
    signal = sum(
        sy.mu_[row] * sy.mu_[column] * sy.H_[row, column] for row in _INDICES for column in _INDICES
    )
    return sp.expand(_averaged() - signal)


def _curvature() -> Step:
    rest = sy.V_[sy.i] - sy.A_[sy.i] ** 2 * sy.Sigma_[sy.i, sy.i] / sy.B
    return Step(
        title="Curvature with correlated noise",
        assumption=_GAUSSIAN + " Correlations off the diagonal are small enough for their first "
        "order (`correlated-pair`).",
        equation=equate(
            sy.curvature,
            _signal() + _filtered() / sy.B + total(sy.H_[sy.i, sy.i] * rest),
        ),
        derived=_averaged(),
        how="E[uuᵀ] with covariance AᵢAⱼΣᵢⱼ/B off the diagonal and Vᵢ on it is written out.",
        source=sources.OWN,
        coordinates=_SIZE,
        approximate=True,
    )


def _from_deviations() -> Step:
    noise = sp.symbols(f"delta1:{_SIZE + 1}", real=True)
    form = sum(
        sy.A_[row] * noise[row - 1] * sy.A_[column] * noise[column - 1] * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )
    averaged = noise_average(form, noise, lambda row, column: sy.Sigma_[row, column] / sy.micro)
    return Step(
        title="Its middle term from measured deviations",
        assumption="δ is the deviation of a micro-batch of b sequences from the true gradient, "
        "of covariance Σ/b.",
        equation=equate(sy.micro * sy.deviation_curvature, _filtered()),
        derived=sy.micro * averaged,
        how="(A∘δ)ᵀH(A∘δ) is averaged over δ: multiply by b.",
        source=sources.OWN,
        coordinates=_SIZE,
        where=_SYMMETRY,
    )


def _with_correlation(noise: sp.Expr) -> sp.Expr:
    """Sigma_ij = sigma_i sigma_j R_ij with R_ii = 1."""
    covariance = {
        sy.Sigma_[row, column]: sy.sigma_[row]
        * sy.sigma_[column]
        * (1 if row == column else sy.R_[row, column])
        for row in _INDICES
        for column in _INDICES
    }
    return noise.subs(covariance)


def _sgd_limit() -> Step:
    large = {sy.A_[row]: 1 / sy.epsilon for row in _INDICES} | {
        sy.V_[row]: sy.Sigma_[row, row] / (sy.B * sy.epsilon**2) for row in _INDICES
    }
    return Step(
        title="ε → ∞: the law of SGD",
        assumption="Exact moments: εA → 1 and ε²V → s² (`exact-mean`, `exact-second-moment`).",
        equation=equate(
            sp.Limit(sy.epsilon**2 * sy.noise_curvature, sy.epsilon, sp.oo),
            _double_sum(sy.H_[sy.i, sy.j] * sy.Sigma_[sy.i, sy.j]) / sy.B,
        ),
        derived=sp.expand(sy.epsilon**2 * _noise().subs(large)),
        how="A = 1/ε and V = s²/ε² are put into the noise part: Tr(HΣ)/B with all its "
        "correlations, which the mean field loses.",
        source=sources.OWN,
        coordinates=_SIZE,
    )


def _sign_limit() -> Step:
    scale = {row: sy.sigma_[row] / sp.sqrt(sy.B) for row in _INDICES}
    small = {sy.A_[row]: sp.sqrt(2 / sp.pi) / scale[row] for row in _INDICES} | {
        sy.V_[row]: 1 for row in _INDICES
    }
    everything = _double_sum(sy.H_[sy.i, sy.j] * sy.R_[sy.i, sy.j])
    return Step(
        title="ε → 0 and little signal: 𝒩₀",
        assumption="A = √(2/π)/s and V = 1 (the sign at g ≪ s); R is the noise correlation.",
        equation=equate(sy.noise_start, 2 / sp.pi * everything + (1 - 2 / sp.pi) * trace(sy.H_)),
        derived=sp.expand(_with_correlation(_noise()).subs(small)),
        how="Put into the noise part. Uncorrelated noise (R = 1) gives back Tr H.",
        source=sources.OWN,
        coordinates=_SIZE,
        where={sy.R_[row, row]: 1 for row in _INDICES},
    )


def _adam_limit() -> Step:
    linear = {sy.V_[row]: sy.A_[row] ** 2 * sy.Sigma_[row, row] / sy.B for row in _INDICES}
    return Step(
        title="Adam with β₂ → 1: only the middle term",
        assumption="v is constant, so that u = Am is linear in the gradient: V = A²s².",
        equation=equate(sy.noise_curvature, _filtered() / sy.B),
        derived=_noise().subs(linear),
        how="V = A²s² is put in: the diagonal term vanishes and the form is exact, Gaussian or "
        "not. With momentum it is multiplied by ρ in the stationary one-step view.",
        source=sources.OWN,
        coordinates=_SIZE,
    )


def _independent() -> Step:
    uncorrelated = {
        sy.Sigma_[row, column]: 0 for row in _INDICES for column in _INDICES if row != column
    }
    return Step(
        title="Independent noise",
        assumption="Σ is diagonal.",
        equation=equate(sy.noise_curvature, total(sy.H_[sy.i, sy.i] * sy.V_[sy.i])),
        derived=sp.expand(_noise().subs(uncorrelated)),
        how="What every formula of the articles keeps.",
        source=sources.OWN,
        coordinates=_SIZE,
    )
