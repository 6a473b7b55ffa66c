"""The theorems of the Surge paper."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import quadratic_form, total, trace
from scaling_theory.derivations.one_step import loss_drop, optimal_learning_rate
from scaling_theory.derivations.sign import algebraic_sign_mean
from scaling_theory.derivations.step import Step, equate

__all__ = ["surge_learning_rate", "surge_paper"]

_SIZE = 2
_INDICES = range(1, _SIZE + 1)
_SMALL = (
    "B ≪ πσᵢ²/(2gᵢ²) in every coordinate (so below the smallest of them); independent noise; "
    "X = Σᵢ≠ⱼ gᵢgⱼHᵢⱼ/(σᵢσⱼ) > 0, T = ΣHᵢᵢ > 0."
)


def surge_learning_rate() -> sp.Expr:
    """eta_max / ((sqrt(B_noise / B) + sqrt(B / B_noise)) / 2)."""
    return sy.eta_max / ((sp.sqrt(sy.B_surge / sy.B) + sp.sqrt(sy.B / sy.B_surge)) / 2)


def surge_paper() -> tuple[Step, ...]:
    """Theorems 3 and 5 from linearised means; theorem 4 is SignSGD at infinite batch."""
    return (
        _linearised(),
        _off_diagonal(),
        _rate(),
        _peak(),
        _small_batch(),
        _drop(),
        _extrapolated(),
        _monotone(),
    )


def _means() -> dict[int, sp.Expr]:
    """Small-batch means sqrt(2 B / pi) g_i / sigma_i."""
    return {row: sp.sqrt(2 * sy.B / sp.pi) * sy.g_[row] / sy.sigma_[row] for row in _INDICES}


def _curvature() -> sp.Expr:
    """Sum of H_ii plus the off-diagonal part with linearised means."""
    means = _means()
    return sum(
        (1 if row == column else means[row] * means[column]) * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )


def _descent() -> sp.Expr:
    return sum(mean * sy.g_[row] for row, mean in _means().items())


def _scalars() -> dict[sp.Symbol, sp.Expr]:
    """X, T, B_noise and eta_max of theorem 3 by X and T."""
    batch = sp.pi * sy.T / (2 * sy.off_diagonal)
    weighted = total(sy.g_[sy.i] ** 2 / sy.sigma_[sy.i])
    return {
        sy.B_surge: batch,
        sy.eta_max: sp.sqrt(batch / (2 * sp.pi)) * weighted.subs(sy.N, _SIZE).doit() / sy.T,
    }


def _scalar_curvature() -> sp.Expr:
    """The linearised curvature by T and X."""
    return sy.T + 2 * sy.B / sp.pi * sy.off_diagonal


def _linearised() -> Step:
    mean = algebraic_sign_mean().subs({sy.c: sp.pi / 2, sy.s: sy.sigma / sp.sqrt(sy.B)})
    leading = sp.limit(mean / sp.sqrt(sy.B), sy.B, 0) * sp.sqrt(sy.B)
    return Step(
        title="Mean of the sign at small batch",
        assumption="B ≪ πσ²/(2g²): a different bound in every coordinate.",
        equation=equate(sy.mu, sp.sqrt(2 * sy.B / sp.pi) * sy.g / sy.sigma),
        derived=leading,
        how="The limit B → 0 of μ/√B, c = π/2. (Lemma 1 of the paper is `one-step-law`, theorem 2 "
        "`sign-moments` with `sign-law`, theorem 4 the infinite batch there.)",
        source=sources.SURGE + ", theorem 3",
        approximate=True,
    )


def _off_diagonal() -> Step:
    ratio = sy.g_[sy.i] / sy.sigma_[sy.i]
    everything = quadratic_form(sy.H_, lambda index: sy.g_[index] / sy.sigma_[index])
    off_diagonal = everything - total(ratio**2 * sy.H_[sy.i, sy.i])
    return Step(
        title="Curvature at small batch",
        assumption=_SMALL,
        equation=equate(sy.curvature, trace(sy.H_) + 2 * sy.B / sp.pi * off_diagonal),
        derived=_curvature(),
        how="The linearised means are put into E[uuᵀ], whose diagonal is one. The paper's "
        "equation needs the factor Hᵢⱼ in this sum.",
        source=sources.SURGE + ", theorem 3",
        coordinates=_SIZE,
        approximate=True,
    )


def _rate() -> Step:
    return Step(
        title="Learning rate at small batch",
        assumption=_SMALL + " B_Surge = πT/(2X), η_max = √(B_Surge/(2π)) Σ(gᵢ²/σᵢ)/T.",
        equation=equate(sy.eta_star, surge_learning_rate()),
        derived=optimal_learning_rate(_descent(), _scalar_curvature()),
        how="E[u]ᵀg / E[uᵀHu] against the right side with B_Surge and η_max put in.",
        source=sources.SURGE + ", theorem 3",
        where=_scalars(),
        approximate=True,
    )


def _peak() -> Step:
    (batch,) = sp.solve(sp.diff(surge_learning_rate(), sy.B), sy.B)
    return Step(
        title="Its noise batch is its peak",
        assumption=_SMALL,
        equation=equate(sy.B_peak, sy.B_surge),
        derived=batch,
        how="∂η*/∂B = 0 is solved for B.",
        source=sources.SURGE + ", theorem 3",
    )


def _small_batch() -> Step:
    leading = sp.limit(surge_learning_rate() / sp.sqrt(sy.B), sy.B, 0)
    return Step(
        title="Far below the peak",
        assumption=_SMALL + " B ≪ B_Surge.",
        equation=equate(sy.eta_star, 2 * sy.eta_max * sp.sqrt(sy.B / sy.B_surge)),
        derived=leading * sp.sqrt(sy.B),
        how="The limit B → 0 of η*/√B.",
        source=sources.SURGE,
        approximate=True,
    )


def _drop() -> Step:
    scalars = _scalars()
    weighted = _descent() / sp.sqrt(2 * sy.B / sp.pi)
    scalars[sy.drop_max] = weighted**2 / (2 * sy.off_diagonal)
    return Step(
        title="Loss drop at small batch",
        assumption=_SMALL + " ΔL_max = (Σgᵢ²/σᵢ)²/(2X).",
        equation=equate(sy.drop, sy.drop_max / (1 + sy.B_surge / sy.B)),
        derived=loss_drop(_descent(), _scalar_curvature()),
        how="(E[u]ᵀg)²/(2E[uᵀHu]) against the right side with ΔL_max and B_Surge put in.",
        source=sources.SURGE + ", theorem 5",
        where=scalars,
        approximate=True,
    )


def _extrapolated() -> Step:
    # All coordinates alike: X = (Q - T) snr^2 at epsilon = 0, g = snr sigma.
    small = sy.N**2 * sy.snr**2 * sy.g**2 / (2 * (sy.Q - sy.T) * sy.snr**2)
    true = loss_drop(sy.N * sy.g, sy.Q)
    return Step(
        title="ΔL_max of theorem 5 is not the drop at infinite batch",
        assumption="All coordinates alike, gᵢ = SNR·σᵢ: X = (Q − T)·SNR², Σgᵢ²/σᵢ = N·SNR·g.",
        equation=equate(sy.drop_max / sy.drop_infinity, sy.Q / (sy.Q - sy.T)),
        derived=small / true,
        how="Theorem 5 against A²/(2Q) with A = N|g|: it extrapolates beyond its own domain and "
        "is right only for Q ≫ T.",
        source=sources.OWN,
    )


def _monotone() -> Step:
    drop = loss_drop(sy.mu * sy.A, sy.T + sy.mu**2 * (sy.Q - sy.T))
    claim = sy.A**2 * sy.T * sy.mu / (sy.T + sy.mu**2 * (sy.Q - sy.T)) ** 2
    return Step(
        title="With one SNR the loss drop only rises",
        assumption="SignSGD, all |E[uᵢ]| equal to μ, any H and any signs.",
        equation=equate(sp.Derivative(sy.drop, sy.mu), claim),
        derived=sp.diff(drop, sy.mu),
        how="Differentiation: positive. It takes a spread of SNR over coordinates for the "
        "expected drop to fall with B (see `scalar-criterion`).",
        source=sources.OWN,
    )
