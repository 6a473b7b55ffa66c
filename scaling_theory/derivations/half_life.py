"""Averaging factors at a fixed half-life in tokens."""

from __future__ import annotations

import sympy as sp

from scaling_theory import symbols as sy
from scaling_theory.derivations import sources
from scaling_theory.derivations.step import Step, equate

__all__ = ["beta_from_half_life", "half_life_from_beta", "token_half_life"]

_HALF_LIFE = "A step is τ tokens; the half-life is the tokens after which a contribution halves."


def beta_from_half_life() -> sp.Expr:
    """2^(-tokens / half-life)."""
    return sp.Integer(2) ** (-sy.tokens / sy.half_life)


def half_life_from_beta() -> sp.Expr:
    """-tokens ln 2 / ln beta."""
    return -sy.tokens * sp.log(2) / sp.log(sy.beta2)


def token_half_life() -> tuple[Step, ...]:
    """The half-life, its inverse, and a change of the batch."""
    return (_half_life(), _inverse(), _ratio(), *_table())


def _half_life() -> Step:
    (steps,) = sp.solve(sy.n * sp.log(sy.beta2) - sp.log(sp.Rational(1, 2)), sy.n)
    return Step(
        title="Half-life of an average",
        assumption=_HALF_LIFE,
        equation=equate(sy.half_life, half_life_from_beta()),
        derived=steps * sy.tokens,
        how="β^n = 1/2 is solved for n.",
        source=sources.MAREK,
    )


def _inverse() -> Step:
    return Step(
        title="Factor at a half-life",
        assumption=_HALF_LIFE,
        equation=equate(sy.beta2, beta_from_half_life()),
        derived=sp.exp(-sy.tokens * sp.log(2) / sy.half_life),
        how="The half-life is solved for ln β and exponentiated.",
        source=sources.MAREK,
    )


def _ratio() -> Step:
    scaled = beta_from_half_life().subs(sy.tokens, sy.batch_ratio * sy.tokens)
    return Step(
        title="At another batch size",
        assumption=_HALF_LIFE + " The half-life is kept, the batch grows by κ.",
        equation=equate(sy.beta_new, beta_from_half_life() ** sy.batch_ratio),
        derived=scaled,
        how="κτ tokens per step are put in: β' = β^κ.",
        source=sources.MAREK,
    )


def _table() -> tuple[Step, ...]:
    values = {1: "0.999965", 64: "0.997731", 4096: "0.864708"}
    return tuple(
        Step(
            title=f"Half-life of 10 million tokens, {batch} × 512 tokens a step",
            assumption=_HALF_LIFE,
            equation=equate(sy.beta2, sp.Float(value)),
            derived=sp.exp(-sp.Integer(512) * batch * sp.log(2) / sp.Integer(10) ** 7),
            how="To half a unit of the last digit.",
            source=sources.MAREK,
            tolerance=5e-7,
        )
        for batch, value in values.items()
    )
