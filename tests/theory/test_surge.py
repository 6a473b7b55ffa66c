"""The surge verdict: planted curves, its rate of false alarms, and plateaus not reached."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from scaling_theory.canonical import CanonicalLaw
from scaling_theory.errors import InputError
from scaling_theory.surge import Surge, SurgeVerdict, surge_verdict

BATCHES = tuple(4.0**k for k in range(9))


def verdict(
    law: Callable[[float], float],
    relative_error: float,
    *,
    noise: np.random.Generator | None = None,
    batches: tuple[float, ...] = BATCHES,
) -> SurgeVerdict:
    """The verdict on a curve with that relative error, its noise added if a generator is given."""
    rates = np.array([law(batch) for batch in batches])
    errors = relative_error * rates
    if noise is not None:
        rates = rates + errors * noise.standard_normal(rates.size)
    return surge_verdict(batches, list(rates), list(errors), rng=np.random.default_rng(0))


def test_known_curves_without_noise() -> None:
    """Rung: closed form, scalar laws with and without a peak; errors 0: the ratio is exact."""
    surging = CanonicalLaw(1.0, 1.0, 30.0)
    found = verdict(surging.learning_rate, 0.0)
    best = max(surging.learning_rate(batch) for batch in BATCHES)
    assert found.outcome is Surge.YES and found.outcome.value == "yes"
    assert found.ratio.value == pytest.approx(best / surging.learning_rate(BATCHES[-1]))
    assert found.interval == pytest.approx((found.ratio.value, found.ratio.value))
    assert found.peak_batch == 1.0 and found.last_batch == BATCHES[-1]

    flat = CanonicalLaw(1.0, 10.0, 12.0)
    assert not flat.surges
    found = verdict(flat.learning_rate, 0.0)
    assert found.outcome is Surge.NO and found.interval[1] < 1.001
    assert found.last_slope.value == pytest.approx(flat.log_slope(3.2e4), abs=1e-4)


def test_noise_makes_it_careful() -> None:
    """Rung: closed form. The same two curves known to 30 % each: cannot tell, and why."""
    for law in (CanonicalLaw(1.0, 1.0, 8.0), CanonicalLaw(1.0, 10.0, 12.0)):
        found = verdict(law.learning_rate, 0.3)
        assert found.outcome is Surge.CANNOT_TELL
        assert "reduce the standard errors" in found.reason


def test_plateau_not_reached() -> None:
    """Rung: closed form. Rising: cannot tell, even after a peak. Falling: only a yes holds."""
    rising = verdict(lambda b: b / (b + 1e5), 0.01)
    assert rising.outcome is Surge.CANNOT_TELL and "still rises" in rising.reason
    dip = {1.0: 3.0, 4.0: 1.0, 16.0: 0.5, 64.0: 1.0}
    after_peak = verdict(lambda b: dip[b], 0.01, batches=tuple(dip))
    assert after_peak.outcome is Surge.CANNOT_TELL and "still rises" in after_peak.reason
    falling = verdict(lambda b: b**-0.3, 0.01)
    assert falling.outcome is Surge.YES
    barely = {1.0: 1.0, 4.0: 1.0, 16.0: 1.0, 17.0: 0.99}
    turning = verdict(lambda b: barely[b], 1e-4, batches=tuple(barely))
    assert turning.outcome is Surge.CANNOT_TELL and "still falls" in turning.reason


def test_bounds_cover_in_spite_of_picking_the_peak() -> None:
    """Rung: recovery of planted parameters, 400 noisy flat curves (true largest ratio 1).

    The lower bound may exceed 1 in 5 % of them: 20, give or take 4 sqrt(400 * .05 * .95) = 17.
    """
    rng = np.random.default_rng(21)
    above = above_naive = yes = 0
    for _ in range(400):
        found = verdict(lambda b: 1.0, 0.1, noise=rng)
        above += found.interval[0] > 1
        yes += found.outcome is Surge.YES
        naive = found.ratio.value - 1.645 * found.ratio.standard_error
        above_naive += naive > 1
    assert above <= 20 + 17 and yes <= above
    # Negative control: the interval of the picked ratio alone alarms far too often.
    assert above_naive > 20 + 17


@pytest.mark.parametrize("last", [0, 3])
def test_true_ratio_is_covered(last: int) -> None:
    """Rung: recovery of planted parameters, 400 noisy curves with a true ratio of 1.2 or 2.

    Both one-sided bounds hold for at least 95 %, less 17 in 400; several equal peaks or one.
    """
    rng = np.random.default_rng(22)
    curve = np.array([0.5, 1.2, 1.2, 1.2, 1.0]) if last == 0 else np.array([0.5, 2.0, 1, 1, 1.0])
    truth, batches = float(curve.max()), BATCHES[:5]
    low = high = 0
    for _ in range(400):
        rates = curve * np.exp(0.05 * rng.standard_normal(5))
        found = surge_verdict(batches, list(rates), list(0.05 * rates), rng=rng)
        low += found.interval[0] <= truth
        high += found.interval[1] >= truth
    assert low >= 380 - 17 and high >= 380 - 17


def test_order_and_units_do_not_matter() -> None:
    """Rung: property. Shuffled points, and learning rates in another unit."""
    law = CanonicalLaw(1.0, 1.0, 30.0)
    rates = [law.learning_rate(b) for b in BATCHES]
    errors = [0.02 * rate for rate in rates]
    here = surge_verdict(BATCHES, rates, errors, rng=np.random.default_rng(0))
    there = surge_verdict(
        BATCHES[::-1],
        [1e-4 * rate for rate in rates[::-1]],
        [1e-4 * error for error in errors[::-1]],
        rng=np.random.default_rng(0),
    )
    assert there.outcome is here.outcome is Surge.YES
    assert there.interval == pytest.approx(here.interval)


def test_margin() -> None:
    """Rung: closed form. A ratio of 1.15 is a surge at a margin of 0.1 and none at 0.2."""
    curve, errors = [0.6, 1.15, 1.0, 1.0], [1e-3] * 4
    for margin, outcome in ((0.1, Surge.YES), (0.2, Surge.NO), (0.15, Surge.CANNOT_TELL)):
        found = surge_verdict(
            BATCHES[:4], curve, errors, rng=np.random.default_rng(0), margin=margin
        )
        assert found.outcome is outcome


@pytest.mark.parametrize(
    ("batches", "rates", "errors", "word"),
    [
        ([1, 2], [1, 1], [0, 0], "at least 3"),
        ([1, 2, 4], [1, 1], [0, 0, 0], "one length"),
        ([1, 2, 2], [1, 1, 1], [0, 0, 0], "came twice"),
        ([1, 2, 4], [1, -1, 1], [0, 0, 0], "learning rate <= 0"),
        ([0, 2, 4], [1, 1, 1], [0, 0, 0], "batch size or learning rate <= 0"),
        ([1, 2, 4], [1, 1, 1], [0, math.inf, 0], "not finite"),
        ([1, 2, 4], [1, 1, 1], [0, -1, 0], "negative standard error"),
    ],
)
def test_wrong_input(
    batches: list[float], rates: list[float], errors: list[float], word: str
) -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    with pytest.raises(InputError, match=word):
        surge_verdict(batches, rates, errors, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="margin > 0"):
        surge_verdict([1, 2, 4], [1, 1, 1], [0, 0, 0], rng=np.random.default_rng(0), margin=0)
