"""Batch sizes with units: reading, converting, refusing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_theory.units import BatchSize, UnitError, parse_batch_size


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("512seq", 512, "seq"),
        ("512 seq", 512, "seq"),
        ("1sequence", 1, "seq"),
        ("0.5Mtok", 500_000, "tok"),
        (".5Mtok", 500_000, "tok"),
        ("0.5Mitok", 524_288, "tok"),
        ("2ktokens", 2000, "tok"),
        ("2Ktok", 2000, "tok"),
        ("4Kiseq", 4096, "seq"),
        ("1e3seq", 1000, "seq"),
        ("1_024seq", 1024, "seq"),
        ("256ex", 256, "ex"),
        ("1e2ex", 100, "ex"),
        ("64", 64, "bare"),
        ("4x8x16seq", 512, "seq"),
        ("4x8", 32, "bare"),
    ],
)
def test_written_forms(text: str, amount: float, unit: str) -> None:
    """Closed form: each written form has one amount and one unit."""
    batch = parse_batch_size(text)
    assert (batch.amount, batch.unit) == (amount, unit)


UNREADABLE = ["", "seq", "512foo", "nan", "nanseq", "infseq", "0seq", "-4seq", "4Mi", "1.5x2seq"]
UNREADABLE += ["2x2x2x2seq", "512 seq tok", "0x8seq", "--3", "1e400seq", "1e308seq", "1e-308seq"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_is_refused_in_one_line(text: str) -> None:
    """Closed form: what is not a batch size is refused, never guessed."""
    with pytest.raises(UnitError) as caught:
        parse_batch_size(text)
    assert "\n" not in str(caught.value)


@given(st.integers(1, 10**6), st.integers(1, 2**17))
def test_sequences_and_tokens_round_trip(sequences: int, length: int) -> None:
    """Closed form: tokens = sequences * length, and back within one rounding (2^-52)."""
    batch = BatchSize(sequences, "seq", length)
    assert batch.tokens == sequences * length
    back = BatchSize(batch.tokens, "tok", length)
    assert back.sequences == pytest.approx(sequences, rel=1e-15)


def test_ratio_across_units_needs_a_length() -> None:
    """Closed form: 0.5 Mi tokens of length 1024 are 512 sequences; without a length, refused."""
    sequences = parse_batch_size("512seq", 1024)
    assert parse_batch_size("0.5Mitok", 1024).over(sequences) == 1.0
    assert parse_batch_size("2Mitok", 1024).over(sequences) == 4.0
    with pytest.raises(UnitError, match="sequence length"):
        parse_batch_size("0.5Mtok").over(parse_batch_size("512seq"))


def test_bare_beside_united_is_refused_but_two_bare_have_a_ratio() -> None:
    """Closed form: a bare mismatch is an error and says what to write."""
    with pytest.raises(UnitError, match=r"64 has no unit beside 512seq: write 64seq"):
        parse_batch_size("64").over(parse_batch_size("512seq", 128))
    with pytest.raises(UnitError, match="has no unit beside"):
        parse_batch_size("512seq").over(parse_batch_size("64"))
    assert parse_batch_size("64").over(parse_batch_size("16")) == 4.0
    with pytest.raises(UnitError, match="'bare' where 'seq' was wanted"):
        _ = parse_batch_size("64", 128).sequences


def test_examples_are_not_sequences() -> None:
    """Closed form: examples convert into nothing else."""
    assert parse_batch_size("64ex").over(parse_batch_size("16ex")) == 4.0
    with pytest.raises(UnitError):
        parse_batch_size("64ex", 128).over(parse_batch_size("16seq", 128))


def test_sequences_of_two_lengths_are_not_compared() -> None:
    """Closed form: 8 sequences of 512 and 8 of 1024 are different batches; tokens compare them."""
    with pytest.raises(UnitError, match="different lengths"):
        BatchSize(8, "seq", 512).over(BatchSize(8, "seq", 1024))
    assert BatchSize(8192, "tok", 512).over(BatchSize(8, "seq", 1024)) == 1.0


def test_described_with_every_unit_it_has() -> None:
    """Closed form: the sentence names micro-batch, accumulation, ranks, sequences and tokens."""
    text = parse_batch_size("4x8x16seq", 1024).describe()
    assert text == (
        "micro-batch 4 x accumulation 8 x ranks 16 = 512 sequences of 1024 = 524288 tokens"
    )
    assert "not whole: 488" in parse_batch_size("0.5Mtok", 1024).describe()
    assert str(parse_batch_size("0.5Mtok")) == "500ktok"
    assert str(parse_batch_size("4x8x16seq")) == "4x8x16seq"


def test_a_unit_that_does_not_fit_is_named_on_the_size_that_was_typed() -> None:
    """Closed form: examples against a law's sequences; nobody typed the law's 1seq."""
    with pytest.raises(UnitError, match="1024ex has the unit 'ex' where 'seq' was wanted"):
        parse_batch_size("1024ex").over(parse_batch_size("1seq"))
