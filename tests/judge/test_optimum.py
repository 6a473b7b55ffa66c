"""The optimum of a grid on curves whose optimum is known, at edges, and where there is none."""

from __future__ import annotations

import time
from dataclasses import replace
from math import exp, inf, isfinite, log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical.errors import UsageError
from empirical.judge.noise_level import NoiseLevel, known_noise
from empirical.judge.optimum import Method, find_optimum
from empirical.judge.optimum_record import Optimum, Status

C = 0.03
TRUE = log(1e-3)


def parabola(x: np.ndarray) -> np.ndarray:
    return np.asarray(3.0 + C * (x - TRUE) ** 2)


def octaves(count: int = 7, shift: float = 0.0) -> np.ndarray:
    """ln eta of an octave grid around the optimum, off centre by `shift` octaves."""
    return TRUE + log(2) * (np.arange(count) - (count - 1) / 2 + shift)


def facts(found: Optimum) -> tuple[object, ...]:
    return found.status, found.ln_eta, found.bounds, found.loss_at_optimum, found.regret


@pytest.mark.parametrize("shift", [0.0, 0.3, -0.49, 1.2])
def test_a_parabola_is_found(shift: float) -> None:
    """Rung: closed form. Three sigma of the closed-form error of the slope over 2 c.

    With the noise 1e-4 nats and seven octaves the parabola alone would give ln eta* to
    sigma / (2 c sqrt(sum t^2)) = 1e-4 / (0.06 * 3.7) = 5e-4; asymmetry that is allowed for widens
    it, so that the interval itself is the tolerance, and must be below 0.1.
    """
    x = octaves(shift=shift)
    found = find_optimum(np.exp(x), parabola(x), noise=1e-4)
    assert found.status is Status.IDENTIFIED
    assert found.ln_eta is not None and found.loss_at_optimum is not None
    assert found.curvature is not None
    low, high = found.bounds
    assert low < TRUE < high < low + 0.1
    assert abs(found.loss_at_optimum.value - 3.0) < 4 * found.loss_at_optimum.standard_error
    assert abs(found.curvature.value - 2 * C) < 4 * found.curvature.standard_error
    assert found.learning_rate == pytest.approx(exp(found.ln_eta.value))
    assert found.ln_eta.standard_error == pytest.approx((high - low) / 3.92)
    assert (found.runs, found.censored, found.learning_rates) == (7, 0, 7)


def test_the_cost_of_a_wrong_factor() -> None:
    """Rung: closed form, c (ln k)^2 for a parabola; the tolerance is four standard errors."""
    x = octaves()
    found = find_optimum(np.exp(x), parabola(x), noise=1e-4)
    assert [regret.factor for regret in found.regret] == [0.25, 0.5, 2.0, 4.0]
    for regret in found.regret:
        assert regret.cost is not None
        wanted = C * log(regret.factor) ** 2
        assert abs(regret.cost.value - wanted) < 4 * regret.cost.standard_error
        assert regret.cost.standard_error < 0.15 * wanted
        assert not regret.diverges


def test_a_factor_that_diverges_or_was_not_tried_has_no_cost() -> None:
    """Rung: closed form (the grid ends at twice the optimum; above it runs diverge)."""
    x = octaves(5, shift=-1.0)
    ended = {r.factor: r for r in find_optimum(np.exp(x), parabola(x), noise=1e-4).regret}
    assert ended[4.0].cost is None and not ended[4.0].diverges
    x = np.append(x, x[-1] + log(2))
    losses = np.append(parabola(x[:-1]), nan)
    broken = {r.factor: r for r in find_optimum(np.exp(x), losses, noise=1e-4).regret}
    assert broken[4.0].cost is None and broken[4.0].diverges


@pytest.mark.parametrize("method", ["quadratic", "convex"])
@pytest.mark.parametrize(
    ("first", "last", "status", "side"),
    [(0, 4, Status.ABOVE, 1), (4, 8, Status.BELOW, -1)],
    ids=["falls to the upper edge", "rises from the lower edge"],
)
def test_an_edge_minimum_is_one_sided(
    first: int, last: int, status: Status, side: int, method: Method
) -> None:
    """Rung: closed form (half of a grid whose optimum is the other half's edge or beyond)."""
    x = octaves(9, shift=0.2 * -side)[first : last + 1]
    found = find_optimum(np.exp(x), parabola(x), noise=1e-3, method=method)
    assert found.status is status
    assert found.ln_eta is None and found.learning_rate is None and found.regret == ()
    low, high = found.bounds
    assert (found.open_above, found.open_below) == (side > 0, side < 0)
    assert low <= TRUE <= high
    assert isfinite(low if side > 0 else high)


