"""Gradient statistics: derived numbers and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from scaling_theory.errors import InputError
from scaling_theory.statistics import GradientStatistics

ONE = np.ones(3)


def statistics(
    gradient: NDArray[np.floating] = ONE,
    variance: NDArray[np.floating] = ONE,
    deviations: NDArray[np.floating] | None = None,
    micro_batch: int = 1,
    sequences: int = 10,
) -> GradientStatistics:
    rows = np.zeros((2, 3)) if deviations is None else deviations
    return GradientStatistics(gradient, variance, rows, micro_batch, sequences)


def test_derived_numbers() -> None:
    """Rung: closed form. Coordinates without noise do not count in rms sigma."""
    found = statistics(np.array([3.0, 0.0, 4.0]), np.array([9.0, 0.0, 41.0], dtype=np.float32))
    assert found.rms_sigma == 5.0
    assert found.simple_noise_batch == 2.0
    assert found.noise_scale(4).tolist() == [1.5, 0.0, math.sqrt(41) / 2]
    assert found.noise_scale(4).dtype == np.float64


def test_nothing_there() -> None:
    """Rung: closed form. No noise: rms 0. No gradient: an infinite noise batch, not a crash."""
    assert statistics(variance=np.zeros(3)).rms_sigma == 0
    assert statistics(gradient=np.zeros(3)).simple_noise_batch == math.inf


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"variance": np.ones(4)}, r"shapes \(3,\), \(4,\)"),
        ({"deviations": np.zeros((2, 4))}, r"\[K, P\] are wanted"),
        ({"deviations": np.zeros(3)}, r"\[K, P\] are wanted"),
        ({"gradient": np.array([1.0, np.nan, 0.0])}, "gradient holds NaN"),
        ({"variance": np.array([1.0, -1e-9, 0.0])}, "variance holds -1e-09"),
        ({"micro_batch": 0}, "at least 1"),
        ({"sequences": 0}, "at least 1"),
    ],
)
def test_wrong_input(changes: dict[str, NDArray[np.floating] | int], word: str) -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    with pytest.raises(InputError, match=word):
        statistics(**changes)  # type: ignore[arg-type]  # the table mixes arrays and counts


@pytest.mark.parametrize("batch", [0, -1, math.nan, math.inf])
def test_wrong_batch_size(batch: float) -> None:
    """Rung: closed form."""
    with pytest.raises(InputError, match="finite number above 0 is wanted"):
        statistics().noise_scale(batch)
