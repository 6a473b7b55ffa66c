"""Gradient statistics of a pool against planted ones."""

import numpy as np
import pytest
import torch

from empirical.measure.statistics import draw_deviations, pool_statistics


def planted(
    sequences: int, signal: float, seed: int, coordinates: int = 50
) -> tuple[torch.Tensor, float]:
    """Gradients with |g|^2 = signal and tr Sigma = 1 of the population; B_simple = 1 / signal."""
    rng = torch.Generator().manual_seed(seed)
    scales = torch.logspace(-1, 0, coordinates, dtype=torch.float64)
    scales /= scales.square().sum().sqrt()
    direction = torch.randn(coordinates, generator=rng, dtype=torch.float64)
    direction *= signal**0.5 / direction.norm()
    noise = torch.randn(sequences, coordinates, generator=rng, dtype=torch.float64)
    return direction + scales * noise, 1 / signal


def test_noise_batch_and_its_error_are_those_of_repetition() -> None:
    """Planted parameters: over 200 pools the mean is right and the error is the spread."""
    found = []
    for seed in range(200):
        gradients, exact = planted(2000, 0.05, seed)
        statistics = pool_statistics(gradients)
        assert statistics.simple_noise_batch is not None
        found.append(statistics.simple_noise_batch)
    values = np.array([each.value for each in found])
    errors = np.array([each.standard_error for each in found])
    # the mean of 200 within 4 of its own standard errors, a 10 % error caught
    assert abs(values.mean() - exact) < 4 * values.std() / 200**0.5
    assert values.std() / 200**0.5 < 0.02 * exact
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)
    covered = np.mean(np.abs(values - exact) < 1.96 * errors)
    assert 0.90 <= covered <= 0.99


def test_no_signal_is_not_identified() -> None:
    """Planted parameters: pure noise gives no noise batch, and says how much more is needed."""
    identified = 0
    for seed in range(50):
        statistics = pool_statistics(planted(200, 1e-12, seed)[0])
        identified += statistics.simple_noise_batch is not None
        if statistics.simple_noise_batch is None:
            assert "not identified" in statistics.noise_status
            assert "more" in statistics.noise_status
            assert not statistics.sufficient
    assert identified <= 7  # one-sided 2.5 %, and some slack


def test_a_small_pool_is_said_to_identify_nothing() -> None:
    """Closed form: 20 B_simple = 400 sequences are wanted, 200 are there."""
    statistics = pool_statistics(planted(200, 0.05, 3)[0])
    assert statistics.simple_noise_batch is not None
    assert not statistics.sufficient
    assert "identifies nothing" in statistics.noise_status


def test_moments_of_the_pool() -> None:
    """Closed form by numpy: mean, variance with divisor N, kurtosis, unused coordinates."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.exponential(size=(500, 3)), np.zeros((500, 1))], axis=1)
    statistics = pool_statistics(torch.from_numpy(values))
    np.testing.assert_allclose(statistics.gradient, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(statistics.variance, values.var(0), rtol=1e-12)
    away = values[:, :3] - values[:, :3].mean(0)
    kurtosis = (away**4).mean(0) / (away**2).mean(0) ** 2 - 3
    assert statistics.excess_kurtosis == pytest.approx(np.sort(kurtosis)[1])
    assert statistics.zero_sigma_fraction == 0.25
    assert statistics.rms_sigma == pytest.approx(values[:, :3].var(0).mean() ** 0.5)


def test_tails_of_a_batch() -> None:
    """Monte Carlo: the excess kurtosis of a mean of B is that of one over B."""
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.exponential(size=(4000, 1)))
    statistics = pool_statistics(values)
    batches = values[torch.from_numpy(rng.integers(4000, size=(100_000, 5)))].mean(1)
    away = batches - batches.mean()
    drawn = float((away**4).mean() / (away**2).mean() ** 2 - 3)
    assert statistics.batch_kurtosis(5) == pytest.approx(drawn, rel=0.2)
    assert not statistics.is_gaussian(1)
    assert statistics.is_gaussian(100)


def test_tiny_gradients_have_finite_kurtosis() -> None:
    """Awkward case: fourth powers below the smallest float32."""
    rng = torch.Generator().manual_seed(0)
    gradients = 1e-15 * torch.randn(300, 4, generator=rng)
    assert abs(pool_statistics(gradients).excess_kurtosis) < 1


def test_deviations_have_the_pool_covariance() -> None:
    """Monte Carlo: mean outer product times b is Sigma, within 4 errors, entry by entry."""
    gradients, _ = planted(400, 0.05, 0, coordinates=4)
    mean = gradients.mean(0)
    rng = torch.Generator().manual_seed(2)
    deviations = draw_deviations(gradients, mean, 20_000, 3, rng)
    outer = 3 * deviations[:, :, None] * deviations[:, None, :]
    error = outer.std(0) / 20_000**0.5
    exact = (gradients - mean).T @ (gradients - mean) / 400
    assert ((outer.mean(0) - exact).abs() < 4 * error).all()