@pytest.mark.parametrize("spelling", ["censored", "nan", "inf"])
def test_divergence_bounds_the_optimum_from_above(spelling: str) -> None:
    """Rung: closed form (losses fall up to the last learning rate that trains)."""
    x = octaves(5, shift=-2.0)
    losses = parabola(x)
    assert losses.argmin() == 4
    x = np.append(x, [x[-1] + log(2), x[-1] + log(4)])
    losses = np.append(losses, [9.0, 9.0] if spelling == "censored" else [float(spelling)] * 2)
    censored = np.arange(7) > 4 if spelling == "censored" else None
    found = find_optimum(np.exp(x), losses, censored=censored, noise=1e-3)
    assert found.status is Status.STABILITY_EDGE
    assert found.ln_eta is None
    assert found.bounds[0] < TRUE < found.bounds[1]
    assert found.bounds[1] == pytest.approx(x[5], abs=1e-4)
    assert found.censored == 2
    assert "0.001" not in str(found.status)


def test_a_censored_loss_is_never_fitted() -> None:
    """Rung: negative control (the loss of a diverged run is changed: nothing else changes)."""
    x = octaves()
    losses, censored = parabola(x), np.arange(7) == 6
    first = find_optimum(np.exp(x), losses, censored=censored, noise=1e-3)
    losses[6] = -100.0
    assert facts(find_optimum(np.exp(x), losses, censored=censored, noise=1e-3)) == facts(first)


def test_divergence_closes_an_interval_that_losses_leave_open() -> None:
    """Rung: closed form (the rise above the optimum is under the noise, then runs diverge)."""
    x = octaves(5, shift=-1.2)
    losses = parabola(x)
    losses[-1] = losses[-2] + 1e-4
    open_ = find_optimum(np.exp(x), losses, noise=2e-3)
    assert open_.status is Status.NOT_IDENTIFIED and open_.open_above
    assert open_.reason == "no rise above the noise towards larger learning rates"
    more = np.append(x, x[-1] + log(2))
    closed = find_optimum(np.exp(more), np.append(losses, nan), noise=2e-3)
    assert closed.status is Status.IDENTIFIED
    assert closed.bounds[1] == pytest.approx(more[-1], abs=1e-4)


def test_one_divergence_among_several_seeds_is_no_wall() -> None:
    """Rung: closed form (half of the runs make a learning rate divergent, fewer do not)."""
    x = np.tile(octaves(), 3)
    seeds, losses = np.repeat([0, 1, 2], 7), parabola(x)
    losses[6] = nan
    assert find_optimum(np.exp(x), losses, seeds, noise=1e-3).learning_rates == 7
    losses[13] = nan
    assert find_optimum(np.exp(x), losses, seeds, noise=1e-3).learning_rates == 6


def test_divergence_below_a_rate_that_trains_is_noted() -> None:
    """Rung: closed form."""
    x, losses = octaves(), parabola(octaves())
    losses[1] = nan
    found = find_optimum(np.exp(x), losses, noise=1e-3)
    assert found.status is Status.IDENTIFIED
    assert found.notes == (f"diverged below a learning rate that trains: {exp(x[1]):.3g}",)


@pytest.mark.parametrize("method", ["quadratic", "convex"])
@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([3.0, 3.0001, 2.9999, 3.0, 3.0001], "the losses differ by no more than noise"),
        ([3.0, 2.9, 3.05, 2.9, 3.0], "the loss does not curve upwards around its lowest value"),
        ([nan, nan, nan, nan, nan], "no run trained"),
        ([], "no runs"),
    ],
    ids=["flat", "two dips", "all diverged", "empty"],
)
def test_where_there_is_no_optimum_it_says_why(
    losses: list[float], reason: str, method: Method
) -> None:
    """Rung: closed form (curves without a minimum that can be told)."""
    rates = np.exp(octaves(5))[: len(losses)]
    found = find_optimum(rates, losses, noise=1e-3, method=method)
    assert (found.status, found.reason) == (Status.NOT_IDENTIFIED, reason)
    assert found.ln_eta is None
    assert reason in found.describe()


