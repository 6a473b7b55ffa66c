"""Fits of laws to optima: weights, scatter, censoring, ties, intervals, recovery."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from empirical.errors import UsageError
from empirical.judge.fit import Fit, fit_law
from empirical.judge.fit_curve import jacobian, log_rates
from empirical.judge.fit_data import Optima
from empirical.judge.fit_problem import Problem
from empirical.judge.fit_ties import PER_GROUP, Tie, design_of
from empirical.judge.planted import VALUES, drawn, planted
from empirical.judge.profile import profile
from empirical.judge.recovery import coverage
from scaling_theory.laws.table import LAW_FORMS

POWER, SURGE = LAW_FORMS["power"], LAW_FORMS["surge"]


def line(n: int = 12, scatter: float = 0.0, seed: int = 0) -> Optima:
    """ln eta* = -8 + 0.4 ln B with errors 0.05 to 0.15, two groups, tokens in proportion."""
    rng = np.random.default_rng(seed)
    log_batch = np.log(2.0) * np.arange(n)
    errors = rng.uniform(0.05, 0.15, n)
    group = np.arange(n) % 2
    return Optima(
        group=group,
        groups=("first", "second"),
        log_batch=log_batch,
        log_rate=-8 + 0.4 * log_batch + rng.normal(size=n) * np.hypot(errors, scatter),
        standard_error=errors,
        side=np.zeros(n, dtype=np.int64),
        curvature=np.full(n, 0.1),
        covariates={"tokens": np.where(group == 0, 1e9, 4e9)},
    )


def test_a_power_law_is_weighted_linear_regression() -> None:
    """Rung: another route. Normal equations with weights 1/(s^2 + tau^2), to 1e-7."""
    data = line(scatter=0.1)
    fit = fit_law(POWER, {}, data, scatter=0.1)
    weights = 1 / (data.standard_error**2 + 0.1**2)
    design = np.column_stack([np.ones(len(data)), data.log_batch])
    information = design.T @ (weights[:, None] * design)
    expected = np.linalg.solve(information, design.T @ (weights * data.log_rate))
    np.testing.assert_allclose(fit.coefficients, expected, atol=1e-7)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(information), rtol=1e-6)
    density = norm.logpdf(data.log_rate, design @ expected, 1 / np.sqrt(weights))
    assert fit.log_likelihood == pytest.approx(float(density.sum()), abs=1e-6)


def test_scatter_makes_chi_squared_its_freedom() -> None:
    """Rung: closed form. At the scatter found, chi^2 = n - k to the solver's 1e-3."""
    fit = fit_law(POWER, {}, line(40, scatter=0.3))
    assert fit.chi2 == pytest.approx(fit.freedom, rel=1e-3)
    # tau of 38 degrees of freedom is known to 1 / sqrt(2 * 38) = 11 %; three of these.
    assert fit.scatter == pytest.approx(0.3, rel=0.35)


def test_no_scatter_where_errors_explain_all() -> None:
    """Rung: closed form. Points on the line leave a scatter of exactly 0."""
    data = line()
    fit = fit_law(POWER, {}, replace(data, log_rate=-8 + 0.4 * data.log_batch))
    assert fit.scatter == 0 and fit.chi2 < 1e-12
    np.testing.assert_allclose(fit.coefficients, [-8, 0.4], atol=1e-6)


def test_an_optimum_beyond_the_grid_enters_by_its_probability() -> None:
    """Rung: another library. -2 ln of scipy's normal distribution; slopes by differences."""
    data = line()
    data = replace(data, side=np.array([-1, 1] + [0] * 10))
    design = design_of(POWER, {}, data, {}, np.array([0, 1]))
    problem = Problem(POWER, design, data, np.arange(2))
    at = np.array([-8.1, 0.42])
    residuals, slopes = problem.residuals(at, 0.1)
    widths = np.hypot(data.standard_error, 0.1)
    gap = (log_rates(POWER, design, at, data) - data.log_rate) / widths
    np.testing.assert_allclose(residuals[0] ** 2, -2 * norm.logcdf(-gap[0]), rtol=1e-10)
    np.testing.assert_allclose(residuals[1] ** 2, -2 * norm.logcdf(gap[1]), rtol=1e-10)
    # The law moved by h: central differences of the order 1e-10.
    h = 1e-5
    moved = [problem.residuals(at + sign * np.array([h, 0]), 0.1)[0] for sign in (1, -1)]
    np.testing.assert_allclose(slopes, (moved[0] - moved[1]) / (2 * h), rtol=1e-6)


def test_bounds_far_on_the_right_side_say_nothing() -> None:
    """Rung: closed form. An edge 50 standard errors away leaves the fit as it is without it."""
    data = line()
    far = replace(
        data,
        side=np.array([0] * 11 + [-1]),
        log_rate=np.append(data.log_rate[:-1], data.log_rate[-1] + 50),
    )
    alone = fit_law(POWER, {}, data.subset(np.arange(12) < 11), scatter=0.1)
    np.testing.assert_allclose(
        fit_law(POWER, {}, far, scatter=0.1).coefficients, alone.coefficients, atol=1e-6
    )


@pytest.mark.parametrize("name", VALUES, ids=VALUES)
def test_slopes_of_every_law(name: str) -> None:
    """Rung: slow brute force. Differences of the whole chain in every coefficient, 1e-6."""
    law = planted(name)
    references = law.design.references()
    places = np.unique(law.design.group)
    design = design_of(law.entry.form, law.entry.ties, law.design, references, places)
    found = jacobian(law.entry.form, design, law.coefficients, law.design)
    for place in range(len(law.coefficients)):
        step = np.zeros(len(law.coefficients))
        step[place] = 1e-4
        above, below = (
            log_rates(law.entry.form, design, law.coefficients + s, law.design)
            for s in (step, -step)
        )
        np.testing.assert_allclose(found[:, place], (above - below) / 2e-4, atol=1e-6)


