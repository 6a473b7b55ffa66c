"""Averaging factors and their half-lives in tokens: exact conversions that say when they clamp.

A moving average with factor beta forgets half of a contribution after n steps, beta^n = 1/2. One
step consumes `tokens_per_step` tokens, so the half-life in tokens is

    t = tokens_per_step * ln(1/2) / ln(beta),      beta = 2^(-tokens_per_step / t).

At a fixed half-life beta' = beta^kappa for kappa times the batch. Source: Marek et al. 2025,
arXiv 2507.07101, the section on scaling beta2 by its half-life.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf, log, log2

from scaling_theory.errors import InputError, require_decay, require_positive
from scaling_theory.units import BatchSize, parse_batch_size

_LN2 = log(2.0)


@dataclass(frozen=True)
class Decay:
    """An averaging factor in [0, 1) as it should be set, and whether a bound replaced it.

    unclamped: what the rule alone gives. complement: 1 - beta without cancellation, for the
    unclamped value, which is what matters when beta is within 1e-9 of one.
    """

    beta: float
    unclamped: float
    complement: float
    bound: float | None = None

    @property
    def clamped(self) -> bool:
        """True where `bound` replaced the rule's value."""
        return self.bound is not None


def half_life_tokens(beta: float, tokens_per_step: float) -> float:
    """Tokens after which a contribution to the average has halved; 0 for beta = 0.

    beta in [0, 1), tokens_per_step > 0 tokens; raises `InputError` otherwise.
    """
    require_decay(beta, "beta")
    require_positive(tokens_per_step, "tokens per step", "give the batch size in tokens")
    return 0.0 if beta == 0 else tokens_per_step / -log2(beta)


def decay_from_half_life(
    half_life: float,
    tokens_per_step: float,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Decay:
    """The factor whose half-life is `half_life` tokens at `tokens_per_step` tokens per step.

    `floor` and `ceiling` are optional bounds in [0, 1); a bound that acts is named in the result.
    """
    require_positive(half_life, "half-life", "give it in tokens, such as 10e6")
    require_positive(tokens_per_step, "tokens per step", "give the batch size in tokens")
    exponent = -_LN2 * tokens_per_step / half_life
    return _bounded(2.0 ** (-tokens_per_step / half_life), -expm1(exponent), floor, ceiling)


def decay_at_batch_ratio(
    beta: float,
    batch_ratio: float,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Decay:
    """beta^batch_ratio: the factor of the same half-life in tokens at `batch_ratio` x the batch."""
    require_decay(beta, "beta")
    require_positive(batch_ratio, "batch ratio", "give the new batch size over the old one")
    rate = inf if beta == 0 else -log(beta) * batch_ratio
    return _bounded(beta**batch_ratio, -expm1(-rate), floor, ceiling)


def decay_for_batch(
    half_life: float,
    batch: BatchSize,
    *,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Decay:
    """The factor whose half-life is `half_life` tokens where one step is this batch.

    The batch may be in tokens, or in sequences of a stated length, as one number or as micro-batch
    x accumulation x ranks, of which all count; `UnitError` where its tokens are not known.
    """
    return decay_from_half_life(half_life, batch.tokens, floor=floor, ceiling=ceiling)


def half_life_for_batch(beta: float, batch: BatchSize) -> float:
    """The half-life of beta in tokens where one step is this batch; `UnitError` as above."""
    return half_life_tokens(beta, batch.tokens)


def parse_half_life(text: str) -> float:
    """Tokens from "10Mtok", "500ktok" or "10000000"; a bare number counts tokens.

    Raises `UnitError` for text of another form, and for another unit: a half-life in sequences
    is not one in tokens.
    """
    read = parse_batch_size(text)
    if read.unit not in ("tok", "bare"):
        raise InputError(
            f"half-life is '{text}', in '{read.unit}'; tokens are wanted: multiply by the tokens "
            "of one and write it as 10Mtok"
        )
    return read.amount


def _bounded(beta: float, complement: float, floor: float | None, ceiling: float | None) -> Decay:
    low = 0.0 if floor is None else require_decay(floor, "the lower bound of beta")
    high = 1.0 if ceiling is None else require_decay(ceiling, "the upper bound of beta")
    if low > high:
        raise InputError(f"bounds of beta are {low:g} and {high:g}; give the lower one first")
    if beta >= 1 and ceiling is None:
        raise InputError(
            f"1 - beta would be {complement:.1e}, which float64 cannot tell from 0: "
            "give a shorter half-life, a larger batch or an upper bound of beta"
        )
    if beta < low:
        return Decay(low, beta, complement, bound=low)
    if beta > high:
        return Decay(high, beta, complement, bound=high)
    return Decay(beta, beta, complement)
