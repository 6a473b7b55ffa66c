"""Half-lives in tokens and averaging factors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_theory import symbols as sy
from scaling_theory.derivations import half_life as derived
from scaling_theory.errors import InputError
from scaling_theory.half_life import (
    decay_at_batch_ratio,
    decay_for_batch,
    decay_from_half_life,
    half_life_for_batch,
    half_life_tokens,
    parse_half_life,
)
from scaling_theory.units import UnitError, parse_batch_size

# beta2 at a half-life of 10 million tokens with sequences of 512 tokens (arXiv 2507.07101).
PUBLISHED = {
    1: 0.999965,
    4: 0.999858,
    16: 0.999432,
    64: 0.997731,
    256: 0.990956,
    1024: 0.964312,
    4096: 0.864708,
}


@pytest.mark.parametrize(("batch", "beta2"), PUBLISHED.items())
def test_published_table(batch: int, beta2: float) -> None:
    """Another library: the table of the article, printed to six digits (half a unit each)."""
    assert decay_from_half_life(10e6, batch * 512).beta == pytest.approx(beta2, abs=5e-7)


@pytest.mark.parametrize(("half_life", "tokens"), [(10e6, 512.0), (1e6, 3e5), (7e3, 4096.0)])
def test_conversions_are_the_derived_ones(half_life: float, tokens: float) -> None:
    """Another route: the expressions that sympy derives, in 30 digits."""
    values = {sy.half_life: half_life, sy.tokens: tokens}
    beta = derived.beta_from_half_life().subs(values).evalf(30)
    assert decay_from_half_life(half_life, tokens).beta == pytest.approx(float(beta), rel=1e-15)
    back = derived.half_life_from_beta().subs({sy.beta2: float(beta), sy.tokens: tokens})
    assert half_life_tokens(float(beta), tokens) == pytest.approx(float(back.evalf(30)), rel=1e-12)


@pytest.mark.parametrize(
    "written", ["1024seq", "524288tok", "0.524288Mtok", "512Kitok", "8x16x8seq", "1024x512tok"]
)
def test_every_way_to_write_a_batch_gives_one_half_life(written: str) -> None:
    """Closed form: 1024 sequences of 512 tokens, in each unit; 7.1's digits at 10 million."""
    batch = parse_batch_size(written, sequence_length=512)
    assert decay_for_batch(10e6, batch).beta == pytest.approx(PUBLISHED[1024], abs=5e-7)
    assert half_life_for_batch(0.95, batch) == pytest.approx(7.0849e6, rel=1e-5)
    assert decay_for_batch(10e6, batch, ceiling=0.9).clamped


def test_a_batch_without_tokens_has_no_half_life() -> None:
    """Closed form: sequences of unknown length, examples and bare numbers are refused."""
    for written in ("1024seq", "1024ex", "1024"):
        with pytest.raises(UnitError):
            decay_for_batch(10e6, parse_batch_size(written))


@pytest.mark.parametrize(
    ("batch", "ratio", "beta", "printed"),
    [(512 * 1024, 1 / 512, 0.95, 0.99990), (16, 1 / 16, 0.95, 0.9968), (1, 16, 0.95, 0.4401)],
)
def test_the_same_half_life_at_another_batch(
    batch: int, ratio: float, beta: float, printed: float
) -> None:
    """Another library: the moves that the article prints, and one back (half a unit each)."""
    half_life = half_life_tokens(beta, batch)
    moved = decay_from_half_life(half_life, batch * ratio).beta
    digits = len(str(printed).split(".")[1])
    assert moved == pytest.approx(printed, abs=0.5 * 10**-digits)
    assert moved == pytest.approx(decay_at_batch_ratio(beta, ratio).beta, rel=1e-14)


def test_half_lives_are_read_in_tokens() -> None:
    """Closed form: with a prefix and a unit, or bare; sequences are refused."""
    for text in ("10Mtok", "1e7", "10000ktok", "10000000tokens"):
        assert parse_half_life(text) == pytest.approx(1e7, rel=1e-15)
    with pytest.raises(InputError, match="in 'seq'; tokens are wanted"):
        parse_half_life("20kseq")
    with pytest.raises(UnitError, match="not understood"):
        parse_half_life("for ever")


