"""Whether a pool is large enough, and what its tails are, against planted ones."""

import numpy as np
import pytest
import torch

from empirical.measure.measurement import Measurement, measure
from empirical.measure.noise_report import pool_status
from tests.measure.plain import linear_loss


def measured(rows: torch.Tensor, seed: int = 0) -> Measurement:
    """A pool whose sample gradients are these rows, [N, P]."""
    parameters = {"theta": torch.zeros(rows.shape[1], dtype=rows.dtype)}
    return measure(
        linear_loss, rows, parameters=parameters, curvature="none", micro_batch=1, seed=seed
    )


def planted(sequences: int, signal: float, seed: int) -> tuple[torch.Tensor, float]:
    """Gradients with |g|^2 = signal and tr Sigma = 1 of the population; B_simple = 1 / signal."""
    rng = torch.Generator().manual_seed(seed)
    scales = torch.logspace(-1, 0, 50, dtype=torch.float64)
    scales /= scales.square().sum().sqrt()
    direction = torch.randn(50, generator=rng, dtype=torch.float64)
    direction *= signal**0.5 / direction.norm()
    noise = torch.randn(sequences, 50, generator=rng, dtype=torch.float64)
    return direction + scales * noise, 1 / signal


def test_noise_batch_and_its_error_are_those_of_repetition() -> None:
    """Planted parameters: over 60 pools the mean is right and the error is the spread."""
    found = []
    for seed in range(60):
        rows, exact = planted(400, 0.1, seed)
        simple = measured(rows, seed).whole.simple.estimate
        assert simple is not None
        found.append(simple)
    values = np.array([each.value for each in found])
    errors = np.array([each.standard_error for each in found])
    # the mean of 60 within 4 of its own standard errors, a 10 % error caught
    assert abs(values.mean() - exact) < 4 * values.std() / 60**0.5
    assert 4 * values.std() / 60**0.5 < 0.1 * exact
    # the spread of 60 is known to 9 %
    assert errors.mean() == pytest.approx(values.std(), rel=0.3)


def test_a_small_pool_is_said_to_identify_nothing() -> None:
    """Closed form: 20 B_simple = 400 sequences are wanted; 200 and 2,000 are there."""
    small, large = (measured(planted(count, 0.05, 3)[0]).whole for count in (200, 2000))
    assert small.simple.estimate is not None and small.simple.status == "ok"
    assert "identifies nothing" in pool_status(small)
    more = int(pool_status(small).split("add ")[1].split()[0])
    assert more == round(20 * small.simple.estimate.value) - 200
    assert pool_status(large) == "ok"


def test_no_signal_is_not_identified() -> None:
    """Planted parameters: pure noise has no noise batch, and the pool says so."""
    whole = measured(planted(200, 1e-12, 1)[0]).whole
    assert whole.simple.estimate is None
    assert "not identified" in pool_status(whole) and "more" in pool_status(whole)


def test_tails_by_their_definition() -> None:
    """Closed form by numpy: a median over coordinates, without those that no sample touches."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.exponential(size=(500, 3)), np.zeros((500, 1))], axis=1)
    found = measured(torch.from_numpy(values))
    away = values[:, :3] - values[:, :3].mean(0)
    plain = (away**4).mean(0) / (away**2).mean(0) ** 2 - 3
    # (M - 1) ((M + 1) k + 6) / ((M - 2) (M - 3)): a correction of 8 in 500
    exact = 499 * (501 * np.sort(plain)[1] + 6) / (498 * 497)
    assert found.tails.excess_kurtosis == pytest.approx(exact)
    assert found.tails.coordinates == 3
    assert found.variance[3] == 0
    assert found.whole.rms_sigma == pytest.approx(values[:, :3].var(0, ddof=1).mean() ** 0.5)


def test_tails_of_a_batch() -> None:
    """Monte Carlo: the excess kurtosis of a mean of B is that of one over B."""
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.exponential(size=(4000, 1)))
    tails = measured(values).tails
    batches = values[torch.from_numpy(rng.integers(4000, size=(100_000, 5)))].mean(1)
    away = batches - batches.mean()
    drawn = float((away**4).mean() / (away**2).mean() ** 2 - 3)
    assert tails.at(5) == pytest.approx(drawn, rel=0.2)
    assert not tails.allow(1)
    assert tails.allow(100)


def test_tiny_gradients_have_finite_kurtosis() -> None:
    """Awkward case: fourth powers below the smallest float32."""
    rng = torch.Generator().manual_seed(0)
    tails = measured(1e-15 * torch.randn(300, 4, generator=rng)).tails
    assert tails.known and abs(tails.excess_kurtosis) < 1