def test_an_edge_is_told_even_where_the_curve_bends_down() -> None:
    """Rung: closed form (far below the optimum the loss is flat, then falls: no upward curve)."""
    found = find_optimum(1e-5 * 2.0 ** np.arange(6), [4.0, 3.98, 3.93, 3.84, 3.7, 3.5])
    assert found.status is Status.ABOVE
    assert found.noise is not None and found.noise.source == "chords of neighbours"
    assert find_optimum(1e-5 * 2.0 ** np.arange(6), [3.0] * 6).status is Status.NOT_IDENTIFIED


def test_the_same_learning_rate_in_other_digits_is_one() -> None:
    """Rung: closed form (7 learning rates in 14 spellings)."""
    x = octaves()
    rates = np.concatenate([np.exp(x), np.exp(x) * 1.0005])
    found = find_optimum(rates, np.tile(parabola(x), 2), noise=1e-3)
    assert (found.learning_rates, found.runs) == (7, 14)
    other = np.concatenate([np.exp(x), np.exp(x) * 1.01])
    assert find_optimum(other, np.tile(parabola(x), 2), noise=1e-3).learning_rates == 14


def test_without_a_noise_level_few_runs_say_nothing() -> None:
    """Rung: closed form (three losses fix a parabola and leave nothing over)."""
    x = octaves(3)
    found = find_optimum(np.exp(x), parabola(x))
    assert found.status is Status.NOT_IDENTIFIED
    assert found.reason.startswith("the noise is unknown")
    assert find_optimum(np.exp(x), parabola(x), noise=1e-3).status is Status.IDENTIFIED


@settings(max_examples=24)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-3, 3),
    st.floats(0.1, 10),
    st.sampled_from(["quadratic", "convex"]),
)
def test_units_do_not_matter(seed: int, shift: float, scale: float, method: Method) -> None:
    """Rung: closed form. Learning rates times k, losses times a plus b: the answer likewise.

    Tolerance: rounding of ln eta to 1e-4 when learning rates are compared, none else above 1e-6.
    """
    rng = np.random.default_rng(seed)
    x = octaves(7, shift=rng.uniform(-1, 1))
    losses = parabola(x) + 3e-3 * rng.standard_normal(7)
    first = find_optimum(np.exp(x), losses, noise=3e-3, method=method)
    second = find_optimum(np.exp(x + shift), scale * losses + 7, noise=scale * 3e-3, method=method)
    assert second.status is first.status
    moved = np.array(second.bounds) - shift
    assert np.allclose(moved, first.bounds, atol=2e-4)
    if first.loss_at_optimum is not None and second.loss_at_optimum is not None:
        wanted = scale * first.loss_at_optimum.value + 7
        assert second.loss_at_optimum.value == pytest.approx(wanted, rel=1e-5)


def test_the_order_of_the_runs_does_not_matter() -> None:
    """Rung: closed form (a permutation; same input, same answer to the last bit otherwise)."""
    rng = np.random.default_rng(5)
    x, seeds = np.tile(octaves(), 2), np.repeat(["a", "b"], 7)
    losses = parabola(x) + 2e-3 * rng.standard_normal(14)
    first = find_optimum(np.exp(x), losses, seeds)
    again = find_optimum(np.exp(x), losses, seeds)
    assert facts(first) == facts(again)
    order = rng.permutation(14)
    other = find_optimum(np.exp(x[order]), losses[order], seeds[order])
    assert np.allclose(other.bounds, first.bounds, atol=1e-9)


