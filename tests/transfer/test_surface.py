"""The measured surface: values between its cells, their errors, its edges and its law."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf, log

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.law import NoMinimum
from scaling_theory.surface import CLOSURES, Closure, SurfaceStatistics, eta1_ratio
from tests.transfer.surfaces import BATCHES, checkpoint, surface

HALF_DECADES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, inf)


@pytest.fixture(scope="module")
def measured() -> SurfaceStatistics:
    return surface(HALF_DECADES)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 10.0, inf])
def test_cells_are_returned_as_measured(
    measured: SurfaceStatistics, closure: Closure, epsilon: float
) -> None:
    """Closed form: on a cell the law of its own four numbers, and no interpolation error."""
    i, j = 2, HALF_DECADES.index(epsilon)
    noise = measured.noise_correlated if closure == "correlated" else measured.noise_independent
    expected = measured.descent.value[i, j] / (measured.signal.value[i, j] + noise.value[i, j])
    found = measured.eta1(BATCHES[i], measured.epsilons[j], closure)
    # A logarithm and an exponential of numbers of order 10: a few times 1e-15.
    assert found.step.learning_rate.value == pytest.approx(expected, rel=1e-13)
    assert found.interpolation_error < 1e-13
    assert found.outside == ()


@pytest.mark.parametrize("closure", CLOSURES)
def test_between_cells_close_to_a_direct_measurement(
    measured: SurfaceStatistics, closure: Closure
) -> None:
    """Brute force: the same checkpoint measured at 30 places between the cells.

    Every error is within twice the stated one, most within it, none above 4 %.
    """
    rng = np.random.default_rng(3)
    wrong, stated = [], []
    for _ in range(30):
        batch, epsilon = exp(rng.uniform(0, log(1024))), exp(rng.uniform(log(1e-3), log(100)))
        truth = surface((epsilon,), (batch,)).eta1(batch, epsilon * measured.rms_sigma, closure)
        found = measured.eta1(batch, epsilon * measured.rms_sigma, closure)
        wrong.append(abs(found.step.learning_rate.value / truth.step.learning_rate.value - 1))
        stated.append(found.interpolation_error)
    errors, claims = np.array(wrong), np.array(stated)
    assert errors.max() < 0.04
    assert np.all(errors <= 2 * claims)
    assert np.mean(errors <= claims) >= 0.9
    # A claim far above the error would be no information: the median claim stays below 5 %.
    assert np.median(claims) < 0.05


@pytest.mark.parametrize("seed", [0, 1])
def test_a_ratio_at_one_epsilon_is_known_better_than_its_ends(seed: int) -> None:
    """Brute force: eta1(B)/eta1(B0) at 20 places of a coarse grid (decades), measured directly.

    Every ratio is within its stated error but for one in twenty, and the claim is no empty one:
    it is below that of the two ends together.
    """
    grid = surface((0.0, 0.01, 0.1, 1.0, 10.0, inf), seed=seed)
    rng = np.random.default_rng(7)
    within, claims, sums = [], [], []
    for _ in range(20):
        low, high = sorted(exp(rng.uniform(0, log(1024))) for _ in range(2))
        epsilon = exp(rng.uniform(log(0.003), log(30)))
        direct = surface((epsilon,), (low, high), seed)
        place = epsilon * grid.rms_sigma
        truth, found = (
            eta1_ratio(s.eta1(high, place, "correlated"), s.eta1(low, place, "correlated"))
            for s in (direct, grid)
        )
        within.append(abs(found[0].value / truth[0].value - 1) <= found[1])
        claims.append(found[1])
        sums.append(sum(grid.eta1(b, place, "correlated").interpolation_error for b in (low, high)))
    assert np.mean(within) >= 0.95
    assert np.median(claims) < 0.6 * np.median(sums)


def test_infinite_epsilon_is_sgd(measured: SurfaceStatistics) -> None:
    """Closed form: eta = g.g / (g^T H g + Tr(H Sigma)/B) from the matrices themselves."""
    statistics, hessian = checkpoint()
    covariance = statistics.deviations.T @ statistics.deviations / len(statistics.deviations)
    g = statistics.gradient
    expected = g @ g / (g @ hessian @ g + np.trace(hessian @ covariance) / 16)
    found = measured.eta1(16, inf, "correlated").step.learning_rate.value
    assert found == pytest.approx(expected, rel=1e-10)
    # A large finite epsilon is that times epsilon, up to (x/epsilon)^2 ~ 1e-6.
    large = 1e4 * measured.rms_sigma
    close = measured.eta1(16, large, "correlated").step.learning_rate.value / large
    assert close == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("batch", "epsilon", "words"),
    [(0.5, 0.1, "batch size 0.5"), (1e4, 0.1, "batch size 10000"), (16.0, 1e-5, "epsilon")],
)
def test_outside_the_grid_is_answered_and_marked(batch: float, epsilon: float, words: str) -> None:
    """Closed form: beyond the cells there is a number, a mark and an error above zero."""
    grid = surface((0.01, 0.1, 1.0))
    found = grid.eta1(batch, epsilon * grid.rms_sigma, "correlated")
    assert found.step.learning_rate.value > 0
    assert len(found.outside) == 1
    assert words in found.outside[0]
    assert "outside the measured" in found.outside[0]
    assert found.interpolation_error > 0


def test_zero_and_infinity_unmeasured_are_marked() -> None:
    """Closed form: sign and SGD are not taken from a finite epsilon without a mark."""
    grid = surface((0.1, 1.0))
    assert grid.eta1(16, 0.0, "correlated").outside
    assert grid.eta1(16, inf, "correlated").outside


def test_indefinite_curvature_is_no_number(measured: SurfaceStatistics) -> None:
    """Closed form: signal + noise <= 0 has no minimum along the update."""
    flipped = GridQuantity(-measured.signal.value, measured.signal.standard_error)
    indefinite = replace(measured, signal=flipped)
    with pytest.raises(NoMinimum, match="no minimum along this direction"):
        indefinite.eta1(1024, 0.0, "correlated")


def test_ratio_of_a_place_to_itself_is_exact(measured: SurfaceStatistics) -> None:
    """Closed form: eta1 / eta1 = 1 without error, even off the grid."""
    place = measured.eta1(20.0, 0.2, "correlated")
    ratio, error = eta1_ratio(place, place)
    assert (ratio.value, ratio.standard_error, error) == (1.0, 0.0, 0.0)
    other = measured.eta1(64.0, 0.2, "correlated")
    there, back = eta1_ratio(other, place)[0].value, eta1_ratio(place, other)[0].value
    assert there * back == pytest.approx(1.0, rel=1e-12)
    with pytest.raises(InputError, match="two units"):
        eta1_ratio(measured.eta1(64.0, inf, "correlated"), place)


def test_interval_holds_statistical_and_interpolation_errors(measured: SurfaceStatistics) -> None:
    """Closed form: half width = 1.96 sqrt(se^2 + (interpolation error * eta)^2)."""
    place = measured.eta1(20.0, 0.2, "correlated")
    low, high = place.interval()
    rate = place.step.learning_rate
    half = 1.96 * np.hypot(rate.standard_error, place.interpolation_error * rate.value)
    assert (high - low) / 2 == pytest.approx(half)
    assert rate.standard_error > 0


def test_a_planted_error_of_one_percent_shows() -> None:
    """Negative control: a descent 1 % too large in every cell gives a rate 1 % too large."""
    plain = surface((0.1, 1.0))
    wrong = replace(
        plain, descent=GridQuantity(1.01 * plain.descent.value, plain.descent.standard_error)
    )
    ratio = (
        wrong.eta1(20.0, 0.2, "correlated").step.learning_rate.value
        / plain.eta1(20.0, 0.2, "correlated").step.learning_rate.value
    )
    assert ratio == pytest.approx(1.01, rel=1e-12)


@pytest.mark.parametrize("bad", ["batch_sizes", "epsilons", "descent", "rms_sigma"])
def test_bad_statistics_are_refused(measured: SurfaceStatistics, bad: str) -> None:
    """Closed form: axes ascend, shapes agree, numbers are numbers."""
    values: dict[str, object] = {
        "batch_sizes": measured.batch_sizes[::-1],
        "epsilons": -measured.epsilons[::-1],
        "descent": GridQuantity(measured.descent.value * np.nan, measured.descent.standard_error),
        "rms_sigma": 0.0,
    }
    with pytest.raises(InputError):
        replace(measured, **{bad: values[bad]})  # type: ignore[arg-type]  # one name at a time


@pytest.mark.parametrize(
    ("batch", "epsilon"), [(0.0, 1.0), (-1.0, 1.0), (4.0, -1.0), (4.0, np.nan)]
)
def test_bad_places_are_refused(measured: SurfaceStatistics, batch: float, epsilon: float) -> None:
    """Closed form: B > 0 and epsilon >= 0."""
    with pytest.raises(InputError):
        measured.eta1(batch, epsilon, "correlated")