@pytest.mark.parametrize("name", VALUES, ids=VALUES)
def test_planted_parameters_are_found(name: str) -> None:
    """Rung: planted parameters. Without noise every coefficient comes back to 1e-3."""
    law = planted(name)
    data = replace(law.design, log_rate=law.curve, standard_error=np.full(len(law.curve), 0.05))
    fit = fit_law(law.entry.form, law.entry.ties, data)
    assert fit.chi2 < 1e-4
    np.testing.assert_allclose(fit.coefficients, law.coefficients, atol=2e-3)


@pytest.mark.parametrize("name", ["surge", "noise and curvature"])
def test_intervals_cover_what_was_planted(name: str) -> None:
    """Rung: planted parameters. 24 tables; the full run is `python -m ...judge.recovery`.

    Pooled over k coefficients of 24 tables with 95 %: below 83 % is four standard errors of the
    24 tables even if all coefficients of a table fail together. Neither law wants its intervals
    widened.
    """
    found = coverage(name, 24, seed=1, widen=0)
    assert found.pooled > 0.83
    # A mean over 24 draws is off by 0.2 standard deviations; four of these.
    assert np.abs(found.bias).max() < 0.82


def test_coverage_sees_intervals_that_are_too_narrow() -> None:
    """Rung: planted parameters (negative control). Half the standard errors: coverage falls."""
    law, rng = planted("surge"), np.random.default_rng(3)
    covered = []
    for _ in range(12):
        data = drawn(law, rng)
        fit = fit_law(law.entry.form, law.entry.ties, data)
        half = 0.5 * 1.96 * np.sqrt(np.diag(fit.covariance))
        covered.append(np.abs(fit.coefficients - law.coefficients) < half)
    # 67 % is expected of half intervals.
    assert np.mean(covered) < 0.86


def test_profile_of_a_linear_law_is_the_t_interval() -> None:
    """Rung: closed form. Estimate +- t s.e. of a linear model, to the 1 % of the search."""
    data = line(scatter=0.1)
    fit = fit_law(POWER, {}, data)
    quantile = float(student.ppf(0.975, fit.freedom))
    for found in profile(fit, data):
        assert found.high - found.value == pytest.approx(quantile * found.standard_error, rel=0.02)
        assert found.value - found.low == pytest.approx(quantile * found.standard_error, rel=0.02)


def test_a_parameter_without_limit_has_an_open_end() -> None:
    """Rung: closed form. A straight line bounds where it saturates from one side only."""
    data = line()
    straight = replace(data, log_rate=-8 + 0.5 * data.log_batch)
    form = LAW_FORMS["square root saturating"]
    fit = fit_law(form, {}, straight, scatter=0.1)
    found = profile(fit, straight)[1]
    assert found.high == np.inf and np.isfinite(found.low)
    assert "saturation_batch" in fit.at_bound


def test_free_and_scaled_parameters() -> None:
    """Rung: closed form. Two groups: a free prefactor and a power of tokens say the same."""
    data = line(scatter=0.1)
    free = fit_law(POWER, {"eta_one": PER_GROUP}, data, scatter=0.1)
    scaled = fit_law(POWER, {"eta_one": Tie(powers=("tokens",))}, data, scatter=0.1)
    np.testing.assert_allclose(free.predict(data), scaled.predict(data), atol=1e-6)
    values = dict(zip([c.name for c in free.columns], free.coefficients, strict=True))
    slope = (values["eta_one second"] - values["eta_one first"]) / log(4)
    assert scaled.coefficients[1] == pytest.approx(slope, abs=1e-6)


def test_given_powers_are_not_fitted() -> None:
    """Rung: closed form. eta = 3 tokens^0.1 is predicted as it is stated, with no coefficient."""
    data = line()
    tie = Tie(fixed_powers={"tokens": 0.1}, value=3.0)
    fit = fit_law(LAW_FORMS["constant"], {"eta_constant": tie}, data)
    assert not fit.columns
    expected = np.log(3.0) + 0.1 * np.log(data.covariates["tokens"])
    np.testing.assert_allclose(fit.predict(data), expected)


def wrong_uses() -> dict[str, tuple[str, object]]:
    data = line()
    few = data.subset(np.arange(12) < 2)
    fit: Fit = fit_law(POWER, {"eta_one": PER_GROUP}, data.subset(data.group == 0))
    return {
        "too few": ("more are wanted", lambda: fit_law(POWER, {}, few)),
        "no such parameter": ("no parameter", lambda: fit_law(POWER, {"x": PER_GROUP}, data)),
        "no such covariate": (
            "the table has no steps",
            lambda: fit_law(POWER, {"eta_one": Tie(powers=("steps",))}, data),
        ),
        "unknown group": ("was not fitted", lambda: fit.predict(data)),
        "no error": ("standard error", lambda: replace(data, standard_error=np.zeros(12))),
        "ragged": ("one value per optimum", lambda: replace(data, side=np.zeros(3, dtype=int))),
        "no tokens": (
            "tokens is not above 0",
            lambda: replace(data, covariates={"tokens": np.zeros(12)}),
        ),
    }


@pytest.mark.parametrize("case", wrong_uses().values(), ids=wrong_uses())
def test_wrong_use_is_told(case: tuple[str, object]) -> None:
    """Rung: closed form. What came, what was wanted, what to do."""
    text, call = case
    assert callable(call)
    with pytest.raises(UsageError, match=text):
        call()
