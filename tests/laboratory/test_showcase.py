"""The tables say what the theory found, and the page in docs shows the tables."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from scaling_theory.laboratory.showcase.averages import AdamRow, MomentumRow, RatioRow
from scaling_theory.laboratory.showcase.closures import ClosureRow, EfficiencyRow, ExpansionRow
from scaling_theory.laboratory.showcase.horizons import BudgetRow, HorizonRow
from scaling_theory.laboratory.showcase.page import (
    Row,
    laboratory_page,
    laboratory_tables,
)

PAGE = Path(__file__).parents[2] / "docs" / "laboratory.md"

Tables = dict[str, Sequence[Row]]
R = TypeVar("R")


@pytest.fixture(scope="module")
def tables() -> Tables:
    """Every table, computed once."""
    return laboratory_tables()


def rows_of(tables: Tables, kind: type[R]) -> list[R]:
    return [row for rows in tables.values() for row in rows if isinstance(row, kind)]


def test_closures_hold_and_break_where_they_should(tables: Tables) -> None:
    """Rung: quadrature (each closure against the exact answer over noise, epsilon and B)."""
    rows = rows_of(tables, ClosureRow)
    for row in rows:
        if row.noise == "independent":
            # Nothing is correlated: both closures are exact, to rounding.
            assert row.correlated == pytest.approx(1.0, abs=1e-9)
            assert row.independent == pytest.approx(1.0, abs=1e-9)
        elif row.rms_correlation < 0.5:
            # Random low-rank noise included: first order in the correlation, 7 % at most.
            assert row.correlated == pytest.approx(1.0, abs=0.07)
        if row.epsilon == 30.0:
            # Nearly linear update: nothing but the first order is there.
            assert row.correlated == pytest.approx(1.0, abs=2e-3)
    small = [row for row in rows if row.batch_size == 1.0]
    aligned = [row for row in small if row.noise.startswith("aligned")]
    assert min(row.independent for row in aligned) > 2.5
    # Breakdown of the first order: sign-like steps at rms correlation beyond 0.6.
    (broken,) = [r for r in aligned if r.noise == "aligned, Σ ∝ H²" and r.epsilon == 0.0]
    assert broken.rms_correlation > 0.6
    assert 1.1 < broken.correlated < 1.25
    # One noise-to-signal ratio for all coordinates misses even where independence is right.
    assert max(abs(r.mean_field - 1) for r in rows if r.noise == "independent") > 0.3


def test_first_order_breaks_at_strong_correlation_and_unit_signal(tables: Tables) -> None:
    """Rung: closed form (rho / arcsin rho off the diagonal at g = 0; decreasing in both)."""
    rows = rows_of(tables, ExpansionRow)
    value = {(row.correlation, row.signal_to_noise): row.closure_over_exact for row in rows}
    for rho in (0.1, 0.3, 0.6, 0.8, 0.95):
        # H = Sigma = (1 - rho) I + rho 1 1', 32 coordinates: Tr(H Cov) = 32 + 32 31 rho Cov(rho).
        exact = 32 + 992 * rho * (2 / math.pi) * math.asin(rho)
        first = 32 + 992 * rho * (2 / math.pi) * rho
        assert value[rho, 0.0] == pytest.approx(first / exact, rel=1e-9)
        assert value[rho, 0.0] > value[rho, 0.5] > value[rho, 1.0]
    assert value[0.6, 0.0] == pytest.approx(0.94, abs=0.005)
    # The k = 2 term of Mehler's series: up to a fifth at unit signal-to-noise.
    assert 0.75 < value[0.6, 1.0] < 0.85


def test_progress_of_the_sign_is_not_monotone_in_the_batch(tables: Tables) -> None:
    """Rung: recovery of known results (1.5, 2.8, 5.7 for spreads 0, 0.5, 1 in another draw)."""
    found = [row.largest_over_limit for row in rows_of(tables, EfficiencyRow)]
    # One random draw of 400 coordinates against another: a fifth.
    assert found == pytest.approx([1.53, 2.84, 5.74], rel=0.2)


def test_momentum_helps_one_step_and_not_a_noisy_run(tables: Tables) -> None:
    """Rung: recovery of known results (1.08, 1.00, 1.00, ... on an 8 % grid, not 19)."""
    rows = {row.batch_size: row for row in rows_of(tables, MomentumRow)}
    assert rows[1.0].one_step > 17.0
    assert all(rows[b].many_steps == pytest.approx(1.0, abs=0.04) for b in (1.0, 10.0, 1e2, 1e3))
    assert rows[1e6].one_step == pytest.approx(1.0, abs=1e-3)
    assert rows[1e6].many_steps > 1.3


def test_ratio_law_of_adam(tables: Tables) -> None:
    """Rung: recovery of known results (ratios 1.01 ... .96, .76, ... .18 at epsilon = 0)."""
    rows = {(row.batch_size, row.epsilon): row.ratio for row in rows_of(tables, RatioRow)}
    for (batch, epsilon), ratio in rows.items():
        if epsilon >= 1.0 or batch <= 1e3:
            assert abs(ratio.value - 1.0) < 0.04 + 2 * ratio.standard_error
    assert rows[1e4, 0.0].value == pytest.approx(0.76, abs=0.05)
    assert rows[1e6, 0.0].value == pytest.approx(0.18, abs=0.03)


def test_real_adam_follows_the_mean_field(tables: Tables) -> None:
    """Rung: recovery of known results (.0969 against .0995 and erf .0797; .0482; .0091)."""
    rows = rows_of(tables, AdamRow)
    for row in rows:
        # beta_2 < 1 leaves a bias of a few percent besides the sampling error.
        error = 3 * row.simulated.standard_error + 0.035 * row.limit
        assert abs(row.simulated.value - row.limit) < error
        if row.epsilon == 0.0:
            assert row.simulated.value - row.sign > 10 * row.simulated.standard_error
    limits = {(row.beta2, row.epsilon): row.limit for row in rows}
    assert limits[0.95, 0.0] == pytest.approx(0.0995, abs=5e-5)
    assert limits[0.95, 1.0] == pytest.approx(0.0499, abs=5e-5)
    assert limits[0.95, 10.0] == pytest.approx(0.0091, abs=5e-5)
    assert rows[0].sign == pytest.approx(0.0797, abs=5e-5)


def test_horizon_factor_is_not_universal(tables: Tables) -> None:
    """Rung: slow brute force (runs; a factor h(S) would be one number per S)."""
    rows = rows_of(tables, HorizonRow)
    for steps in (32, 256):
        factors = [row.over_one_step for row in rows if row.steps == steps]
        assert max(factors) / min(factors) > 3.0
    assert all(row.over_one_step == pytest.approx(1.0) for row in rows if row.steps == 1)
    # Long runs want smaller steps than the greedy one, short ones of SGD at large B a larger one.
    assert all(row.over_one_step < 0.4 for row in rows if row.steps == 256)
    assert max(row.over_one_step for row in rows if row.optimizer == "sgd") > 1.2
    for row in rows:
        assert 0.0 < row.loss < 1.0


def test_classic_rules_hold_at_fixed_samples(tables: Tables) -> None:
    """Rung: slow brute force (log-slopes over B = 1 to 16: 1 for SGD, 1/2 for the sign)."""
    rows = rows_of(tables, BudgetRow)

    def slope(optimizer: str, column: str) -> float:
        few, many = (
            getattr(row, column).value
            for row in rows
            if row.optimizer == optimizer and row.batch_size in (1, 16)
        )
        return math.log(many / few) / math.log(16)

    assert slope("sgd", "fixed_samples") == pytest.approx(1.0, abs=0.02)
    assert slope("signsgd", "fixed_samples") == pytest.approx(0.5, abs=0.08)
    assert slope("sgd", "fixed_steps") == pytest.approx(0.5, abs=0.1)
    assert slope("signsgd", "fixed_steps") == pytest.approx(0.0, abs=0.1)


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def test_page_is_current(tables: Tables) -> None:
    """Rung: slow brute force (the page computed again; numbers are rounded to three digits).

    Another processor may round the last digit otherwise, and a standard error has one digit only.
    """
    shown, computed = PAGE.read_text(encoding="utf-8"), laboratory_page(tables)
    assert same_page(shown, computed)
    # Negative controls: a number 3 % off, a word changed, a row missing.
    assert "| 0.0268 |" in shown
    assert not same_page(shown.replace("| 0.0268 |", "| 0.0276 |", 1), computed)
    assert not same_page(shown.replace("aligned", "random", 1), computed)
    assert not same_page(shown[: shown.rindex("|", 0, -2)], computed)


def same_page(shown: str, computed: str) -> bool:
    """Same words, numbers equal to the rounding of three digits (one behind a ±)."""
    if NUMBER.sub("#", shown) != NUMBER.sub("#", computed):
        return False
    return all(
        math.isclose(new, old, rel_tol=0.6 if before == "± " else 0.011, abs_tol=1e-12)
        for (before, old), (_, new) in zip(numbers(shown), numbers(computed), strict=True)
    )


def numbers(text: str) -> list[tuple[str, float]]:
    """Every number with the two characters before it."""
    return [(text[: found.start()][-2:], float(found[0])) for found in NUMBER.finditer(text)]
