"""The quick path of the exact moments against the reference, its memory and its speed."""

from __future__ import annotations

import os
import time
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from scaling_theory.moments import Moments, softsign_moments
from tests.theory.gaussian_quadrature import softsign_by_definition

PROMISED = 1e-6


def errors(found: Moments, truth: Moments) -> list[float]:
    """Largest absolute errors of mean, second moment and s * gain."""
    s = truth.noise_scale
    return [
        float(np.abs(found.mean - truth.mean).max()),
        float(np.abs(found.second - truth.second).max()),
        float(np.abs(found.gain * s - truth.gain * s).max()),
    ]


def inputs(kind: str, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """g, s, epsilon of long vectors of different make."""
    rng = np.random.default_rng(5)
    if kind == "network-like":
        return rng.standard_normal(count) * 1e-4, np.exp(rng.normal(size=count)) * 1e-3, 1e-3
    if kind == "heavy-tailed":
        return rng.standard_cauchy(count) * 1e-3, np.abs(rng.standard_cauchy(count)) * 1e-3, 1e-4
    if kind == "some without noise":
        s = np.where(rng.random(count) < 0.3, 0.0, rng.lognormal(size=count) * 1e-2)
        return np.where(s > 0, rng.standard_normal(count) * 1e-2, 0.0), s, 1e-2
    return rng.standard_t(2, count), np.ones(count), 0.0


def test_agrees_with_the_reference_over_the_range() -> None:
    """Rung: brute force (the reference path), a = 0 and 1e-3…1e3, b = 1e-7…1e6, dense grid."""
    a = np.concatenate([[0.0], np.logspace(-3, 3, 241)])
    b = np.logspace(-7, 6, 521)[:, None]
    found, truth = softsign_moments(a, 1.0, b, "exact_bulk"), softsign_moments(a, 1.0, b)
    assert max(errors(found, truth)) <= PROMISED / 5


def test_agrees_with_the_definition_where_it_is_hardest() -> None:
    """Rung: quadrature by another route: the layer at small b, and both sides of the switch."""
    for a, b in ((1.0, 0.01), (4.0, 0.003), (7.99, 0.1), (8.01, 0.1), (0.0, 7.99), (0.0, 8.01)):
        mean, second, gain = softsign_by_definition(a, b)
        found = softsign_moments(a, 1.0, b, "exact_bulk")
        assert abs(found.mean - mean) <= PROMISED / 5
        assert abs(found.second - second) <= PROMISED / 5
        assert abs(found.gain - gain) <= PROMISED / 5


@pytest.mark.parametrize("kind", ["network-like", "heavy-tailed", "some without noise", "sign"])
def test_agrees_with_the_reference_on_long_vectors(kind: str) -> None:
    """Rung: brute force (the reference path) on 100,000 random coordinates over several chunks."""
    g, s, epsilon = inputs(kind, 100_000)
    found = softsign_moments(g, s, epsilon, "exact_bulk")
    assert max(errors(found, softsign_moments(g, s, epsilon))) <= PROMISED / 5
    # Negative control: the same comparison with epsilon 1 % off (the noise where epsilon is 0).
    planted = softsign_moments(g, s if epsilon else 1.01 * s, 1.01 * epsilon, "exact_bulk")
    assert max(errors(planted, softsign_moments(g, s, epsilon))) > 100 * PROMISED


def test_chunks_and_threads_change_nothing() -> None:
    """Rung: brute force. Any slice alone gives bit for bit what the whole gives there."""
    g, s, epsilon = inputs("heavy-tailed", 50_000)
    whole = softsign_moments(g, s, epsilon, "exact_bulk")
    part = slice(12_345, 43_210)
    alone = softsign_moments(g[part], s[part], epsilon, "exact_bulk")
    assert np.array_equal(whole.mean[part], alone.mean)
    assert np.array_equal(whole.variance[part], alone.variance)
    assert np.array_equal(whole.gain[part], alone.gain)


@pytest.mark.parametrize("variant", ["exact", "exact_bulk", "clip"])
def test_memory_is_bounded(variant: str) -> None:
    """Rung: measurement. Beyond the three results: flags of a byte, and 4 MB for each thread."""
    count = 500_000
    g, s, epsilon = inputs("network-like", count)
    tracemalloc.start()
    moments = softsign_moments(g, s, epsilon, variant)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    results = 3 * 8 * moments.mean.size
    assert peak < results + 4 * count + (os.cpu_count() or 1) * 4_000_000


@pytest.mark.slow
def test_ten_million_coordinates_in_ten_seconds() -> None:
    """Rung: measurement, on two idle cores; the median of three runs."""
    g, s, epsilon = inputs("network-like", 10_000_000)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        softsign_moments(g, s, epsilon, "exact_bulk")
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[1] < 10
