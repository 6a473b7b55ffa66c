"""The general one-step law: any update direction, any noise."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import noise_average, quadratic_form, total
from scaling_theory.derivations.step import Step, equate

__all__ = ["loss_drop", "one_step_law", "optimal_learning_rate"]

_SIZE = 3
_INDICES = range(1, _SIZE + 1)


def optimal_learning_rate(descent: sp.Expr, curvature: sp.Expr) -> sp.Expr:
    """eta* = E[u]^T g / E[u^T H u]."""
    return descent / curvature


def loss_drop(descent: sp.Expr, curvature: sp.Expr) -> sp.Expr:
    """Expected loss drop at eta*: (E[u]^T g)^2 / (2 E[u^T H u])."""
    return descent**2 / (2 * curvature)


def one_step_law() -> tuple[Step, ...]:
    """From the second-order loss to η* and its loss drop."""
    return (_taylor(), _curvature(), _minimum(), _drop(), _detuned())


def _change(eta: sp.Expr) -> sp.Expr:
    """Expected change of the loss after a step of length eta, to second order."""
    return -eta * sy.descent + eta**2 * sy.curvature / 2


def _taylor() -> Step:
    slopes = sp.symbols(f"p1:{_SIZE + 1}", real=True)
    exponent = sum(slope * sy.u_[row] for row, slope in zip(_INDICES, slopes, strict=True))
    series = sp.series(sp.exp(-sy.eta * exponent), sy.eta, 0, 3).removeO()
    gradient = {sy.g_[row]: slopes[row - 1] for row in _INDICES}
    hessian = {
        sy.H_[row, column]: slopes[row - 1] * slopes[column - 1]
        for row in _INDICES
        for column in _INDICES
    }
    claim = -sy.eta * total(sy.u_[sy.i] * sy.g_[sy.i]) + sy.eta**2 / 2 * quadratic_form(
        sy.H_, lambda index: sy.u_[index]
    )
    return Step(
        title="Loss after one step",
        assumption="The step is small enough for the loss to be quadratic along it.",
        equation=equate(sy.change, claim),
        derived=series - 1,
        how="Taylor series of exp(p·θ), whose gradient is p and whose Hessian is p pᵀ: these "
        "exponentials generate the Taylor coefficients of every smooth loss.",
        source=sources.CURRENT_STATE,
        coordinates=_SIZE,
        where=gradient | hessian,
    )


def _curvature() -> Step:
    noise = sp.symbols(f"delta1:{_SIZE + 1}", real=True)
    update = [sy.mu_[row] + noise[row - 1] for row in _INDICES]
    form = sum(
        update[row - 1] * update[column - 1] * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )
    spread = sp.Sum(sy.H_[sy.i, sy.j] * sy.C_[sy.i, sy.j], (sy.i, 1, sy.N), (sy.j, 1, sy.N))
    return Step(
        title="Curvature along a noisy update",
        assumption="The update has mean μ and covariance Cov(u); nothing else is needed.",
        equation=equate(sy.curvature, quadratic_form(sy.H_, lambda index: sy.mu_[index]) + spread),
        derived=noise_average(form, noise, lambda row, column: sy.C_[row, column]),
        how="u = μ + δ is expanded and averaged, E[δ] = 0, E[δᵢδⱼ] = Cov(u)ᵢⱼ.",
        source=sources.CURRENT_STATE,
        coordinates=_SIZE,
        where={
            sy.C_[row, column]: sy.C_[column, row]
            for row in _INDICES
            for column in _INDICES
            if row > column
        },
    )


def _minimum() -> Step:
    (best,) = sp.solve(sp.diff(_change(sy.eta), sy.eta), sy.eta)
    return Step(
        title="Optimal learning rate",
        assumption="E[uᵀHu] > 0: otherwise the quadratic has no minimum along the update.",
        equation=equate(sy.eta_star, optimal_learning_rate(sy.descent, sy.curvature)),
        derived=best,
        how="The derivative of −ηd + η²C/2 by η is set to zero; d = E[u]ᵀg, C = E[uᵀHu].",
        source=sources.CURRENT_STATE,
    )


def _drop() -> Step:
    best = optimal_learning_rate(sy.descent, sy.curvature)
    return Step(
        title="Loss drop at the optimum",
        assumption="As above.",
        equation=equate(sy.drop, loss_drop(sy.descent, sy.curvature)),
        derived=-_change(best),
        how="η* is put into the loss change.",
        source=sources.CURRENT_STATE,
    )


def _detuned() -> Step:
    best = optimal_learning_rate(sy.descent, sy.curvature)
    return Step(
        title="Loss drop at another learning rate",
        assumption="As above; q is the learning rate over its optimum.",
        equation=equate(
            sy.drop_detuned,
            loss_drop(sy.descent, sy.curvature) * sy.q * (2 - sy.q),
        ),
        derived=-_change(sy.q * best),
        how="qη* is put into the loss change: twice the optimal rate gains nothing.",
        source=sources.OWN,
    )
