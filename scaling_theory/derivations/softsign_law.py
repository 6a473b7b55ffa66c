"""The article's learning rate eta*(B, epsilon) in the mean field."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import noise_average, quadratic_form, total, trace
from scaling_theory.derivations.mean_field import attenuation, mean_field_second
from scaling_theory.derivations.one_step import loss_drop, optimal_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = ["mean_field_drop", "mean_field_rate", "preconditioned", "softsign_law"]

_SIZE = 3
_INDICES = range(1, _SIZE + 1)
_MEAN_FIELD = (
    "One step of SoftSignSGD without averages; Gaussian noise, independent coordinates, one κ² "
    "for all of them; the loss is quadratic along the step."
)


def _curvature() -> sp.Expr:
    """T + beta^2 (Q - T)."""
    return sy.T + sy.attenuation**2 * (sy.Q - sy.T)


def mean_field_rate() -> sp.Expr:
    """eta* = beta A / (T + beta^2 (Q - T)); all dependence on B is in beta."""
    return optimal_learning_rate(sy.attenuation * sy.A, _curvature())


def mean_field_drop() -> sp.Expr:
    """Loss drop beta^2 A^2 / (2 (T + beta^2 (Q - T)))."""
    return loss_drop(sy.attenuation * sy.A, _curvature())


def softsign_law() -> tuple[Step, ...]:
    """From the mean-field moments to η*(B, ε)."""
    return (_averaged(), _rate(), _in_batch(), _drop(), _special_hessian())


def preconditioned() -> tuple[Step, ...]:
    """Any direction P g̃ with P fixed: the loss drop keeps the form of SGD."""
    return (_preconditioned(),)


def _moments() -> sp.Expr:
    """E[uᵀHu] with E[u_i^2] of the mean field and E[u_i u_j] = beta^2 u_i u_j."""
    return sum(
        (
            mean_field_second().subs(sy.u, sy.u_[row])
            if row == column
            else sy.attenuation**2 * sy.u_[row] * sy.u_[column]
        )
        * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )


def _scalars() -> dict[sp.Symbol, sp.Expr]:
    """A, Q and T written out."""
    sums = {
        sy.A: total(sy.u_[sy.i] * sy.g_[sy.i]),
        sy.Q: quadratic_form(sy.H_, lambda index: sy.u_[index]),
        sy.T: trace(sy.H_),
    }
    return {symbol: value.subs(sy.N, _SIZE).doit() for symbol, value in sums.items()}


def _averaged() -> Step:
    claim = sy.attenuation**2 * quadratic_form(sy.H_, lambda index: sy.u_[index]) + (
        1 - sy.attenuation**2
    ) * trace(sy.H_)
    return Step(
        title="Curvature in the mean field",
        assumption=_MEAN_FIELD,
        equation=equate(sy.curvature, claim),
        derived=_moments(),
        how="E[uuᵀ], u²β² + 1 − β² on the diagonal and β²uᵢuⱼ off it, is written out.",
        source=sources.EPSILON,
        coordinates=_SIZE,
        approximate=True,
    )


def _rate() -> Step:
    descent = sum(sy.attenuation * sy.u_[row] * sy.g_[row] for row in _INDICES)
    return Step(
        title="Optimal learning rate η*(B, ε)",
        assumption=_MEAN_FIELD + " A = Σuᵢgᵢ, Q = Σuᵢuⱼ Hᵢⱼ, T = ΣHᵢᵢ, T + β²(Q − T) > 0.",
        equation=equate(sy.eta_star, mean_field_rate()),
        derived=optimal_learning_rate(descent, _moments()),
        how="E[u]ᵀg / E[uᵀHu] against the right side with A, Q and T written out.",
        source=sources.EPSILON,
        where=_scalars(),
        approximate=True,
    )


def _in_batch() -> Step:
    beta2 = sy.B / (sy.B + sy.K)
    return Step(
        title="β² in terms of B",
        assumption="β = (1 + K/B)^(−1/2).",
        equation=equate(sy.attenuation**2, beta2),
        derived=attenuation() ** 2,
        how="Squared; all dependence on B of η* is in it.",
        source=sources.EPSILON,
    )


def _drop() -> Step:
    descent = sum(sy.attenuation * sy.u_[row] * sy.g_[row] for row in _INDICES)
    return Step(
        title="Loss drop in the mean field",
        assumption=_MEAN_FIELD,
        equation=equate(sy.drop, mean_field_drop()),
        derived=loss_drop(descent, _moments()),
        how="(E[u]ᵀg)² / (2E[uᵀHu]) against the right side with A, Q and T written out.",
        source=sources.OWN,
        where=_scalars(),
        approximate=True,
    )


def _special_hessian() -> Step:
    sizes = sp.symbols(f"size1:{_SIZE + 1}", positive=True, cls=sp.Dummy)
    signs = (1, -1, 1)
    gradient = {sy.g_[row]: signs[row - 1] * sizes[row - 1] for row in _INDICES}
    update = {sy.u_[row]: signs[row - 1] for row in _INDICES}
    hessian = {
        sy.H_[row, column]: sizes[row - 1] / sy.eta_max if row == column else 0
        for row in _INDICES
        for column in _INDICES
    }
    descent = sum(sy.attenuation * sy.u_[row] * sy.g_[row] for row in _INDICES)
    rate = optimal_learning_rate(descent, _moments())
    return Step(
        title="SignSGD where the Hessian is |g|/η_max on the diagonal",
        assumption="ε = 0 and H = diag|gᵢ|/η_max, from the idea that √v stands in for curvature.",
        equation=equate(sy.eta_star, sy.eta_max * sy.attenuation),
        derived=rate.subs(hessian).subs(update).subs(gradient),
        how="Written out for gradients of signs +, −, +: no surge with this Hessian.",
        source=sources.MEAN_FIELD,
        approximate=True,
    )


def _preconditioned() -> Step:
    size = 2
    rows = range(1, size + 1)
    noise = sp.symbols("delta1:3", real=True)
    batch = sp.Matrix([sy.g_[row] + noise[row - 1] for row in rows])
    gradient = sp.Matrix([sy.g_[row] for row in rows])
    hessian = sp.Matrix(size, size, lambda row, column: sy.H_[row + 1, column + 1])
    scale = sp.Matrix(size, size, lambda row, column: sy.P_[row + 1, column + 1])
    moved = scale * batch
    averaged = noise_average(
        (moved.T * hessian * moved)[0, 0],
        noise,
        lambda row, column: sy.Sigma_[row, column] / sy.B,
    )
    signal = ((scale * gradient).T * hessian * scale * gradient)[0, 0]
    sigma = sp.Matrix(size, size, lambda row, column: sy.Sigma_[row + 1, column + 1])
    bent = (sigma * scale.T * hessian * scale).trace()
    return Step(
        title="Any preconditioner keeps the form of SGD",
        assumption="u = P g̃ with a fixed matrix P.",
        equation=equate(sy.curvature, sy.signal_preconditioned + sy.noise_preconditioned / sy.B),
        derived=averaged,
        how="uᵀHu is averaged over the batch noise for two coordinates, P and H general. "
        "E[u]ᵀg does not depend on B, so ΔL = ΔL_max/(1 + B_noise/B) follows with "
        "B_noise = Tr(ΣPᵀHP)/gᵀPᵀHPg for every such optimizer.",
        source=sources.MEAN_FIELD,
        where={
            sy.signal_preconditioned: signal,
            sy.noise_preconditioned: bent.subs({sy.Sigma_[2, 1]: sy.Sigma_[1, 2]}),
        },
    )
