"""Noise curvature in one number: forms for orientation and fits, and where they hold."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.averages import normal_density
from scaling_theory.derivations.mean_field import attenuation, mean_field_second
from scaling_theory.derivations.mehler import sign_correlation
from scaling_theory.derivations.softsign import algebraic_gain, softsign
from scaling_theory.derivations.step import Step, equate

__all__ = ["alike_noise", "noise_fit", "scalar_noise"]

_ALIKE = "All coordinates alike, algebraic moments; T = Tr H, t_R = Tr(HR)."
_SPREAD = "ε = 0; signal-to-noise ratios of the coordinates drawn from N(0, τ²), K = 1/τ²."


def noise_fit() -> sp.Expr:
    """N(B) = N_0 / (1 + (B / B_N)^p)^(1/p)."""
    return sy.noise_start / (1 + (sy.B / sy.B_N) ** sy.p) ** (1 / sy.p)


def alike_noise() -> sp.Expr:
    """(1 - beta^2) (T + (1 - u^2 beta^2)^2 (Tr(HR) - T) / c), coordinates alike."""
    beta2 = sy.attenuation**2
    linear = (1 - sy.u**2 * beta2) ** 2 * (sy.trace_hr - sy.T) / sy.c
    return (1 - beta2) * (sy.T + linear)


def scalar_noise() -> tuple[Step, ...]:
    """Coordinates alike, coordinates with a normal spread, and a form for fits."""
    return (_gain_share(), _alike(), _mixed(), _off_diagonal(), _diagonal(), *_fit())


def _share() -> dict[sp.Symbol, sp.Expr]:
    """u and beta of one coordinate, sigma^2 = B s^2."""
    ratio = sy.c * sy.s**2 / (sy.g**2 + sy.epsilon**2)
    return {sy.u: softsign(sy.g), sy.attenuation: attenuation().subs(sy.K, ratio * sy.B)}


def _gain_share_claim() -> sp.Expr:
    beta2 = sy.attenuation**2
    return (1 - beta2) * (1 - sy.u**2 * beta2) ** 2 / sy.c


def _gain_share() -> Step:
    return Step(
        title="Share of the variance that is linear in the noise",
        assumption="Algebraic gain; u = softsign(g, ε), β² = 1/(1 + cs²/(g² + ε²)).",
        equation=equate(sy.A_[sy.i] ** 2 * sy.s**2, _gain_share_claim()),
        derived=(algebraic_gain() * sy.s) ** 2,
        how="The gain is put in on the left, u and β on the right.",
        source=sources.OWN,
        where=_share(),
        approximate=True,
    )


def _alike() -> Step:
    variance = sp.expand(mean_field_second() - (sy.u * sy.attenuation) ** 2)
    linear = _gain_share_claim()
    return Step(
        title="Coordinates alike",
        assumption=_ALIKE,
        equation=equate(sy.noise_curvature, alike_noise()),
        derived=linear * sy.trace_hr + (variance - linear) * sy.T,
        how="Linear part times Tr(HR), the rest of the variance times Tr H. At small signal "
        "(uβ ≪ 1) and c = π/2 it is (1 − β²)𝒩₀.",
        source=sources.OWN,
        approximate=True,
    )


def _mixed() -> Step:
    small = sp.Rational(2, 1) / sp.pi * sy.trace_hr + (1 - 2 / sp.pi) * sy.T
    return Step(
        title="... at small signal, against 𝒩₀",
        assumption=_ALIKE + " u²β² ≪ 1, c = π/2.",
        equation=equate(sy.noise_curvature, (1 - sy.attenuation**2) * sy.noise_start),
        derived=alike_noise().subs({sy.u: 0, sy.c: sp.pi / 2}),
        how="𝒩₀ = (2/π)Tr(HR) + (1 − 2/π)Tr H is put in on the right.",
        source=sources.OWN,
        where={sy.noise_start: small},
        approximate=True,
    )


def _normal(expression: sp.Expr, spread: sp.Expr) -> sp.Expr:
    """Mean over a signal-to-noise ratio a of N(0, spread^2)."""
    density = normal_density(sy.a / spread) / spread
    return sp.integrate(expression * density, (sy.a, -sp.oo, sp.oo))


def _off_diagonal() -> Step:
    spread = sp.Dummy("spread", positive=True)
    gain = _normal(sp.sqrt(2 / sp.pi) * sp.exp(-(sy.a**2) / 2), spread)
    return Step(
        title="Normal spread of signal: off the diagonal",
        assumption=_SPREAD + " Independent signals of the two coordinates.",
        equation=equate(sy.gain_product, 2 / sp.pi * (1 - sy.attenuation**2)),
        derived=sp.simplify(gain**2).subs(spread, sp.sqrt(sy.B / sy.K)),
        how="The gain √(2/π)exp(−a²/2) of the sign is averaged over a ~ N(0, Bτ²) and squared; "
        "β² = B/(B + K) with c = 1 and κ² = 1/τ².",
        source=sources.OWN,
        where={sy.attenuation: attenuation()},
    )


def _diagonal() -> Step:
    spread2 = sp.Rational(3, 2)
    square = sp.erf(sy.a / sp.sqrt(2)) ** 2 * normal_density(sy.a / sp.sqrt(spread2))
    # Two signs share the signal a and have noise of their own: correlation beta^2.
    return Step(
        title="Normal spread of signal: on the diagonal",
        assumption=_SPREAD + " Checked at Bτ² = 3/2, that is β² = 3/5.",
        equation=equate(sy.V, 1 - sign_correlation(sy.attenuation**2)),
        derived=1 - sp.Integral(square / sp.sqrt(spread2), (sy.a, -sp.oo, sp.oo)),
        how="1 − E[erf(a/√2)²] by quadrature. erf² is the mean product of two signs that share "
        "a, of correlation β². 20 digits computed, 12 asked for.",
        source=sources.OWN,
        where={sy.attenuation: sp.sqrt(sp.Rational(3, 5))},
        tolerance=1e-12,
    )


def _fit() -> tuple[Step, ...]:
    form = "𝒩(B) = 𝒩₀/(1 + (B/B_𝒩)^p)^(1/p), B_𝒩 = 𝒩₁/𝒩₀; for fits."
    power = 3
    return (
        Step(
            title="Form for fits: small batches",
            assumption=form,
            equation=equate(sp.Limit(sy.noise_curvature, sy.B, 0), sy.noise_start),
            derived=sp.limit(noise_fit().subs(sy.p, power), sy.B, 0),
            how=f"The limit B → 0, at p = {power}.",
            source=sources.OWN,
        ),
        Step(
            title="Form for fits: large batches",
            assumption=form,
            equation=equate(
                sp.Limit(sy.B * sy.noise_curvature, sy.B, sp.oo), sy.noise_start * sy.B_N
            ),
            derived=sp.limit(sy.B * noise_fit().subs(sy.p, power), sy.B, sp.oo),
            how=f"The limit B → ∞, at p = {power}: 𝒩₁/B with 𝒩₁ = 𝒩₀B_𝒩 = Tr(HA∞ΣA∞), "
            "A∞ = φ'(g), ε > 0.",
            source=sources.OWN,
        ),
        Step(
            title="Form for fits: the canonical law inside it",
            assumption=form + " p = 1, B_𝒩 = K, 𝒩₀ = T.",
            equation=equate(sy.noise_curvature, (1 - sy.attenuation**2) * sy.T),
            derived=noise_fit().subs({sy.p: 1, sy.B_N: sy.K, sy.noise_start: sy.T}),
            how="Put in, with β = (1 + K/B)^(−1/2) on the right.",
            source=sources.OWN,
            where={sy.attenuation: attenuation()},
        ),
    )
