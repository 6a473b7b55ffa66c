"""The one-step truth and the predictions on landscapes whose answer is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from empirical.measure.curvature import Surroundings, surroundings_of
from empirical.measure.effort import Effort
from empirical.measure.gradients import sequence_gradients
from empirical.measure.line_search import search_line
from empirical.measure.one_step import measure_one_step
from empirical.measure.prediction import gather_statistics, predict_cell
from empirical.measure.statistics import pool_statistics
from empirical.measure.truth import OneStepTruth
from empirical.train.optimizers import softsign
from tests.measure.conftest import quadratic_landscape

SIZE, POOL = 40, 4096
EFFORT = Effort(batches=1024, precision=0.01, line_search_batches=128)


@dataclass(frozen=True)
class Known:
    """A noisy quadratic: H, and the gradient and covariance of its pool, to the last digit."""

    around: Surroundings
    hessian: torch.Tensor
    gradient: torch.Tensor
    covariance: torch.Tensor


def noisy_quadratic(correlated: bool) -> Known:
    """40 coordinates, spectrum over two decades, Gaussian noise; Sigma diagonal or like H."""
    rng = torch.Generator().manual_seed(7)
    basis = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=rng, dtype=torch.float64))[0]
    spectrum = torch.logspace(-2, 0, SIZE, dtype=torch.float64)
    matrix = basis @ torch.diag(spectrum) @ basis.T
    noise = torch.randn(POOL, SIZE, generator=rng, dtype=torch.float64)
    if correlated:
        noise = noise @ basis @ torch.diag(spectrum.sqrt()) @ basis.T
    # g_k = H (theta - c_k) has the wanted noise if c_k = -H^-1 noise
    centres = -noise @ torch.linalg.inv(matrix)
    start = torch.linalg.solve(matrix, 0.2 * torch.randn(SIZE, generator=rng, dtype=torch.float64))
    scape = quadratic_landscape(matrix, centres, start)
    around = surroundings_of(scape, sequence_gradients(scape))
    mean = around.gradients.mean(0)
    away = around.gradients - mean
    return Known(around, matrix, mean, away.T @ away / POOL)


@pytest.fixture(scope="module", params=[False, True], ids=["independent", "correlated"])
def known(request: pytest.FixtureRequest) -> Known:
    return noisy_quadratic(request.param)


def measure(known: Known, batch_size: int, epsilon: float, seed: int = 0) -> OneStepTruth:
    return measure_one_step(known.around, known.gradient, batch_size, [epsilon], EFFORT, seed)[0]


def sgd_rate(known: Known, batch_size: int, epsilon: float) -> float:
    """epsilon g^T g / (g^T H g + Tr(H Sigma) / B): arXiv 1812.06162 at large epsilon."""
    signal = known.gradient @ known.hessian @ known.gradient
    noise = (known.hessian * known.covariance).sum() / batch_size
    return epsilon * float(known.gradient @ known.gradient / (signal + noise))


def sign_rate(known: Known, batch_size: int) -> float:
    """Exact for Gaussian batches: erf means, arcsin covariances at zero mean, g small against s.

    Here by plain simulation with so many Gaussian batches that its own error is 0.3 %.
    """
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(known.covariance.numpy() / batch_size)
    batches = known.gradient.numpy() + rng.standard_normal((200_000, SIZE)) @ root.T
    update = np.sign(batches)
    bent = np.einsum("ni,ij,nj->n", update, known.hessian.numpy(), update)
    return float((update @ known.gradient.numpy()).mean() / bent.mean())


@pytest.mark.parametrize("batch_size", [1, 8, 64, 512])
def test_sgd_limit(known: Known, batch_size: int) -> None:
    """Closed form: the SGD law of the pool, within 4 standard errors; a 10 % error is caught."""
    epsilon = 1e4
    truth, exact = measure(known, batch_size, epsilon), sgd_rate(known, batch_size, epsilon)
    assert truth.learning_rate is not None and truth.interval is not None
    assert abs(truth.learning_rate.value - exact) < 4 * truth.learning_rate.standard_error
    assert truth.learning_rate.standard_error < 0.03 * exact
    assert truth.interval[0] < truth.learning_rate.value < truth.interval[1]


def test_single_sequences_by_enumeration(known: Known) -> None:
    """Slow brute force: at B = 1 the expectation is a sum over the pool."""
    for epsilon in (0.0, 0.5):
        update = softsign(known.around.gradients, epsilon)
        bent = (update @ known.hessian * update).sum(1).mean()
        exact = float((update @ known.gradient).mean() / bent)
        rate = measure(known, 1, epsilon).learning_rate
        assert rate is not None
        assert abs(rate.value - exact) < 4 * rate.standard_error
        assert abs(1.15 * rate.value - exact) > 4 * rate.standard_error  # negative control


def test_more_batches_are_drawn_until_the_error_is_small(known: Known) -> None:
    """Two routes: with too few batches to begin with, as many are added as the limit asks for."""
    few = Effort(batches=40, precision=0.2, pilot=16)
    wanted = replace(few, largest_error=0.08)
    sharper = measure_one_step(known.around, known.gradient, 8, [1e4], wanted, 0)[0]
    blunter = measure_one_step(
        known.around, known.gradient, 8, [1e4], replace(few, largest_error=1.0), 0
    )[0]
    assert len(blunter.batches) == 40 < len(sharper.batches) <= 160
    assert sharper.relative_error < blunter.relative_error
    assert few.error_at(1) == 3 * few.error_at(4)


def test_parts_add_up(known: Known) -> None:
    """Closed form: signal and noise curvature apart, at large epsilon, within 4 errors each."""
    epsilon, batch_size = 1e4, 16
    truth = measure(known, batch_size, epsilon)
    signal = float(known.gradient @ known.hessian @ known.gradient) / epsilon**2
    noise = float((known.hessian * known.covariance).sum()) / batch_size / epsilon**2
    assert abs(truth.signal.value - signal) < 4 * truth.signal.standard_error
    assert abs(truth.noise.value - noise) < 4 * truth.noise.standard_error


def test_interval_covers(known: Known) -> None:
    """Repetition: 95 % intervals of 40 seeds hold the exact value in 33 or more (p < 0.004)."""
    epsilon, batch_size = 1e4, 8
    exact, small = sgd_rate(known, batch_size, epsilon), Effort(128, 0.03, 48)
    held = 0
    for seed in range(40):
        truth = measure_one_step(known.around, known.gradient, batch_size, [epsilon], small, seed)[
            0
        ]
        assert truth.interval is not None
        held += truth.interval[0] <= exact <= truth.interval[1]
    assert held >= 33


@pytest.mark.parametrize("batch_size", [4, 64])
def test_the_correlated_prediction(known: Known, batch_size: int) -> None:
    """Monte Carlo: exact moments with correlated noise give the sign optimum to 10 %.

    The expansion is first order in the correlation, and here that is up to 0.6.
    """
    pool = pool_statistics(known.around.gradients)
    statistics = gather_statistics(known.around, pool, EFFORT, 0)
    exact = sign_rate(known, batch_size)
    cell = predict_cell(known.around, statistics, batch_size, 0.0, ("correlated",), EFFORT, 0)
    rate = cell["correlated"].learning_rate
    measured = measure(known, batch_size, 0.0).learning_rate
    assert rate is not None and measured is not None
    assert rate.value == pytest.approx(exact, rel=0.1)
    assert abs(measured.value - exact) < 4 * measured.standard_error + 0.01 * exact


def test_independence_is_wrong_where_noise_follows_curvature() -> None:
    """Negative control: with Sigma like H the independent closure is far too optimistic."""
    known = noisy_quadratic(correlated=True)
    statistics = gather_statistics(known.around, pool_statistics(known.around.gradients), EFFORT, 0)
    cell = predict_cell(known.around, statistics, 4, 1e4, ("correlated", "independent"), EFFORT, 0)
    exact = sgd_rate(known, 4, 1e4)
    correlated, independent = cell["correlated"].learning_rate, cell["independent"].learning_rate
    assert correlated is not None and independent is not None
    assert abs(correlated.value - exact) < 4 * correlated.standard_error
    assert independent.value > 1.5 * exact


def test_line_search_finds_the_ratio_on_a_quadratic(known: Known) -> None:
    """Closed form: without higher orders both truths are one number."""
    for batch_size, epsilon in ((4, 0.0), (64, 0.5)):
        truth = measure(known, batch_size, epsilon)
        found = search_line(known.around, truth, EFFORT, 0)
        assert truth.learning_rate is not None and found.interval is not None
        assert found.status == "ok"
        assert found.interval[0] < truth.learning_rate.value < found.interval[1]
        assert found.interval[1] / found.interval[0] < 1.4


def test_no_minimum_is_said_not_clamped() -> None:
    """Closed form: a landscape that bends down has no eta*, and its searches say so."""
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(64, 3, generator=rng, dtype=torch.float64)
    scape = quadratic_landscape(
        -torch.eye(3, dtype=torch.float64), centres, torch.ones(3, dtype=torch.float64)
    )
    around = surroundings_of(scape, sequence_gradients(scape))
    gradient = around.gradients.mean(0)
    truth = measure_one_step(around, gradient, 4, [0.0], Effort(64), 0)[0]
    assert truth.learning_rate is None and truth.interval is None
    assert "no minimum" in truth.status
    found = search_line(around, truth, Effort(64), 0)
    assert found.learning_rate is None
    assert "above the search" in found.status