def test_bootstrap_bounds_repeat_with_their_generator() -> None:
    """Rung: closed form (randomness is an argument)."""
    x = octaves()
    losses = parabola(x) + 1e-3 * np.sin(7 * x)
    runs = [
        find_optimum(np.exp(x), losses, noise=2e-3, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert runs[0].bounds == runs[1].bounds != runs[2].bounds


def test_the_noise_of_seeds_is_that_within_seeds() -> None:
    """Rung: closed form. Effects common to a seed cancel: adding 1 nat to a seed changes nothing.

    Negative control: without the seeds' names the same losses identify nothing.
    """
    rng = np.random.default_rng(8)
    x, seeds = np.tile(octaves(), 3), np.repeat([0, 1, 2], 7)
    runs = [parabola(x) + 1e-3 * rng.standard_normal(21) for _ in range(40)]
    levels = [find_optimum(np.exp(x), losses, seeds).noise for losses in runs]
    # 7 learning rates, 3 seeds: (7 - 1)(3 - 1) degrees of freedom; the mean variance of 40 such
    # grids has a relative standard error of sqrt(2 / 480) = 6.5 %: three of them.
    assert {level.degrees_of_freedom for level in levels if level} == {12}
    variance = np.mean([level.standard_deviation**2 for level in levels if level])
    assert abs(variance / 1e-6 - 1) < 0.195
    losses = runs[0]
    first = find_optimum(np.exp(x), losses, seeds)
    shifted = losses + np.array([0.0, 1.0, -2.0])[seeds]
    second = find_optimum(np.exp(x), shifted, seeds)
    assert np.allclose(second.bounds, first.bounds, atol=1e-9)
    assert find_optimum(np.exp(x), shifted).status is Status.NOT_IDENTIFIED


def test_seeds_that_share_no_learning_rate_are_not_paired() -> None:
    """Rung: closed form (a run of its own seed each: the same as no seeds)."""
    x = octaves()
    named = find_optimum(np.exp(x), parabola(x), seeds=range(7), noise=1e-3)
    assert facts(named) == facts(find_optimum(np.exp(x), parabola(x), noise=1e-3))


def test_standard_errors_weigh_the_losses() -> None:
    """Rung: closed form (a loss known a thousand times worse counts as if it were not there)."""
    x, losses = octaves(), parabola(octaves())
    losses[5] += 0.05
    errors = np.full(7, 1e-3)
    errors[5] = 1.0
    weighed = find_optimum(np.exp(x), losses, standard_errors=errors)
    without = find_optimum(np.exp(np.delete(x, 5)), np.delete(losses, 5), noise=1e-3)
    assert np.allclose(weighed.bounds, without.bounds, atol=2e-3)
    assert weighed.noise is not None and weighed.noise.standard_deviation == 1e-3


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"losses": [3.0, 3.1]}, "one entry per run is wanted in each"),
        ({"learning_rates": [1e-3, -1e-3, 1e-2]}, "a learning rate is -0.001"),
        ({"noise": 0.0}, "noise level is 0; a finite number of nats above 0"),
        ({"noise": 1e-12}, "noise level is 1e-12 beside losses near 3"),
        ({"method": "spline"}, "method 'spline' is unknown: use one of quadratic, convex"),
        ({"standard_errors": [1e-3, 0.0, 1e-3]}, "a standard error is not above 0"),
    ],
)
def test_mistakes_are_one_line(keywords: dict[str, object], message: str) -> None:
    """Rung: closed form (each mistake and its line)."""
    good: dict[str, object] = {"learning_rates": [1e-3, 2e-3, 4e-3], "losses": [3.0, 2.9, 3.0]}
    with pytest.raises(UsageError, match=message):
        find_optimum(**{**good, **keywords})  # type: ignore[arg-type]  # mistakes under test


def test_a_sweep_can_afford_it() -> None:
    """Rung: a clock (processor time of this process; limits four times what was measured)."""
    x, seeds = np.tile(octaves(9), 3), np.repeat([0, 1, 2], 9)
    losses = parabola(x) + 1e-3 * np.random.default_rng(0).standard_normal(27)

    def cost(repeats: int, **keywords: object) -> float:
        start = time.process_time()
        for _ in range(repeats):
            find_optimum(np.exp(x), losses, seeds, **keywords)  # type: ignore[arg-type]  # any
        return (time.process_time() - start) / repeats

    assert cost(20) < 0.020
    assert cost(3, rng=np.random.default_rng(0)) < 0.200
    assert cost(3, method="convex") < 0.200


def test_words_for_people() -> None:
    """Rung: closed form."""
    x = octaves()
    found = find_optimum(np.exp(x), parabola(x), noise=known_noise(1e-4))
    assert found.describe().startswith("0.00101 (0.0009")
    low, high = found.interval
    assert low < 1e-3 < high
    above = replace(found, ln_eta=None, status=Status.ABOVE, bounds=(TRUE, inf))
    assert above.describe() == "optimum beyond the grid, above: at least 0.001"
    assert above.interval == (exp(TRUE), inf)
    with pytest.raises(UsageError, match="degrees of freedom"):
        NoiseLevel(1e-3, 0.0, "")
