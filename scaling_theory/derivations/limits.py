"""What eta*(B, epsilon) becomes at the ends: SignSGD, SGD and its defect, small and large B."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import quadratic_form, total, trace
from scaling_theory.derivations.exact_second import exact_second, faddeeva
from scaling_theory.derivations.mean_field import attenuation, saturation_batch
from scaling_theory.derivations.softsign import algebraic_mean, algebraic_second, softsign
from scaling_theory.derivations.softsign_law import mean_field_rate
from scaling_theory.derivations.step import Step, equate
from scaling_theory.derivations.variance import batch_variance

__all__ = ["limits"]

_SIZE = 2
_INDICES = range(1, _SIZE + 1)
_SIZES = sp.symbols("size1:3", positive=True, cls=sp.Dummy)
# One coordinate of either sign, so that limits of roots come out without case distinctions.
_GRADIENT = {sy.g_[1]: _SIZES[0], sy.g_[2]: -_SIZES[1]}


def limits() -> tuple[Step, ...]:
    """The four ends of the mean-field law, and which shape constant gets SGD right."""
    return (
        _sign_limit(),
        _sgd_limit(),
        *_defect(),
        _exact_noise(),
        _structure(),
        _large_batch(),
        _small_batch(),
    )


def _written(expression: sp.Expr) -> sp.Expr:
    return expression.subs(sy.N, _SIZE).doit().subs(_GRADIENT)


def _rate() -> sp.Expr:
    """The mean-field law for two coordinates, kappa^2 a ratio of means, epsilon explicit."""
    update = {row: softsign(_GRADIENT[sy.g_[row]]) for row in _INDICES}
    noise = sum(sy.sigma_[row] ** 2 for row in _INDICES)
    signal = sum(_GRADIENT[sy.g_[row]] ** 2 + sy.epsilon**2 for row in _INDICES)
    scalars = {
        sy.A: sum(update[row] * _GRADIENT[sy.g_[row]] for row in _INDICES),
        sy.Q: sum(update[i] * update[j] * sy.H_[i, j] for i in _INDICES for j in _INDICES),
        sy.T: sum(sy.H_[row, row] for row in _INDICES),
        sy.attenuation: attenuation()
        .subs(sy.K, saturation_batch())
        .subs(sy.kappa2, noise / signal),
    }
    return mean_field_rate().subs(scalars)


def _sign_limit() -> Step:
    ratio = total(sy.sigma_[sy.i] ** 2) / total(sy.g_[sy.i] ** 2)
    beta = attenuation().subs(sy.K, saturation_batch()).subs(sy.kappa2, ratio)
    signs = quadratic_form(sy.H_, lambda index: sp.sign(sy.g_[index]))
    size = total(sp.Abs(sy.g_[sy.i]))
    claim = beta * size / (trace(sy.H_) + beta**2 * (signs - trace(sy.H_)))
    return Step(
        title="ε → 0: SignSGD exactly",
        assumption="The mean-field law with κ² = Σσ²/Σ(g² + ε²); no gᵢ is zero.",
        equation=equate(sp.Limit(sy.eta_star, sy.epsilon, 0), claim),
        derived=_rate().subs(sy.epsilon, 0),
        how="The law is continuous at ε = 0, which is put in, for gradients of signs + and −; "
        "the right side is the mean-field law of SignSGD.",
        source=sources.EPSILON,
        coordinates=_SIZE,
        where=_GRADIENT,
    )


def _sgd_limit() -> Step:
    noise = total(sy.sigma_[sy.i] ** 2) / sy.N
    signal = quadratic_form(sy.H_, lambda index: sy.g_[index])
    claim = total(sy.g_[sy.i] ** 2) / (signal + sy.c * noise * trace(sy.H_) / sy.B)
    rate = sp.together(_rate().subs(sy.epsilon, 1 / sy.y) * sy.y)
    return Step(
        title="ε → ∞: SGD, but for the noise term",
        assumption="As above.",
        equation=equate(sp.Limit(sy.eta_star / sy.epsilon, sy.epsilon, sp.oo), claim),
        derived=sp.limit(rate, sy.y, 0, "+"),
        how="The limit ε → ∞ of η*/ε for two coordinates. SGD has Tr(ΣH)/B where this law has "
        "c·mean(σ²)·Tr H/B.",
        source=sources.EPSILON,
        coordinates=_SIZE,
        where=_GRADIENT,
    )


def _defect() -> tuple[Step, ...]:
    spread = algebraic_second() - algebraic_mean() ** 2
    scaled = sp.limit(sp.simplify(sy.epsilon**2 * spread), sy.epsilon, sp.oo)
    cases = (
        (sp.pi / 2, "c = π/2, the article's, is off by π/2", sources.OWN),
        (sp.Integer(1), "c = 1 is right", sources.MEAN_FIELD),
    )
    return tuple(
        Step(
            title=f"Noise at large ε: {verdict}",
            assumption="Algebraic moments with this c.",
            equation=equate(
                sp.Limit(sy.epsilon**2 * sy.V / batch_variance(), sy.epsilon, sp.oo), constant
            ),
            derived=(scaled / batch_variance()).subs(
                {sy.c: constant, sy.s: sp.sqrt(batch_variance())}
            ),
            how="The limit ε → ∞ of ε²(E[u²] − E[u]²) over σ²/B, which SGD has exactly.",
            source=source,
        )
        for constant, verdict, source in cases
    )


def _exact_noise() -> Step:
    written = exact_second().replace(sy.faddeeva, faddeeva).subs(sy.g, 0)
    scaled = sp.simplify((sy.epsilon / sy.s) ** 2 * written)
    variance = sp.simplify(scaled.subs(sy.epsilon, sy.b * sy.s))
    return Step(
        title="Noise at large ε: the exact moments have no defect",
        assumption="Exact moments at g = 0, s² = σ²/B.",
        equation=equate(
            sp.Limit(sy.epsilon**2 * sy.V / batch_variance(), sy.epsilon, sp.oo), sp.Integer(1)
        ),
        derived=sp.limit(variance, sy.b, sp.oo),
        how="The limit of the Voigt profile.",
        source=sources.OWN,
    )


def _structure() -> Step:
    scalar = total(sy.sigma_[sy.i] ** 2) / sy.N * trace(sy.H_)
    true = total(sy.sigma_[sy.i] ** 2 * sy.H_[sy.i, sy.i])
    spread = (sy.sigma_[1] ** 2 - sy.sigma_[2] ** 2) * (sy.H_[1, 1] - sy.H_[2, 2]) / 2
    return Step(
        title="What one κ² loses",
        assumption="Independent noise, two coordinates: Tr(ΣH) = Σσᵢ²Hᵢᵢ.",
        equation=equate(true - scalar, spread),
        derived=(true - scalar).subs(sy.N, _SIZE).doit(),
        how="Both sums are written out: the scalar noise term is right only if σ² and H are "
        "uncorrelated over the coordinates, whatever c is.",
        source=sources.OWN,
    )


def _large_batch() -> Step:
    rate = mean_field_rate().subs(sy.attenuation, attenuation())
    return Step(
        title="B → ∞: the step without noise",
        assumption="The mean-field law at fixed ε.",
        equation=equate(sp.Limit(sy.eta_star, sy.B, sp.oo), sy.A / sy.Q),
        derived=sp.limit(rate, sy.B, sp.oo),
        how="β → 1: Σuᵢgᵢ/Σuᵢuⱼ Hᵢⱼ, exact for the softsign of the true gradient.",
        source=sources.EPSILON,
    )


def _small_batch() -> Step:
    rate = mean_field_rate().subs(sy.attenuation, attenuation())
    return Step(
        title="B → 0: a square root",
        assumption="The mean-field law at fixed ε.",
        equation=equate(
            sp.Limit(sy.eta_star / sp.sqrt(sy.B), sy.B, 0), sy.A / (sp.sqrt(sy.K) * sy.T)
        ),
        derived=sp.limit(rate / sp.sqrt(sy.B), sy.B, 0),
        how="The limit of η*/√B. The exact moments give a square root too (s → ∞ in their mean), "
        "since ε/s → 0.",
        source=sources.EPSILON,
    )
