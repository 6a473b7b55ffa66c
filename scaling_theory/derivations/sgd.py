"""The one-step law of SGD, its noise scales, and steps against samples."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import noise_average, quadratic_form, total
from scaling_theory.derivations.one_step import loss_drop, optimal_learning_rate
from scaling_theory.derivations.step import Step, equate

__all__ = [
    "one_step_sgd",
    "samples",
    "sgd_learning_rate",
    "sgd_loss_drop",
    "steps",
    "steps_and_samples",
]

_SIZE = 2
_INDICES = range(1, _SIZE + 1)


def sgd_learning_rate() -> sp.Expr:
    """eta_max / (1 + B_noise / B)."""
    return sy.eta_max / (1 + sy.B_noise / sy.B)


def sgd_loss_drop(noise_batch: sp.Symbol = sy.B_noise) -> sp.Expr:
    """drop_max / (1 + B_noise / B)."""
    return sy.drop_max / (1 + noise_batch / sy.B)


def steps() -> sp.Expr:
    """Steps to a goal, S_min (1 + B_noise / B)."""
    return sy.S_min * (1 + sy.B_noise / sy.B)


def samples() -> sp.Expr:
    """Sequences to a goal, E_min (1 + B / B_noise)."""
    return sy.E_min * (1 + sy.B / sy.B_noise)


def one_step_sgd() -> tuple[Step, ...]:
    """u = g̃: η*, the two noise scales and the loss drop."""
    return (_curvature(), _largest(), _noise_scale(), _law(), _isotropic(), _drop())


def steps_and_samples() -> tuple[Step, ...]:
    """The hyperbola between steps and samples."""
    return (_steps(), _samples(), _smallest(), _hyperbola(), _straight_line())


def _hessian_along_gradient() -> sp.Expr:
    return quadratic_form(sy.H_, lambda index: sy.g_[index])


def _noise_trace() -> sp.Expr:
    """Tr(Sigma H), the sum over both indices."""
    return sp.Sum(sy.Sigma_[sy.i, sy.j] * sy.H_[sy.i, sy.j], (sy.i, 1, sy.N), (sy.j, 1, sy.N))


def _written(expression: sp.Expr) -> sp.Expr:
    return expression.subs(sy.N, _SIZE).doit()


def _averaged_curvature() -> sp.Expr:
    """E[g̃ᵀHg̃], expanded and averaged over the batch noise."""
    noise = sp.symbols(f"delta1:{_SIZE + 1}", real=True)
    gradient = {row: sy.g_[row] + noise[row - 1] for row in _INDICES}
    form = sum(
        gradient[row] * gradient[column] * sy.H_[row, column]
        for row in _INDICES
        for column in _INDICES
    )
    return noise_average(form, noise, lambda row, column: sy.Sigma_[row, column] / sy.B)


def _symmetry() -> dict[sp.Expr, sp.Expr]:
    return {sy.Sigma_[2, 1]: sy.Sigma_[1, 2]}


def _curvature() -> Step:
    return Step(
        title="Curvature along a batch gradient",
        assumption="The batch gradient has mean g and covariance Σ/B.",
        equation=equate(sy.curvature, _hessian_along_gradient() + _noise_trace() / sy.B),
        derived=_averaged_curvature(),
        how="g̃ᵀHg̃ is expanded and averaged.",
        source=sources.MCCANDLISH,
        coordinates=_SIZE,
        where=_symmetry(),
    )


def _averaged_rate() -> sp.Expr:
    descent = sum(sy.g_[row] ** 2 for row in _INDICES)
    return optimal_learning_rate(descent, _averaged_curvature())


def _largest() -> Step:
    return Step(
        title="Learning rate at infinite batch",
        assumption="gᵀHg > 0.",
        equation=equate(sy.eta_max, total(sy.g_[sy.i] ** 2) / _hessian_along_gradient()),
        derived=sp.limit(_averaged_rate(), sy.B, sp.oo),
        how="The limit B → ∞ of η* = gᵀg / E[g̃ᵀHg̃].",
        source=sources.MCCANDLISH,
        coordinates=_SIZE,
    )


def _noise_scale() -> Step:
    rate = _averaged_rate()
    largest = sp.limit(rate, sy.B, sp.oo)
    (half,) = sp.solve(sp.together(1 / rate - 2 / largest), sy.B)
    return Step(
        title="SGD noise scale",
        assumption="As above, and Tr(ΣH) > 0.",
        equation=equate(sy.B_noise, _noise_trace() / _hessian_along_gradient()),
        derived=half,
        how="The batch at which η* is half its largest value, by solving for it.",
        source=sources.MCCANDLISH,
        coordinates=_SIZE,
        where=_symmetry(),
    )


def _law() -> Step:
    known = {
        sy.eta_max: _written(total(sy.g_[sy.i] ** 2) / _hessian_along_gradient()),
        sy.B_noise: _written(_noise_trace() / _hessian_along_gradient()).subs(_symmetry()),
    }
    return Step(
        title="Optimal learning rate of SGD",
        assumption="One step of SGD without momentum; the loss is quadratic along it.",
        equation=equate(sy.eta_star, sgd_learning_rate()),
        derived=_averaged_rate(),
        how="η* = gᵀg / E[g̃ᵀHg̃] against the right side with η_max and B_noise put in.",
        source=sources.MCCANDLISH,
        where=known,
    )


def _isotropic() -> Step:
    height = sp.Symbol("h", positive=True)
    isotropic = {
        sy.H_[row, column]: height if row == column else 0
        for row in _INDICES
        for column in _INDICES
    }
    claim = total(sy.Sigma_[sy.i, sy.i]) / total(sy.g_[sy.i] ** 2)
    return Step(
        title="Simple noise scale",
        assumption="The Hessian is a multiple of the identity.",
        equation=equate(sy.B_simple, claim),
        derived=_written(_noise_trace() / _hessian_along_gradient()).subs(isotropic),
        how="H = h·1 is put into the noise scale; h cancels.",
        source=sources.MCCANDLISH,
        coordinates=_SIZE,
    )


def _drop() -> Step:
    squared = sum(sy.g_[row] ** 2 for row in _INDICES)
    largest = total(sy.g_[sy.i] ** 2) ** 2 / (2 * _hessian_along_gradient())
    known = {
        sy.drop_max: _written(largest),
        sy.B_noise: _written(_noise_trace() / _hessian_along_gradient()).subs(_symmetry()),
    }
    return Step(
        title="Loss drop of SGD",
        assumption="As for η*; ΔL_max = (gᵀg)²/(2gᵀHg).",
        equation=equate(sy.drop, sgd_loss_drop()),
        derived=loss_drop(squared, _averaged_curvature()),
        how="(gᵀg)² / (2E[g̃ᵀHg̃]) against the right side with ΔL_max and B_noise put in.",
        source=sources.MCCANDLISH,
        where=known,
    )


_CONSTANT = (
    "Noise scale and largest drop stay constant over training, every step is optimal: a goal "
    "is a fixed sum of drops."
)


def _steps() -> Step:
    (needed,) = sp.solve(sy.S * sgd_loss_drop() - sy.S_min * sy.drop_max, sy.S)
    return Step(
        title="Steps to a goal",
        assumption=_CONSTANT,
        equation=equate(sy.S, steps()),
        derived=needed,
        how="S·ΔL(B) = S_min·ΔL_max is solved for S.",
        source=sources.MCCANDLISH,
    )


def _samples() -> Step:
    return Step(
        title="Samples to a goal",
        assumption=_CONSTANT,
        equation=equate(sy.E, samples()),
        derived=sy.B * steps(),
        how="E = BS, with E_min = B_noise·S_min put into the right side.",
        source=sources.MCCANDLISH,
        where={sy.E_min: sy.B_noise * sy.S_min},
    )


def _smallest() -> Step:
    return Step(
        title="Fewest samples",
        assumption=_CONSTANT,
        equation=equate(sy.E_min, sy.B_noise * sy.S_min),
        derived=sp.limit(sy.B * steps(), sy.B, 0),
        how="The limit B → 0 of BS.",
        source=sources.MCCANDLISH,
    )


def _hyperbola() -> Step:
    curve = (sy.S / sy.S_min - 1) * (sy.E / sy.E_min - 1)
    return Step(
        title="The hyperbola",
        assumption=_CONSTANT,
        equation=equate(curve, sp.Integer(1)),
        derived=curve.subs({sy.S: steps(), sy.E: samples()}),
        how="S(B) and E(B) are put in; B and B_noise drop out.",
        source=sources.MCCANDLISH,
    )


def _straight_line() -> Step:
    (inverse,) = sp.solve(
        ((sy.S / sy.S_min - 1) * (sy.E / sy.E_min - 1) - 1).subs(sy.E_min, sy.B_noise * sy.S_min),
        sy.S,
    )
    return Step(
        title="The same as a straight line",
        assumption=_CONSTANT,
        equation=equate(1 / sy.S, 1 / sy.S_min - sy.B_noise / sy.E),
        derived=1 / inverse,
        how="The hyperbola is solved for S; 1/S against 1/E has slope −B_noise.",
        source=sources.SURGE,
    )