def test_planted_error_is_caught() -> None:
    """Negative control: a half-life 1 % too long misses the table."""
    assert decay_from_half_life(10.1e6, 4096 * 512).beta != pytest.approx(0.864708, abs=5e-7)


@pytest.mark.parametrize(("ratio", "expected"), [(16, 0.851), (32, 0.725), (100, 0.366)])
def test_power_form(ratio: float, expected: float) -> None:
    """Closed form: 0.99^kappa, printed to three digits."""
    assert decay_at_batch_ratio(0.99, ratio).beta == pytest.approx(expected, abs=5e-4)


def test_half_life_of_a_usual_setting() -> None:
    """Closed form: beta2 = 0.95 at 512 sequences of 1024 is 7.085 million tokens."""
    assert half_life_tokens(0.95, 512 * 1024) == pytest.approx(7.085e6, rel=1e-4)
    assert half_life_tokens(0.0, 512) == 0.0


@given(st.floats(1e-3, 0.999999), st.floats(1e-3, 1e3))
def test_halving_by_brute_force(beta: float, ratio: float) -> None:
    """Brute force: beta^(t / tokens per step) is one half, before and after the batch changes."""
    tokens = 4096.0
    half_life = half_life_tokens(beta, tokens)
    # ln(1/2) is reproduced to a few roundings; the power amplifies by ln 2 < 1.
    assert beta ** (half_life / tokens) == pytest.approx(0.5, rel=1e-9)
    moved = decay_at_batch_ratio(beta, ratio)
    if 1e-300 < moved.beta < 1:
        assert half_life_tokens(moved.beta, tokens * ratio) == pytest.approx(half_life, rel=1e-6)


def test_complement_keeps_its_digits_near_one() -> None:
    """Closed form: 1 - beta = ln2 * tokens / half-life to first order, where 1 - beta cancels."""
    decay = decay_from_half_life(1e15, 1.0)
    assert decay.complement == pytest.approx(0.6931471805599453e-15, rel=1e-12)


def test_clamping_says_so() -> None:
    """Closed form: a bound replaces the value and keeps what it replaced."""
    free = decay_from_half_life(10e6, 4096 * 512, floor=0.5)
    assert not free.clamped
    low = decay_from_half_life(10e6, 4096 * 512, floor=0.9)
    assert low.clamped
    assert (low.beta, low.bound) == (0.9, 0.9)
    assert low.unclamped == pytest.approx(0.864708, abs=5e-7)
    high = decay_at_batch_ratio(0.95, 1 / 1024, ceiling=0.999)
    assert (high.beta, high.bound, high.clamped) == (0.999, 0.999, True)


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, float("nan")])
def test_a_factor_outside_its_range_is_refused(beta: float) -> None:
    """Closed form: averaging factors lie in [0, 1)."""
    with pytest.raises(InputError, match=r"\[0, 1\) is wanted"):
        decay_at_batch_ratio(beta, 2)
    with pytest.raises(InputError):
        half_life_tokens(beta, 512)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_nonsense_half_lives_and_batches_are_refused(value: float) -> None:
    """Closed form: half-life, tokens and ratios are finite and positive."""
    with pytest.raises(InputError):
        decay_from_half_life(value, 512)
    with pytest.raises(InputError):
        decay_from_half_life(1e6, value)
    with pytest.raises(InputError):
        decay_at_batch_ratio(0.9, value)


def test_indistinguishable_from_one_is_refused_unless_bounded() -> None:
    """Closed form: 2^(-1e-17) rounds to 1, which is not an averaging factor."""
    with pytest.raises(InputError, match="cannot tell from 0"):
        decay_from_half_life(1e17, 1.0)
    assert decay_from_half_life(1e17, 1.0, ceiling=0.9999).clamped


def test_bounds_in_the_wrong_order_are_refused() -> None:
    """Closed form: floor <= ceiling."""
    with pytest.raises(InputError, match="lower one first"):
        decay_at_batch_ratio(0.9, 2, floor=0.9, ceiling=0.5)
