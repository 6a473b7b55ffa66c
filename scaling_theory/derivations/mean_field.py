"""Mean field: one noise-to-signal ratio for all coordinates, mean u beta, variance 1 - beta^2."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.softsign import algebraic_mean, algebraic_second, softsign
from scaling_theory.derivations.step import Step, equate
from scaling_theory.derivations.variance import batch_variance

__all__ = ["attenuation", "mean_field_moments", "mean_field_second", "saturation_batch"]


def attenuation() -> sp.Expr:
    """beta = (1 + K / B)^(-1/2), how far noise damps the mean update."""
    return 1 / sp.sqrt(1 + sy.K / sy.B)


def saturation_batch() -> sp.Expr:
    """K = c kappa^2, where beta^2 = 1 / 2."""
    return sy.c * sy.kappa2


def mean_field_second() -> sp.Expr:
    """E[u^2] = u^2 beta^2 + 1 - beta^2, u without noise."""
    return sy.u**2 * sy.attenuation**2 + 1 - sy.attenuation**2


def mean_field_moments() -> tuple[Step, ...]:
    """From the algebraic moments to u, β and κ²; c = π/2 against c = 1."""
    return (
        _one_ratio(),
        _mean(),
        _second(),
        _noise(),
        _leading_noise(),
        _rule_mean(),
        _rule_second(),
        _ratio_of_means(),
        _slope_ratio(),
        _error_term(),
    )


_ONE_RATIO = (
    "Algebraic moments with shape constant c; κ² = σ²/(g² + ε²) is the same for all coordinates."
)


def _in_batch(moment: sp.Expr) -> sp.Expr:
    """A moment with s^2 = sigma^2 / B and sigma^2 = kappa^2 (g^2 + epsilon^2)."""
    variance = batch_variance().subs(sy.sigma, sp.sqrt(sy.kappa2 * (sy.g**2 + sy.epsilon**2)))
    return moment.subs(sy.s, sp.sqrt(variance))


def _definitions() -> dict[sp.Symbol, sp.Expr]:
    """u = softsign(g, epsilon) and beta with K = c kappa^2 written out."""
    beta = attenuation().subs(sy.K, saturation_batch())
    return {sy.u: softsign(sy.g), sy.attenuation: beta}


def _one_ratio() -> Step:
    half = sp.solve(sy.attenuation**2 - sp.Rational(1, 2), sy.attenuation)[0]
    batch = sp.solve(attenuation().subs(sy.K, saturation_batch()) - half, sy.B)
    return Step(
        title="Saturation batch",
        assumption="K is the batch at which β² = 1/2, β = (1 + cκ²/B)^(−1/2).",
        equation=equate(sy.K, saturation_batch()),
        derived=batch[0],
        how="β² = 1/2 is solved for B.",
        source=sources.EPSILON,
    )


def _mean() -> Step:
    return Step(
        title="Mean-field mean",
        assumption=_ONE_RATIO + " u = softsign(g, ε).",
        equation=equate(sy.mu, sy.u * sy.attenuation),
        derived=_in_batch(algebraic_mean()),
        how="σ² = κ²(g² + ε²) and s² = σ²/B are put into the algebraic mean.",
        source=sources.EPSILON,
        where=_definitions(),
        approximate=True,
    )


def _second() -> Step:
    return Step(
        title="Mean-field second moment",
        assumption=_ONE_RATIO,
        equation=equate(sy.V + sy.mu**2, mean_field_second()),
        derived=_in_batch(algebraic_second()),
        how="The same replacements in the algebraic second moment; "
        "1 − u² = ε²/(g² + ε²) and β² = 1/(1 + K/B) make it an identity.",
        source=sources.EPSILON,
        where=_definitions(),
        approximate=True,
    )


def _noise() -> Step:
    return Step(
        title="Mean-field variance",
        assumption=_ONE_RATIO,
        equation=equate(sy.V, sy.K / (sy.B + sy.K)),
        derived=(mean_field_second() - (sy.u * sy.attenuation) ** 2).subs(
            sy.attenuation, attenuation()
        ),
        how="Second moment minus squared mean is 1 − β², whatever u is.",
        source=sources.OWN,
        approximate=True,
    )


def _leading_noise() -> Step:
    small = sp.Dummy("small", positive=True)
    variance = (1 - attenuation() ** 2).subs(sy.K, saturation_batch()).subs(sy.B, 1 / small)
    return Step(
        title="Mean-field variance at large B",
        assumption=_ONE_RATIO + " B ≫ K.",
        equation=equate(sy.V, sy.c * sy.kappa2 / sy.B),
        derived=sp.series(variance, small, 0, 2).removeO().subs(small, 1 / sy.B),
        how="1 − β² is expanded in 1/B: it is κ²/B only for c = 1.",
        source=sources.OWN,
        approximate=True,
    )


def _rule(numerator: sp.Expr, square: sp.Expr) -> sp.Expr:
    """f of the moments in the place of the moment of f."""
    return numerator / sp.sqrt(square + sy.epsilon**2)


def _rule_mean() -> Step:
    return Step(
        title="Mean-field rule, mean",
        assumption="E[x/√(x² + ε²)] is replaced by E[x]/√(E[x²] + ε²).",
        equation=equate(sy.mu, algebraic_mean().subs(sy.c, 1)),
        derived=_rule(sy.g, sy.g**2 + sy.s**2),
        how="E[x] = g and E[x²] = g² + s² are put in: the algebraic mean with c = 1.",
        source=sources.MEAN_FIELD,
        approximate=True,
    )


def _rule_second() -> Step:
    square = sy.g**2 + sy.s**2
    return Step(
        title="Mean-field rule, second moment",
        assumption="E[x²/(x² + ε²)] is replaced by E[x²]/(E[x²] + ε²).",
        equation=equate(sy.V + sy.mu**2, algebraic_second().subs(sy.c, 1)),
        derived=square / (square + sy.epsilon**2),
        how="E[x²] = g² + s² is put in: the algebraic second moment with c = 1.",
        source=sources.MEAN_FIELD,
        approximate=True,
    )


def _ratio_of_means() -> Step:
    count = 3
    shared = sy.kappa2 * sum(sy.g_[row] ** 2 + sy.epsilon**2 for row in range(1, count + 1))
    signal = sp.Sum(sy.g_[sy.i] ** 2 + sy.epsilon**2, (sy.i, 1, sy.N))
    noise = sp.Sum(sy.sigma_[sy.i] ** 2, (sy.i, 1, sy.N))
    return Step(
        title="κ² as a ratio of means",
        assumption="If σᵢ² = κ²(gᵢ² + ε²) in every coordinate. On real networks the mean of the "
        "ratios diverges as ε → 0 (many gᵢ ≈ 0), so the ratio of the means is used.",
        equation=equate(sy.kappa2, noise / signal),
        derived=shared / sum(sy.g_[row] ** 2 + sy.epsilon**2 for row in range(1, count + 1)),
        how="The sums over coordinates are written out; κ² comes back.",
        source=sources.MEAN_FIELD,
        coordinates=count,
        where={
            sy.sigma_[row]: sp.sqrt(sy.kappa2 * (sy.g_[row] ** 2 + sy.epsilon**2))
            for row in range(1, count + 1)
        },
    )


def _slope_ratio() -> Step:
    exact = sp.diff(sp.erf(sy.a / sp.sqrt(2)), sy.a).subs(sy.a, 0)
    rule = sp.diff(sy.a / sp.sqrt(sy.a**2 + 1), sy.a).subs(sy.a, 0)
    return Step(
        title="Small-signal slope at c = 1",
        assumption="ε = 0; exact slope of the mean over that of the mean-field rule.",
        equation=equate(sy.slope_ratio, sp.sqrt(2 / sp.pi)),
        derived=exact / rule,
        how="Both are differentiated at a = 0: for one coordinate with little "
        "signal c = 1 makes the mean 25 % too large.",
        source=sources.OWN,
    )


def _error_term() -> Step:
    relative = sy.y / (1 + sy.y) ** sp.Rational(3, 2)
    (worst,) = sp.solve(sp.diff(relative, sy.y), sy.y)
    return Step(
        title="Second-order term of the mean-field rule",
        assumption="The relative error term of the article, y/(1 + y)^(3/2) with y = s²/g².",
        equation=equate(sy.worst, 2 / sp.sqrt(27)),
        derived=relative.subs(sy.y, worst),
        how="Its only stationary point is put in: at most 0.385.",
        source=sources.MEAN_FIELD,
    )
