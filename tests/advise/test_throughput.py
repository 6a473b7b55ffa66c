"""The smallest sufficient batch from planted times, and the timing and counting behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

from empirical.advise.throughput import smallest_batch
from empirical.measure.throughput import ROUNDS, Step, StepTimes, saved_bytes, time_steps
from scaling_theory.errors import InputError

SIZES = (1, 2, 4, 8, 16, 32)


def planted(
    fixed: float, each: float, noise: float, seed: int, rounds: int = 9
) -> list[list[float]]:
    """Times a + b B of steps, with a drift common to a round and noise of their own."""
    rng = np.random.default_rng(seed)
    drift = np.exp(0.3 * rng.normal(size=rounds))
    own = np.exp(noise * rng.normal(size=(len(SIZES), rounds)))
    times = (fixed + each * np.array(SIZES)[:, None]) * drift * own
    return [[float(time_) for time_ in row] for row in times]


def test_the_smallest_batch_of_a_planted_machine() -> None:
    """Planted: B / (a + b B) reaches 90 % of its value at 32 first at 16, under 30 % drift."""
    found = smallest_batch(
        SIZES, planted(1.0, 1.0, 0.001, 0), 64, fraction=0.9, rng=np.random.default_rng(0)
    )
    # shares of the best, 32/33: B=8 0.917, B=4 0.825
    assert (found.batch_size, found.at_most, found.status) == (8, 8, "ok")
    assert found.best_batch_size == 32
    shares = [row.share for row in found.table]
    wanted = [size / (1 + size) * 33 / 32 for size in SIZES]
    assert shares == pytest.approx(wanted, rel=0.003)  # noise 0.1 %, median of 9: 3 sigma
    assert found.table[-1].tokens_per_second == pytest.approx(64 * 32 / 33, rel=0.35)


def test_noise_leaves_the_answer_open() -> None:
    """Planted: with 5 % noise of its own, the share 0.917 of B = 8 does not settle 0.917."""
    found = smallest_batch(
        SIZES, planted(1.0, 1.0, 0.05, 1), 64, fraction=0.917, rng=np.random.default_rng(0)
    )
    assert found.status == "not settled" and found.at_most > found.batch_size


def test_a_machine_that_is_not_busy_yet_is_said_to_be() -> None:
    """Planted: a fixed cost of 100 sequences keeps the throughput rising to the last batch."""
    found = smallest_batch(
        SIZES, planted(100.0, 1.0, 0.001, 2), 64, fraction=0.9, rng=np.random.default_rng(0)
    )
    assert found.status == "still rising" and found.batch_size == 32


@pytest.mark.parametrize("fraction", [0.0, 1.1, float("nan")])
def test_other_fractions_are_refused(fraction: float) -> None:
    """Caller's mistake."""
    with pytest.raises(InputError, match="fraction"):
        smallest_batch(
            SIZES, planted(1.0, 1.0, 0.1, 0), 64, fraction=fraction, rng=np.random.default_rng(0)
        )


def test_too_few_rounds_are_refused() -> None:
    """Caller's mistake."""
    with pytest.raises(InputError, match="two rounds"):
        smallest_batch(
            SIZES, planted(1, 1, 0.1, 0, rounds=1), 64, fraction=0.9, rng=np.random.default_rng(0)
        )


def test_steps_are_timed_until_doubling_gains_nothing() -> None:
    """Planted: a step of 5 ms whatever the batch up to 4, then in proportion."""

    def step_of(batch_size: int) -> Step:
        return lambda: time.sleep(0.005 * max(1.0, batch_size / 4))

    found = time_steps(
        step_of,
        largest=1024,
        seconds=3.0,
        device=torch.device("cpu"),
    )
    assert [times.batch_size for times in found][:3] == [1, 2, 4]
    # three flat doublings after 8, and slack for a loaded machine
    assert found[-1].batch_size <= 256
    assert len({len(times.seconds) for times in found}) == 1
    assert 3 <= len(found[0].seconds) <= ROUNDS
    assert min(found[0].seconds) >= 0.005


def test_rounds_go_on_until_the_times_settle() -> None:
    """Planted: steps of a millisecond, and an answer that is content with 15 rounds, or never."""

    def rounds_until(settled: Callable[[Sequence[StepTimes]], bool], seconds: float) -> int:
        found = time_steps(
            lambda batch_size: lambda: time.sleep(0.001),
            largest=2,
            seconds=seconds,
            settled=settled,
            device=torch.device("cpu"),
        )
        return len(found[0].seconds)

    assert rounds_until(lambda times: len(times[0].seconds) >= 13, 60.0) == 15
    assert rounds_until(lambda times: False, 1.0) >= 3
    assert rounds_until(lambda times: False, 1e-9) == 3


def test_the_bytes_kept_for_the_backward_pass() -> None:
    """Closed form: x (n x 4) and tanh's output (n x 8) in float32, no weights."""
    first, second = nn.Linear(4, 8), nn.Linear(8, 1)
    weights = {p.data_ptr() for p in (*first.parameters(), *second.parameters())}
    inputs = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    found = saved_bytes(lambda: second(torch.tanh(first(inputs))).sum(), weights)
    assert found == 100 * (4 + 8) * 4
