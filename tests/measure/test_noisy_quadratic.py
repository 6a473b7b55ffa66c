"""The one-step truth and the predictions on quadratics whose answer is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from empirical.measure.effort import Effort
from empirical.measure.line_search import LineSearch, search_line
from empirical.measure.measured_step import settled_steps, softsign_rule
from empirical.measure.measurement import Measurement
from empirical.measure.prediction import Prediction, predictions_of
from empirical.measure.surface_terms import GridEffort, Terms
from empirical.measure.truth import OneStepTruth
from empirical.train.optimizers import softsign
from tests.measure.conftest import measure_rows_of
from tests.measure.plain import quadratic_loss

SIZE, POOL = 40, 4096
EFFORT = Effort(batches=1024, precision=0.01, line_search_batches=128)


@dataclass(frozen=True)
class Known:
    """A noisy quadratic: H; rows, gradient and covariance of its pool, to the last digit."""

    found: Measurement
    hessian: torch.Tensor
    rows: torch.Tensor
    gradient: torch.Tensor
    covariance: torch.Tensor


def measured(
    hessian: torch.Tensor, centres: torch.Tensor, start: torch.Tensor, blocks: int
) -> Measurement:
    options = {"parameters": {"theta": start}, "blocks": blocks, "chunk": 256}
    return measure_rows_of(quadratic_loss(hessian), centres, options)


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
    found = measured(matrix, centres, start, EFFORT.deviations)
    rows = (start - centres) @ matrix
    away = rows - rows.mean(0)
    return Known(found, matrix, rows, rows.mean(0), away.T @ away / POOL)


@pytest.fixture(scope="module", params=[False, True], ids=["independent", "correlated"])
def known(request: pytest.FixtureRequest) -> Known:
    return noisy_quadratic(request.param)


def truth_at(
    known: Known, batch_size: int, epsilon: float, effort: Effort = EFFORT, seed: int = 0
) -> OneStepTruth:
    rules = [softsign_rule(epsilon)]
    return settled_steps(known.found.point, batch_size, rules, effort, seed)[0]


def line_along(found: Measurement, truth: OneStepTruth, effort: Effort = EFFORT) -> LineSearch:
    return search_line(found.point, truth, softsign_rule(truth.epsilon), effort, 0)


def predictions_at(known: Known, batch_size: int, epsilon: float) -> dict[str, Prediction]:
    effort = GridEffort(EFFORT.deviations, EFFORT.probes, EFFORT.subset)
    return predictions_of(Terms(known.found, effort, 0).cell(batch_size, epsilon))


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
    truth, exact = truth_at(known, batch_size, epsilon), sgd_rate(known, batch_size, epsilon)
    assert truth.learning_rate is not None and truth.interval is not None
    assert abs(truth.learning_rate.value - exact) < 4 * truth.learning_rate.standard_error
    assert truth.learning_rate.standard_error < 0.03 * exact
    assert truth.interval[0] < truth.learning_rate.value < truth.interval[1]


def test_single_sequences_by_enumeration(known: Known) -> None:
    """Slow brute force: at B = 1 the expectation is a sum over the pool."""
    for epsilon in (0.0, 0.5):
        update = softsign(known.rows, epsilon)
        bent = (update @ known.hessian * update).sum(1).mean()
        exact = float((update @ known.gradient).mean() / bent)
        rate = truth_at(known, 1, epsilon).learning_rate
        assert rate is not None
        assert abs(rate.value - exact) < 4 * rate.standard_error
        assert abs(1.15 * rate.value - exact) > 4 * rate.standard_error  # negative control


def test_more_batches_are_drawn_until_the_error_is_small(known: Known) -> None:
    """Two routes: with too few batches to begin with, as many are added as the limit asks for."""
    few = Effort(batches=40, precision=0.2, pilot=16)
    sharper = truth_at(known, 8, 1e4, replace(few, largest_error=0.08))
    blunter = truth_at(known, 8, 1e4, replace(few, largest_error=1.0))
    assert len(blunter.batches) == 40 < len(sharper.batches) <= 160
    assert sharper.relative_error < blunter.relative_error
    assert few.error_at(1) == 3 * few.error_at(4)


def test_parts_add_up(known: Known) -> None:
    """Closed form: signal and noise curvature apart, at large epsilon, within 4 errors each."""
    epsilon, batch_size = 1e4, 16
    truth = truth_at(known, batch_size, epsilon)
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
        truth = truth_at(known, batch_size, epsilon, small, seed)
        assert truth.interval is not None
        held += truth.interval[0] <= exact <= truth.interval[1]
    assert held >= 33


@pytest.mark.parametrize("batch_size", [4, 64])
def test_the_correlated_prediction(known: Known, batch_size: int) -> None:
    """Monte Carlo: exact moments with correlated noise give the sign optimum to 10 %.

    The expansion is first order in the correlation, and here that is up to 0.6.
    """
    exact = sign_rate(known, batch_size)
    rate = predictions_at(known, batch_size, 0.0)["correlated"].learning_rate
    measured = truth_at(known, batch_size, 0.0).learning_rate
    assert rate is not None and measured is not None
    assert rate.value == pytest.approx(exact, rel=0.1)
    assert abs(measured.value - exact) < 4 * measured.standard_error + 0.01 * exact


def test_independence_is_wrong_where_noise_follows_curvature() -> None:
    """Negative control: with Sigma like H the independent closure is far too optimistic."""
    known = noisy_quadratic(correlated=True)
    cell = predictions_at(known, 4, 1e4)
    exact = sgd_rate(known, 4, 1e4)
    correlated, independent = cell["correlated"].learning_rate, cell["independent"].learning_rate
    assert correlated is not None and independent is not None
    assert abs(correlated.value - exact) < 4 * correlated.standard_error
    assert independent.value > 1.5 * exact


def test_line_search_finds_the_ratio_on_a_quadratic(known: Known) -> None:
    """Closed form: without higher orders both truths are one number."""
    for batch_size, epsilon in ((4, 0.0), (64, 0.5)):
        truth = truth_at(known, batch_size, epsilon)
        found = line_along(known.found, truth)
        assert truth.learning_rate is not None and found.interval is not None
        assert found.status == "ok"
        assert found.interval[0] < truth.learning_rate.value < found.interval[1]
        assert found.interval[1] / found.interval[0] < 1.4


def test_no_minimum_is_said_not_clamped() -> None:
    """Closed form: a loss that bends down has no eta*, and its searches say so."""
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(64, 3, generator=rng, dtype=torch.float64)
    start = torch.ones(3, dtype=torch.float64)
    found = measured(-torch.eye(3, dtype=torch.float64), centres, start, 16)
    effort = Effort(64)
    truth = settled_steps(found.point, 4, [softsign_rule(0.0)], effort, 0)[0]
    assert truth.learning_rate is None and truth.interval is None
    assert "no minimum" in truth.status
    line = line_along(found, truth, effort)
    assert line.learning_rate is None
    assert "above the search" in line.status
