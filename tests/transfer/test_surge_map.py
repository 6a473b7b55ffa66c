"""The dimensionless network and the surge map against closed forms and planted surges."""

from __future__ import annotations

from math import inf, pi, sqrt

import numpy as np
import pytest

from scaling_theory.canonical import CanonicalLaw
from scaling_theory.dimensionless import DimensionlessNetwork, Spread
from scaling_theory.errors import InputError
from scaling_theory.surge_map import map_of_network, map_of_surface, vanishing_epsilon
from tests.transfer.surfaces import surface


@pytest.mark.parametrize(("spread", "mean"), [("uniform", 1.0), ("gaussian", sqrt(2 / pi))])
def test_limits_of_sign_and_sgd(spread: Spread, mean: float) -> None:
    """Closed form: <|g|>/(Q/T) of sign and g.g/(<g>^2 (Q/T - 1) + <g^2> + R/B) of large epsilon."""
    network = DimensionlessNetwork(0.05, 7.0, 3.0, spread)
    # 41 nodes give the mean of |g| to 1e-2 once its mean square is exact.
    nodes = 0.01 if spread == "gaussian" else 1e-12
    sign = network.learning_rates([inf], 0.0)[0]
    assert sign == pytest.approx(mean * 0.05 / 7.0, rel=nodes)
    large, B = 1e5, 16.0
    square = 0.05**2
    expected = square / (square * (mean**2 * 6.0 + 1.0) + 3.0 / B)
    # Softsign leaves SGD at the order (x / epsilon)^2 = 1e-10.
    assert network.learning_rates([B], large)[0] / large == pytest.approx(expected, rel=nodes)


def test_peak_of_the_mean_field_law() -> None:
    """Another route: at low signal-to-noise the exact peak is that of the law, Q > 2 T, c = pi/2.

    erf is 12 % above its algebraic substitute at most, the flat top moves the peak by more.
    """
    network = DimensionlessNetwork(0.01, 50.0, 1.0, "uniform")
    K = pi / 2 * network.simple_batch
    law = CanonicalLaw(1.0, K / 50.0, K)
    curve = map_of_network(network, [0.0], np.random.default_rng(0)).curves[0]
    assert law.peak_batch is not None
    assert curve.peak_batch == pytest.approx(law.peak_batch, rel=0.1)
    rates = network.learning_rates([law.peak_batch, inf], 0.0)
    assert rates[0] / rates[1] == pytest.approx(law.learning_rate(law.peak_batch), rel=0.05)


@pytest.mark.parametrize(
    ("ratio", "correlation", "outcome"), [(20.0, 1.0, "yes"), (1.5, 1.0, "no"), (20.0, 200.0, "no")]
)
def test_verdict_on_planted_surges(ratio: float, correlation: float, outcome: str) -> None:
    """Planted: sharp signal surges under independent noise; strong correlation removes it."""
    network = DimensionlessNetwork(0.05, ratio, correlation)
    curve = map_of_network(network, [0.0], np.random.default_rng(0)).curves[0]
    assert curve.verdict is not None
    assert curve.verdict.outcome.value == outcome
    assert (curve.peak_batch is not None) or outcome == "no"


def test_surge_vanishes_where_the_bisection_says() -> None:
    """Another route: just below the solved epsilon there is a surge, just above there is none."""
    network = DimensionlessNetwork(0.05, 20.0)
    rng = np.random.default_rng(0)
    coarse = map_of_network(network, [0.01, 0.05, 0.2, 1.0], rng)
    assert coarse.vanishes_between == (0.05, 0.2)
    end = vanishing_epsilon(network, 0.05, 0.2, margin=0.1)
    outcomes = [
        curve.verdict.outcome.value
        for curve in map_of_network(network, [0.99 * end, 1.01 * end], rng).curves
        if curve.verdict is not None
    ]
    assert outcomes == ["yes", "no"]
    with pytest.raises(InputError, match="no surge ends"):
        vanishing_epsilon(network, 1.0, 2.0, margin=0.1)


def test_stronger_correlation_ends_the_surge_at_a_smaller_epsilon() -> None:
    """Planted: the order of the ends follows the noise correlation."""
    ends = [
        vanishing_epsilon(DimensionlessNetwork(0.05, 20.0, r), 1e-3, 1.0, 0.1) for r in (1, 3, 10)
    ]
    assert ends[0] > ends[1] > ends[2]


def test_indefinite_curvature_is_no_number() -> None:
    """Closed form: noise anticorrelated along H, with little signal, has no minimum at small B."""
    network = DimensionlessNetwork(0.001, 0.01, 0.0)
    rates = network.learning_rates([1.0], 100.0)
    assert np.isnan(rates[0]) or rates[0] > 0
    with pytest.raises(InputError, match="no minimum along this direction"):
        DimensionlessNetwork(0.05, -1.0)


def test_measured_curves_pass_through_the_measured_cells() -> None:
    """Closed form: at measured batch sizes the ratio is eta1 over eta1 at the largest."""
    grid = surface((0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, inf))
    epsilon = float(grid.epsilons[3])
    found = map_of_surface(grid, "correlated", [epsilon], np.random.default_rng(0))
    curve = found.curves[0]
    for batch in found.measured_batches:
        place = int(np.flatnonzero(curve.batch_sizes == batch)[0])
        expected = (
            grid.eta1(batch, epsilon, "correlated").step.learning_rate.value
            / grid.eta1(1024.0, epsilon, "correlated").step.learning_rate.value
        )
        assert curve.ratio[place] == pytest.approx(expected, rel=1e-12)
    assert len(np.unique(curve.batch_sizes)) == len(curve.batch_sizes)
    assert np.all(np.diff(curve.batch_sizes) > 0)


def test_two_batch_sizes_give_no_verdict() -> None:
    """Closed form: a verdict takes three batch sizes."""
    with pytest.raises(InputError, match="at least 3"):
        map_of_surface(surface((0.1,), (1.0, 4.0)), "correlated", [0.1], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("signal", "ratio", "correlation", "spread"),
    [
        (0.0, 1.0, 1.0, "uniform"),
        (0.1, 0.0, 1.0, "uniform"),
        (0.1, 1.0, -1.0, "uniform"),
        (0.1, 1.0, 1.0, "lumpy"),
    ],
)
def test_bad_networks_are_refused(
    signal: float, ratio: float, correlation: float, spread: Spread
) -> None:
    """Closed form: signal, curvature and correlation have a sign; spreads have names."""
    with pytest.raises(InputError):
        DimensionlessNetwork(signal, ratio, correlation, spread)
