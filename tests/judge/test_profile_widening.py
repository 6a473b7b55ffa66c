"""Intervals are widened where a law is far from linear, and not where it is linear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from empirical.judge.fit import fit_law
from empirical.judge.fit_data import Optima
from empirical.judge.planted import drawn, planted
from empirical.judge.profile import profile
from empirical.judge.profile_widening import simulated, widening
from scaling_theory.laws.table import LAW_FORMS


def curve(noise: float, seed: int = 0) -> Optima:
    """ln eta* of 12 batch sizes along a saturating law, all errors alike."""
    log_batch = np.log(2.0) * np.arange(12)
    law = np.log(3e-3) - 0.5 * np.log1p(100 / np.exp(log_batch))
    return Optima(
        group=np.zeros(12, dtype=np.int64),
        groups=("one",),
        log_batch=log_batch,
        log_rate=law + noise * np.random.default_rng(seed).normal(size=12),
        standard_error=np.full(12, noise),
        side=np.zeros(12, dtype=np.int64),
        curvature=np.full(12, 0.1),
        covariates={},
    )


def test_a_linear_law_is_hardly_widened() -> None:
    """Closed form: ln eta* = a + b ln B is linear, |r| is Student's t, the factor 1.

    The 80 % point of 2 x 400 values is known to some 5 %; four of these.
    """
    data = curve(0.1)
    found = widening(fit_law(LAW_FORMS["power"], {}, data), data, np.random.default_rng(1), 400)
    assert 1.0 <= found < 1.2


def test_the_ridge_of_two_groups_is_widened() -> None:
    """Planted: the mean factor over tables is 1.06; of these few it lies between 1.01 and 1.2."""
    law, rng = planted("two groups"), np.random.default_rng(2)
    factors = []
    for _ in range(4):
        data = drawn(law, rng)
        factors.append(widening(fit_law(law.entry.form, law.entry.ties, data), data, rng, 20))
    assert 1.01 < np.mean(factors) < 1.25


def test_the_ends_move_by_the_factor() -> None:
    """Closed form: of a linear law the interval is as many times wider, to the search's 1 %."""
    data = curve(0.1)
    fit = fit_law(LAW_FORMS["power"], {}, data)
    for narrow, wide in zip(profile(fit, data), profile(fit, data, 1.5), strict=True):
        assert wide.high - wide.value == pytest.approx(1.5 * (narrow.high - narrow.value), rel=0.03)
        assert wide.value - wide.low == pytest.approx(1.5 * (narrow.value - narrow.low), rel=0.03)


def test_simulated_tables_have_the_errors_and_the_edges_of_the_data() -> None:
    """Identity: mean and spread of 2,000 tables; an optimum beyond its grid never lies further."""
    data = curve(0.1)
    fit = fit_law(LAW_FORMS["power"], {}, data, scatter=0.05)
    rng = np.random.default_rng(3)
    tables = np.array([simulated(fit, data, rng).log_rate for _ in range(2000)])
    np.testing.assert_allclose(tables.mean(axis=0), fit.predict(data), atol=0.012)
    np.testing.assert_allclose(tables.std(axis=0), np.hypot(0.1, 0.05), rtol=0.08)
    edge = float(fit.predict(data)[0])
    first = np.arange(12) == 0
    below = replace(
        data, side=np.where(first, -1, 0), log_rate=np.where(first, edge, data.log_rate)
    )
    again = [simulated(fit, below, rng) for _ in range(50)]
    assert {int(table.side[0]) for table in again} == {-1, 0}
    for table in again:
        assert table.log_rate[0] == edge if table.side[0] else table.log_rate[0] > edge
        assert not table.side[1:].any()
