"""The rule of the verdict, and the intervals behind it."""

from __future__ import annotations

from math import exp, inf, log, sqrt

import numpy as np
import pytest
from scipy import stats

from empirical.judge.verdict import (
    ERROR,
    TOLERANCE,
    Measured,
    Outcome,
    counted,
    not_judged,
    together,
)
from empirical.judge.verdict_spread import (
    Scatter,
    common_factor,
    cost,
    mean_regret,
    noncentrality,
    normal_measured,
    scatter,
    spread_measured,
)

YES, NO, OPEN = Outcome.AGREES, Outcome.DISAGREES, Outcome.CANNOT_TELL


@pytest.mark.parametrize(
    ("interval", "region", "wanted"),
    [
        ((0.1, 0.2), (0.0, 0.3), YES),
        ((0.1, 0.4), (0.0, 0.3), OPEN),
        ((0.4, 0.5), (0.0, 0.3), NO),
        ((-0.5, -0.1), (0.0, 0.3), NO),
        ((-inf, -0.1), (-inf, -0.05), YES),
        ((-0.04, inf), (-inf, -0.05), NO),
        ((0.0, 0.3), (0.0, 0.3), YES),
        ((-inf, inf), (0.0, 0.3), OPEN),
    ],
)
def test_the_interval_decides(
    interval: tuple[float, float], region: tuple[float, float], wanted: Outcome
) -> None:
    """Rung: closed form (inside, outside, partly inside; open ends)."""
    assert Measured("x", 0.0, interval, region).outcome is wanted


def test_a_claim_for_every_place_needs_every_place() -> None:
    """Rung: closed form (one place against it is enough; nothing at all decides nothing)."""
    assert together([YES, YES]) is YES
    assert together([YES, OPEN]) is OPEN
    assert together([YES, NO, OPEN]) is NO
    assert together([]) is OPEN
    assert counted([YES, NO, YES], "pair") == "of 3 pairs 2 agree, 1 disagree"
    assert counted([OPEN], "slice") == "of 1 slice 1 cannot tell"
    assert not_judged("a", "b").outcome is Outcome.NOT_JUDGED


@pytest.mark.parametrize(("q", "freedom"), [(3.0, 1), (12.0, 4), (90.0, 60), (1500.0, 900)])
def test_noncentrality_is_the_inverse_of_the_distribution(q: float, freedom: int) -> None:
    """Rung: another library (scipy.stats.ncx2; both sum the same series to 1e-10 or better)."""
    for probability in (0.025, 0.5, 0.975):
        found = noncentrality(q, freedom, probability)
        if found > 0:
            assert stats.ncx2.cdf(q, freedom, found) == pytest.approx(probability, abs=1e-7)
        else:
            assert stats.chi2.cdf(q, freedom) <= probability


def test_large_chi_squared_goes_by_its_cube_root() -> None:
    """Rung: another library. The cube root is good to 1e-3 in probability (6e-4 seen)."""
    for q, freedom in ((2500.0, 20), (30_000.0, 16), (4000.0, 3000)):
        for probability in (0.025, 0.975):
            found = noncentrality(q, freedom, probability)
            assert stats.ncx2.cdf(q, freedom, found) == pytest.approx(probability, abs=1e-3)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("free", [True, False])
def test_the_spread_covers_the_truth(spread: float, free: bool) -> None:
    """Rung: Monte Carlo. 2000 tables of three slices with unequal errors; 95 % +- 4 standard errors
    (0.005 each). At spread 0 the lower end is 0 and cannot miss; at 0.1, about one error, the
    upper end is often that of Q = freedom and cannot: up to 97.5 % + 4 standard errors (0.0035).
    """
    rng = np.random.default_rng(5)
    errors = np.array([0.05, 0.1, 0.2, 0.08, 0.15])
    weights = 1 / errors**2
    truth = rng.standard_normal((3, 5))
    truth -= (truth @ weights / weights.sum())[:, None] if free else 0
    norm = weights.sum() - (weights @ weights / weights.sum() if free else 0)
    # Scaled so that the pooled weighted spread is the one wanted.
    truth *= spread * sqrt(3 * norm / float((truth**2 @ weights).sum()))
    factors = rng.standard_normal((2000, 3, 1)) if free else 0.0
    seen = truth + factors + errors * rng.standard_normal((2000, 3, 5))
    hits = 0
    for table in seen:
        total = Scatter(0.0, 0, 0.0)
        for row in table:
            total = total + scatter(row, errors**2, free_factor=free)
        low, high = total.interval()
        hits += low <= spread <= high
    assert total.norm == pytest.approx(3 * norm)
    least, most = {0.0: (0.96, 1.0), 0.1: (0.93, 0.989), 0.4: (0.93, 0.97)}[spread]
    assert least <= hits / 2000 <= most


