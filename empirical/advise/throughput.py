"""The smallest batch that keeps a machine busy, from times of steps taken in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import bootstrap

from scaling_theory.errors import InputError

RESAMPLES = 2000


@dataclass(frozen=True)
class Throughput:
    """Tokens per second at one batch size [sequences].

    tokens_per_second: median over rounds. share: of the best batch size's, median over rounds of
    the ratio within a round; interval: its 95 % bootstrap interval.
    """

    batch_size: int
    seconds_per_step: float
    tokens_per_second: float
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class SmallestBatch:
    """The smallest batch within `fraction` of the best throughput.

    at_most: the smallest whose interval lies above the fraction; where that is another one, the
    answer between them is not settled by these times. status: "ok", "not settled", or "still
    rising" where the largest batch timed is the best by more than its neighbour's interval.
    """

    batch_size: int
    at_most: int
    fraction: float
    best_batch_size: int
    status: Literal["ok", "not settled", "still rising"]
    table: tuple[Throughput, ...]


def smallest_batch(
    batch_sizes: Sequence[int],
    seconds: Sequence[Sequence[float]],
    tokens_per_sequence: int,
    *,
    fraction: float,
    rng: np.random.Generator,
) -> SmallestBatch:
    """From seconds per step [batch sizes, rounds], batch sizes ascending.

    Raises InputError for fractions outside (0, 1] and fewer than two rounds.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"got {fraction} as the fraction of the best throughput, wanted (0, 1]")
    times = np.asarray(seconds, dtype=np.float64)
    if times.ndim != 2 or times.shape[1] < 2 or len(times) != len(batch_sizes):
        raise InputError(
            f"got times of shape {times.shape} for {len(batch_sizes)} batch sizes, wanted two "
            "rounds or more of each; time longer"
        )
    rates = np.asarray(batch_sizes)[:, None] * tokens_per_sequence / times
    best = int(np.argmax(np.median(rates, axis=1)))
    table = []
    for size, time_, rate in zip(batch_sizes, times, rates, strict=True):
        ratio = rate / rates[best]
        table.append(
            Throughput(
                batch_size=size,
                seconds_per_step=float(np.median(time_)),
                tokens_per_second=float(np.median(rate)),
                share=float(np.median(ratio)),
                interval=_interval(ratio, rng),
            )
        )
    enough = next(row.batch_size for row in table if row.share >= fraction)
    surely = next(row.batch_size for row in table if row.interval[0] >= fraction)
    rising = best == len(table) - 1 and best > 0 and table[best - 1].interval[1] < fraction
    status: Literal["ok", "not settled", "still rising"] = "ok"
    if rising:
        status = "still rising"
    elif enough != surely:
        status = "not settled"
    return SmallestBatch(enough, surely, fraction, batch_sizes[best], status, tuple(table))


def _interval(ratios: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    if np.ptp(ratios) == 0:  # the best batch against itself
        return float(ratios[0]), float(ratios[0])
    found = bootstrap(
        (ratios,), np.median, n_resamples=RESAMPLES, method="percentile", random_state=rng
    ).confidence_interval
    return float(found.low), float(found.high)
