"""Windows of text: shape, law of the draw, distinctness."""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.batches import distinct_sequences, sample_sequences
from empirical.train.randomness import private_generator

# Each byte is its own position, so a window tells where it starts.
POSITIONS = torch.arange(200, dtype=torch.uint8)


def _starts(inputs: Tensor, targets: Tensor) -> list[int]:
    """Start of each window, after checking that it is a window."""
    context = inputs.shape[1]
    assert inputs.dtype == targets.dtype == torch.int64
    assert torch.equal(inputs, inputs[:, :1] + torch.arange(context))
    assert torch.equal(targets, inputs + 1)
    return [int(start) for start in inputs[:, 0]]


def test_every_start_is_equally_likely() -> None:
    """Monte Carlo: chi-squared of the counts of all start positions, fixed seed."""
    context, draws = 190, 100_000
    starts = Counter(
        _starts(*sample_sequences(POSITIONS, draws, context, private_generator(0, "test")))
    )
    assert sorted(starts) == list(range(10))  # the last window ends on the last byte
    expected = draws / 10
    chi_squared = sum((count - expected) ** 2 / expected for count in starts.values())
    # 9 degrees of freedom: mean 9, standard deviation √18; four of these above the mean.
    assert chi_squared < 9 + 4 * math.sqrt(18)


@pytest.mark.parametrize(
    ("context", "count"),
    [
        pytest.param(9, 20, id="every-disjoint-window"),
        pytest.param(8, 22, id="every-disjoint-window-with-two-bytes-over"),
        pytest.param(8, 5, id="a-few"),
        pytest.param(199, 1, id="one-window-is-the-text"),
        pytest.param(150, 1, id="one-window-of-many-places"),
    ],
)
def test_a_pool_shares_no_byte_while_it_can(context: int, count: int) -> None:
    """Brute force: no byte occurs in two windows; offset and order depend on the generator."""
    for seed in range(20):
        generator = private_generator(seed, "test")
        starts = _starts(*distinct_sequences(POSITIONS, count, context, generator))
        used = [start + n for start in starts for n in range(context + 1)]
        assert len(starts) == count
        assert len(set(used)) == len(used)


def test_a_pool_reaches_every_offset() -> None:
    """Monte Carlo: 40 pools of one window of 150 + 1 bytes start at 40 random places of 50."""
    starts = {
        _starts(*distinct_sequences(POSITIONS, 1, 150, private_generator(seed, "test")))[0]
        for seed in range(40)
    }
    # 50 · (1 - (49/50)^40) = 27.7 different places are expected, with a deviation of about 2.
    assert 20 <= len(starts) <= 36
    assert max(starts) < 50


@pytest.mark.parametrize("count", [21, 100, 191])
def test_a_larger_pool_overlaps_in_distinct_windows(count: int) -> None:
    """Brute force: no start position occurs twice."""
    starts = _starts(*distinct_sequences(POSITIONS, count, 9, private_generator(0, "test")))
    assert len(set(starts)) == count


def test_draws_repeat_with_the_seed_alone() -> None:
    """Closed form: same seed and purpose, same batch; another of either, another batch."""
    batches = [
        sample_sequences(POSITIONS, 50, 3, private_generator(seed, purpose))[0]
        for seed, purpose in [(0, "a"), (0, "a"), (1, "a"), (0, "b")]
    ]
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    assert not torch.equal(batches[0], batches[3])


@pytest.mark.parametrize("draw", [sample_sequences, distinct_sequences])
@pytest.mark.parametrize(
    ("count", "context", "words"),
    [
        pytest.param(0, 4, "got 0 sequences", id="no-sequence"),
        pytest.param(-1, 4, "got -1 sequences", id="negative-count"),
        pytest.param(1, 0, "of context 0", id="no-context"),
        pytest.param(1, 200, "at least 201 bytes, .* has 200", id="context-of-the-whole-text"),
    ],
)
def test_impossible_draws_are_refused(draw: object, count: int, context: int, words: str) -> None:
    """Closed form: what came, what was wanted."""
    assert callable(draw)
    with pytest.raises(UsageError, match=words):
        draw(POSITIONS, count, context, private_generator(0, "test"))


def test_a_pool_larger_than_the_text_is_refused() -> None:
    """Closed form: 200 bytes have 191 windows of 9 + 1."""
    with pytest.raises(UsageError, match="has 191 distinct sequences of context 9, wanted 192"):
        distinct_sequences(POSITIONS, 192, 9, private_generator(0, "test"))