def test_a_planted_error_in_the_spread_is_seen() -> None:
    """Rung: negative control. Errors stated half as large as they are: the interval misses."""
    rng = np.random.default_rng(6)
    total = Scatter(0.0, 0, 0.0)
    for _ in range(60):
        total = total + scatter(0.2 * rng.standard_normal(6), np.full(6, 0.01), free_factor=True)
    assert total.interval()[0] > 0.1


def test_agreement_needs_data_and_too_large_errors_do_not_give_it() -> None:
    """Rung: closed form. Two cells 0.5 off in error cannot agree however near they come; the upper
    end for Q = 0 is that for Q = 1: (1 + 1.96) standard errors of the difference over sqrt 2.
    """
    lucky = scatter(np.array([0.0, 0.0]), np.full(2, 0.25), free_factor=True)
    low, high = lucky.interval()
    assert low == 0.0
    # P(|z + d| < 1) = 0.025: the other tail at d = 2.96 is 4e-5.
    assert high == pytest.approx(2.96 * 0.5, rel=1e-3)
    assert spread_measured("x", lucky, TOLERANCE).outcome is OPEN
    sure = scatter(np.array([0.0, 0.01]), np.full(2, 1e-4), free_factor=True)
    assert spread_measured("x", sure, TOLERANCE).outcome is YES


def test_common_factor_is_the_weighted_mean() -> None:
    """Rung: closed form."""
    mean, variance = common_factor(np.array([0.0, 1.0]), np.array([1.0, 0.25]))
    assert [mean, variance] == pytest.approx([0.8, 0.2])


def test_normal_numbers_carry_their_confidence() -> None:
    """Rung: closed form (1.96 standard errors, and 2.81 for ten places)."""
    one = normal_measured("x", 0.1, 0.04, (0.0, inf))
    assert one.interval == pytest.approx((0.1 - 0.392, 0.1 + 0.392), abs=1e-4)
    ten = normal_measured("x", 0.1, 0.04, (0.0, inf), ERROR / 10)
    assert ten.interval[1] - 0.1 == pytest.approx(0.2 * 2.807, abs=1e-3)
    assert ten.confidence == pytest.approx(0.995)
    assert one.statistic == "z 0.5"


@pytest.mark.parametrize("miss", [0.0, 0.2, 1.0])
def test_regret_is_unbiased_and_knows_its_error(miss: float) -> None:
    """Rung: Monte Carlo. 20,000 draws of three cells that share the error of where they start:
    mean within 4 standard errors of the truth. The stated variance is right within 10 % where the
    rule fails; where it holds the measured x stands for 0, which overstates it, by up to 2.5.
    """
    rng = np.random.default_rng(7)
    curvatures = np.array([0.05, 0.1, 0.02])
    covariance = np.diag([0.01, 0.02, 0.04]) + 0.01
    truth = np.array([miss, -miss, 2 * miss])
    drawn = truth + rng.multivariate_normal(np.zeros(3), covariance, size=20_000)
    found = [cost(x, covariance, curvatures) for x in drawn]
    totals = np.array([each.total for each in found])
    wanted = float(curvatures @ truth**2 / 2)
    assert abs(totals.mean() - wanted) < 4 * totals.std() / sqrt(len(totals))
    stated = float(np.mean([each.variance for each in found]))
    least, most = (0.9, 1.1) if miss == 1 else (0.95, 2.5)
    assert least <= stated / float(totals.var()) <= most
    regret = mean_regret([found[0], found[1]])
    assert regret is not None and regret.cells == 6
    assert regret.interval[0] >= 0
    assert mean_regret([]) is None


def test_tolerance_is_a_quarter_octave() -> None:
    """Rung: closed form."""
    assert exp(4 * TOLERANCE) == pytest.approx(2.0)
    assert pytest.approx(log(2) / 4) == TOLERANCE
