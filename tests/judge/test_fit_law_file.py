"""A fit as a law file: the same numbers after writing and reading, and honest intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from empirical.errors import UsageError
from empirical.judge.fit import fit_law
from empirical.judge.fit_law_file import fitted_law
from empirical.judge.fit_table import TableForFit
from empirical.judge.fit_ties import PER_GROUP, Tie
from empirical.judge.league_entries import entries_for
from empirical.judge.planted import VALUES, Planted, drawn, planted
from empirical.law_files import read_law, write_law
from scaling_theory.errors import InputError
from scaling_theory.laws.table import LAW_FORMS


def table(law: Planted, seed: int = 0) -> TableForFit:
    data = drawn(law, np.random.default_rng(seed))
    return TableForFit(data, (), (), "tokens", "seq", 2048, "planted", "0" * 64)


@pytest.mark.parametrize("name", VALUES, ids=VALUES)
def test_the_file_says_what_the_fit_says(name: str, tmp_path: Path) -> None:
    """Rung: another route. Value and error of every optimum, through the file, to 1e-6."""
    law = planted(name)
    found = table(law)
    fit = fit_law(law.entry.form, law.entry.ties, found.optima)
    write_law(tmp_path / "law.json", fitted_law(fit, found))
    read = read_law(tmp_path / "law.json")
    data = found.optima
    expected, errors = np.exp(fit.predict(data)), fit.standard_error(data)
    for place in range(0, len(data), 7):
        at = {each: float(data.covariates[each][place]) for each in read.covariates}
        rate = read.learning_rate(float(np.exp(data.log_batch[place])), at)
        assert rate.value == pytest.approx(expected[place], rel=1e-9)
        assert rate.standard_error / rate.value == pytest.approx(errors[place], rel=1e-4)


def test_published_and_given_powers_survive(tmp_path: Path) -> None:
    """Rung: closed form. Step Law in a file is 1.79 N^-0.713 D^0.307 without any error."""
    found = table(planted("surge"))
    entry = next(e for e in entries_for(found.optima) if e.name == "Step Law")
    law = fitted_law(fit_law(entry.form, entry.ties, found.optima), found)
    write_law(tmp_path / "law.json", law)
    rate = read_law(tmp_path / "law.json").learning_rate(64.0, {"n_params": 5e8, "tokens": 3e10})
    assert rate.value == pytest.approx(1.79 * 5e8**-0.713 * 3e10**0.307)
    assert rate.standard_error == 0


def test_the_interval_holds_optima_of_groups_never_seen() -> None:
    """Rung: planted parameters. A group left out of 40 tables: 95 % of its optima are inside.

    Draws of one table share the fit; 40 tables of 12 optima have a standard error below 2.5 %
    even if a fifth of the variance is shared; three of these.
    """
    law, rng = planted("noise and curvature"), np.random.default_rng(11)
    inside: list[bool] = []
    for _ in range(40):
        data = drawn(law, rng)
        kept = TableForFit(
            data.subset(data.group != 8), (), (), "tokens", "seq", None, "planted", "0" * 64
        )
        fit = fit_law(law.entry.form, law.entry.ties, kept.optima)
        saved = fitted_law(fit, kept)
        left = data.subset((data.group == 8) & data.measured)
        # What would be measured without error: the planted curve and the scatter.
        truth = law.curve[(data.group == 8) & data.measured] + rng.normal(0, 0.08, len(left))
        at = {name: float(left.covariates[name][0]) for name in saved.covariates}
        for log_batch, optimum in zip(left.log_batch, truth, strict=True):
            low, high = saved.interval(float(np.exp(log_batch)), at)
            inside.append(low <= np.exp(optimum) <= high)
    assert 0.875 < np.mean(inside) < 1.0


def test_a_law_says_what_it_must_know() -> None:
    """Rung: closed form. Missing and unknown covariates, and what lies outside, are told."""
    law = planted("surge")
    found = table(law)
    saved = fitted_law(fit_law(law.entry.form, law.entry.ties, found.optima), found)
    with pytest.raises(InputError, match="depends on n_params, tokens"):
        saved.learning_rate(64.0)
    with pytest.raises(InputError, match="and n_params, tokens, width came"):
        saved.learning_rate(64.0, {"n_params": 1e8, "tokens": 1e10, "width": 3.0})
    with pytest.raises(InputError, match="tokens is 0"):
        saved.learning_rate(64.0, {"n_params": 1e8, "tokens": 0.0})
    assert saved.outside(64.0, {"n_params": 1e8, "tokens": 1e10}) == ""
    said = saved.outside(9999.0, {"n_params": 1e8, "tokens": 1e12})
    assert "batch size 9999 seq is outside" in said and "tokens 1e+12 is outside" in said


def test_a_law_free_per_group_is_no_law_for_new_groups() -> None:
    """Rung: closed form. It is refused with what to do."""
    found = table(planted("surge"))
    fit = fit_law(LAW_FORMS["surge"], {"eta_peak": PER_GROUP}, found.optima)
    with pytest.raises(UsageError, match="choose another horizon"):
        fitted_law(fit, found)


def test_an_exponent_may_go_with_a_covariate() -> None:
    """Rung: closed form. Its power is added per unit of ln, and the file agrees with the fit."""
    found = table(planted("power"))
    fit = fit_law(LAW_FORMS["power"], {"exponent": Tie(powers=("tokens",))}, found.optima)
    saved = fitted_law(fit, found)
    asked = found.optima.subset(np.arange(len(found.optima)) == 30)
    at = {"tokens": float(asked.covariates["tokens"][0])}
    rate = saved.learning_rate(float(np.exp(asked.log_batch[0])), at)
    assert np.log(rate.value) == pytest.approx(float(fit.predict(asked)[0]), abs=1e-9)
