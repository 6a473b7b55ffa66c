"""The scatter that predictions use: right for many optima, never taken for 0 from a few."""

from __future__ import annotations

import numpy as np
import pytest

from empirical.judge.fit import fit_law
from empirical.judge.fit_data import Optima
from empirical.judge.predictive_scatter import predictive_scatter
from scaling_theory.laws.table import LAW_FORMS

SURGE, TRUTH = LAW_FORMS["surge"], (3e-3, 60.0)


def planted(n: int, scatter: float, rng: np.random.Generator, error: float = 0.1) -> Optima:
    """Optima of a surge law at n batch sizes from 1 to 4,096, each with the same error."""
    log_batch = np.linspace(0.0, np.log(4096), n)
    curve = np.log([SURGE.learning_rate(float(b), *TRUTH) for b in np.exp(log_batch)])
    return Optima(
        group=np.zeros(n, dtype=np.int64),
        groups=("one",),
        log_batch=log_batch,
        log_rate=curve + rng.normal(size=n) * np.hypot(error, scatter),
        standard_error=np.full(n, error),
        side=np.zeros(n, dtype=np.int64),
        curvature=np.full(n, 0.1),
        covariates={},
    )


def test_many_optima_tell_the_scatter() -> None:
    """Planted: 0.2 among 400 optima, to 4 standard errors of 0.01."""
    data = planted(400, 0.2, np.random.default_rng(0))
    assert predictive_scatter(fit_law(SURGE, {}, data), data) == pytest.approx(0.2, abs=0.04)


def test_few_optima_on_the_curve_leave_room_for_scatter() -> None:
    """Limit: residuals of 0 estimate 0, and allow up to about the errors of the optima."""
    rooms = []
    for error in (0.05, 0.1):
        data = planted(8, 0.0, np.random.default_rng(0), error=1e-6)
        data = Optima(**{**vars(data), "standard_error": np.full(8, error)})
        fit = fit_law(SURGE, {}, data)
        assert fit.scatter == 0
        rooms.append(predictive_scatter(fit, data))
    assert 0.3 < rooms[0] / 0.05 < 1.5
    assert rooms[1] == pytest.approx(2 * rooms[0], rel=0.1)


def test_intervals_hold_new_optima_where_the_estimate_alone_fails() -> None:
    """Planted: scatter 0.1 and errors 0.1 at 8 batch sizes, 150 tables, a new optimum at each end.

    95 % is wanted: 90 to 100 are four standard errors of the tables and what the prior adds. With
    the estimate (negative control) it is 80 to 88 %.
    """
    rng = np.random.default_rng(1)
    inside, naive = [], []
    for _ in range(150):
        data = planted(8, 0.1, rng)
        fit = fit_law(SURGE, {}, data)
        ends = np.array([0, 7])
        truth = np.log(
            [SURGE.learning_rate(float(np.exp(data.log_batch[k])), *TRUTH) for k in ends]
        )
        gap = np.abs(truth + 0.1 * rng.normal(size=2) - fit.predict(data)[ends])
        error = fit.standard_error(data)[ends]
        inside.append(gap < 1.96 * np.hypot(error, predictive_scatter(fit, data)))
        naive.append(gap < 1.96 * np.hypot(error, fit.scatter))
    assert 0.9 < np.mean(inside) <= 1.0
    assert np.mean(naive) < 0.9
