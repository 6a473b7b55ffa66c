"""Estimates: means, sums and ratios with their standard errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.estimate import (
    Estimate,
    exact_estimate,
    mean_covariance,
    mean_estimate,
    paired_ratio_estimate,
    ratio_estimate,
    scaled_estimate,
    sum_estimate,
)


def test_mean_of_known_numbers() -> None:
    """Rung: closed form. 1, 2, 3, 4: mean 2.5, sample variance 5/3, error sqrt(5/12)."""
    found = mean_estimate([1, 2, 3, 4])
    assert found.value == 2.5 and found.samples == 4
    assert found.standard_error == pytest.approx(math.sqrt(5 / 12))
    assert found.interval(2) == pytest.approx((2.5 - math.sqrt(5 / 3), 2.5 + math.sqrt(5 / 3)))


def test_sums_and_factors() -> None:
    """Rung: closed form. Errors add in quadrature, exact terms count no samples."""
    total = sum_estimate((Estimate(1, 3, 10), Estimate(2, 4, 7), exact_estimate(5)))
    assert total == Estimate(8, 5, 7)
    assert scaled_estimate(total, -2) == Estimate(-16, 10, 7)
    assert sum_estimate((exact_estimate(1), exact_estimate(2))).samples == 0


def test_errors_cover_the_truth() -> None:
    """Rung: recovery of planted parameters. 2000 repetitions of a mean and of a paired ratio.

    A 95 % interval misses 100 of 2000 times, give or take 4 sqrt(2000 * .05 * .95) = 39. With
    60 samples each the t distribution and the curvature of the ratio add less than 12 more.
    """
    rng = np.random.default_rng(2)
    missed_mean = missed_ratio = missed_unpaired = 0
    for _ in range(2000):
        common = rng.standard_normal(60)
        top = 3 + common + 0.3 * rng.standard_normal(60)
        bottom = 2 + 0.5 * common + 0.1 * rng.standard_normal(60)
        low, high = mean_estimate(top).interval()
        missed_mean += not low < 3 < high
        low, high = paired_ratio_estimate(top, bottom).interval()
        missed_ratio += not low < 1.5 < high
        low, high = ratio_estimate(mean_estimate(top), mean_estimate(bottom)).interval()
        missed_unpaired += not low < 1.5 < high
    assert abs(missed_mean - 100) < 51 and abs(missed_ratio - 100) < 51
    # Negative control: ignoring that top and bottom share their noise covers far too much.
    assert missed_unpaired < 49


def test_covariance_of_means() -> None:
    """Rung: closed form. The covariance of a mean with itself is its squared error."""
    values = np.array([1.0, 4.0, 2.0, 9.0])
    assert mean_covariance(values, values) == pytest.approx(
        mean_estimate(values).standard_error ** 2
    )
    same = mean_estimate(values)
    ratio = ratio_estimate(same, same, mean_covariance(values, values))
    assert ratio.value == 1 and ratio.standard_error < 1e-8  # sqrt of rounding


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: mean_estimate([1.0]), "at least 2"),
        (lambda: Estimate(math.nan, 0.0, 1), "number and a standard error"),
        (lambda: Estimate(0.0, -1.0, 1), "standard error >= 0"),
        (lambda: ratio_estimate(exact_estimate(1), exact_estimate(0)), "denominator"),
        (lambda: paired_ratio_estimate([1, 2], [1, 2, 3]), "equally long"),
    ],
)
def test_wrong_input(make: object, word: str) -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    assert callable(make)
    with pytest.raises(InputError, match=word):
        make()
