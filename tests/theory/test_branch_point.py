"""A run's best learning rate from the spectra at its start."""

from __future__ import annotations

from dataclasses import replace
from math import inf, log

import numpy as np
import pytest

from scaling_theory.branch_point import BranchPoint, Promise
from scaling_theory.errors import InputError
from scaling_theory.horizon import saturated
from scaling_theory.spectral_measure import SpectralMeasure

SIGNAL = SpectralMeasure(np.array([0.0, 2.0]), np.array([1.0, 3.0]))
NOISE = SpectralMeasure(np.array([0.5, 4.0]), np.array([0.4, 0.2]))
POINT = BranchPoint("softsign", 16, 0.1, 4.0, 6.0, SIGNAL, NOISE)
ONE = np.ones(1)


def best(
    point: BranchPoint, multiples: np.ndarray, depth: float = inf, promise: Promise = "quadratic"
) -> float:
    return float(point.best_learning_rates(multiples, (depth,), promise)[0])


def test_one_step_is_the_one_law() -> None:
    """Identity: at S = 1 the best rate is E[u]'g / E[u'Hu]; 1/16 octave and a parabola: 1e-3."""
    assert POINT.one_step == pytest.approx(4 / (6 + 0.2 + 0.8))
    assert best(POINT, ONE) == pytest.approx(POINT.one_step, rel=1e-3)
    assert best(POINT, ONE / 2) == pytest.approx(2 * POINT.one_step, rel=1e-3)


def test_largest_is_over_both_spectra() -> None:
    """Closed form."""
    assert POINT.largest == 4.0


def test_a_straight_promise_against_noise_has_its_closed_form() -> None:
    """Closed form: at S = 1 and depth inf, eta D - eta^2 N / 2 is best at D / N."""
    found = best(POINT, ONE, inf, "straight")
    assert found == pytest.approx(4.0 / 1.0, rel=1e-3)
    # control: bent promises want less
    assert best(POINT, ONE, 0.5, "straight") < 0.8 * found


def test_a_long_run_stays_below_stability() -> None:
    """Limit: at a constant rate beyond 2 / lambda_max the noise grows without bound."""
    many = np.ones(300)
    assert 0.9 * 2 / POINT.largest < best(POINT, many) < 2 / POINT.largest
    calm = replace(POINT, noise=SpectralMeasure(np.array([0.5]), np.array([1e-9])))
    assert best(POINT, many) < best(calm, many) < 2 / calm.largest


def test_the_optimum_is_that_of_the_loss_drop() -> None:
    """Brute force: a finer grid of the same function, to half of a sixteenth of an octave."""
    multiples = np.linspace(1, 0.1, 9)
    rates = POINT.one_step * np.exp(np.linspace(-3, 3, 20001))
    descent, noise = POINT.promised(rates, multiples)
    finest = rates[int(np.nanargmax(saturated(descent, 0.3) - noise))]
    found = best(POINT, multiples, 0.3)
    assert abs(log(found / finest)) < log(2) / 32


def test_no_curvature_is_refused() -> None:
    """Caller's mistakes."""
    flat = replace(POINT, curvature=-9.0)
    assert flat.one_step == inf
    with pytest.raises(InputError, match="not positive"):
        best(flat, ONE)
    endless = replace(POINT, signal=SpectralMeasure(np.zeros(1), np.ones(1)))
    quiet = replace(endless, noise=SpectralMeasure(np.zeros(1), np.zeros(1)))
    assert np.isnan(best(quiet, np.ones(4)))  # nothing bounds it
