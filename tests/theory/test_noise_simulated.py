"""Noise closures that simulate batches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.noise import gaussian_simulated, resampled
from scaling_theory.statistics import GradientStatistics
from tests.theory.dense_problem import DenseProblem, problem

ALIGNED = problem(alignment=0.4)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 30.0])
@pytest.mark.parametrize("batch", [1, 16])
def test_gaussian_batches_are_the_truth(batch: int, epsilon: float) -> None:
    """Rung: Monte Carlo by another route: exact deviations give exactly N(g, Sigma / B).

    4 combined standard errors of the draws; a batch size 10 % off is seen at B = 1.
    """
    totals, descents = ALIGNED.simulated(batch, epsilon, 100_000, np.random.default_rng(4))
    statistics = ALIGNED.statistics()
    normal = np.random.default_rng(5).standard_normal((20_000, 12))
    found = gaussian_simulated(statistics, batch, epsilon, ALIGNED.form, probes=normal)
    error = totals.std() * math.sqrt(1 / 100_000 + 1 / 20_000)
    assert abs(found.total.value - totals.mean()) < 4 * error
    assert abs(found.descent.value - descents.mean()) < 4 * descents.std() / math.sqrt(1e5)
    assert found.signal.value + found.noise.value == pytest.approx(found.total.value)
    planted = gaussian_simulated(statistics, 1.1 * batch, epsilon, ALIGNED.form, probes=normal)
    if batch == 1 and epsilon > 0:
        assert abs(planted.total.value - totals.mean()) > 4 * error


def test_strongly_correlated_sign_is_the_arcsine_law() -> None:
    """Rung: closed form. g = 0, sign: E[u^T H u] = 2/pi Tr(H arcsin R), at rms correlation 0.7.

    First order in the correlation is 10 % low here; the 4 standard errors allowed are 2.8 %.
    """
    rng = np.random.default_rng(6)
    vector = rng.uniform(0.7, 1.0, 12)
    covariance = np.outer(vector, vector) + np.diag(1 - vector**2)
    root = np.array(np.linalg.cholesky(covariance), dtype=np.float64)
    strong = DenseProblem(np.zeros(12), covariance + 0.1 * np.eye(12), root)
    truth = 2 / math.pi * np.trace(strong.hessian @ np.arcsin(covariance))
    found = gaussian_simulated(strong.statistics(), 4, 0.0, strong.form, rng=rng, draws=20_000)
    # The spread of u^T H u is 0.6 of its mean here; the deviations are exact and add no error.
    draws_only = found.total.value / math.sqrt(20_000)
    assert abs(found.total.value - truth) < 4 * draws_only
    first_order = 2 / math.pi * np.trace(strong.hessian @ covariance) + (
        1 - 2 / math.pi
    ) * np.trace(strong.hessian)
    assert abs(first_order - truth) > 4 * draws_only


def test_standard_errors_include_the_deviations() -> None:
    """Rung: recovery of planted parameters: 300 repetitions with 24 random deviations each.

    error / standard error has root mean square 1, known to 4 %; the number of deviations enters
    to first order only and the error has an error itself: 0.75 to 1.25.
    """
    rng = np.random.default_rng(10)
    totals, _ = ALIGNED.simulated(4, 0.3, 400_000, rng)
    scores, narrow = [], []
    for _ in range(300):
        statistics = ALIGNED.statistics(ALIGNED.noise(24, rng))
        found = gaussian_simulated(statistics, 4, 0.3, ALIGNED.form, rng=rng, draws=400)
        miss = found.total.value - totals.mean()
        scores.append(miss / found.total.standard_error)
        narrow.append(miss / (totals.std() / math.sqrt(400)))
    assert 0.75 < math.sqrt(np.mean(np.square(scores))) < 1.25
    # Negative control: the error of the draws alone is far too small.
    assert math.sqrt(np.mean(np.square(narrow))) > 1.5


def test_parts_and_their_jackknife_errors() -> None:
    """Rung: recovery of planted parameters: 300 repetitions of 200 draws, exact deviations.

    Signal and noise are unbiased (4 standard errors of their mean over repetitions), and the
    jackknife from 16 groups finds their spread within 25 % (its own error is 18 % per run, the
    mean over runs leaves the bias).
    """
    rng = np.random.default_rng(12)
    statistics = ALIGNED.statistics()
    x = ALIGNED.gradient + ALIGNED.noise(400_000, rng) / 2
    u = x / np.hypot(x, 0.3)
    mean = u.mean(axis=0)
    truth = {"signal": mean @ ALIGNED.hessian @ mean}
    truth["noise"] = float(ALIGNED.form(u).mean()) - truth["signal"]
    deviations = np.random.default_rng(1).standard_normal((300, 200, 12))
    found = [
        gaussian_simulated(statistics, 4, 0.3, ALIGNED.form, probes=normal) for normal in deviations
    ]
    finite = math.sqrt(
        np.mean([f.total.standard_error**2 for f in found]) - ALIGNED.form(u).var() / 200
    )
    for name, value in truth.items():
        values = np.array([getattr(f, name).value for f in found])
        assert abs(values.mean() - value) < 4 * values.std() / math.sqrt(300) + 1e-3 * value
        squares = np.mean([getattr(f, name).standard_error ** 2 for f in found])
        # The exact deviations carry no error, yet the noise is charged with their spread.
        squares -= finite**2 if name == "noise" else 0
        assert math.sqrt(squares) == pytest.approx(values.std(), rel=0.25)


def heavy_tailed(count: int) -> GradientStatistics:
    """Per-sequence deviations: one sequence in ten carries all the noise; kurtosis 30, P = 12."""
    rng = np.random.default_rng(13)
    rows = ALIGNED.noise(count, rng) * np.where(rng.random((count, 1)) < 0.1, math.sqrt(10), 0)
    return GradientStatistics(ALIGNED.gradient, rows.var(axis=0), rows, 1, count)


def test_single_sequences_resampled_are_an_enumeration() -> None:
    """Rung: brute force. B = 1 and as many draws as deviations: the mean over the deviations."""
    statistics = heavy_tailed(500)
    x = statistics.gradient + statistics.deviations
    u = x / np.hypot(x, 0.3)
    found = resampled(statistics, 1, 0.3, ALIGNED.form, rng=np.random.default_rng(0), draws=10_000)
    assert found.total.value == pytest.approx(ALIGNED.form(u).mean(), rel=1e-12)
    assert found.descent.value == pytest.approx((u @ ALIGNED.gradient).mean(), rel=1e-12)
    assert found.total.samples == 500 and found.variant == "none"
    # sum_m u_m^T H u_m minus M ubar^T H ubar, over M - 1: the sample covariance.
    sample = np.trace(ALIGNED.hessian @ np.cov(u.T))
    assert found.noise.value == pytest.approx(sample, rel=1e-10)
    # A Gaussian of the same covariance is another thing: more than 4 standard errors apart.
    gaussian = gaussian_simulated(
        statistics, 1, 0.3, ALIGNED.form, rng=np.random.default_rng(1), draws=4000
    )
    assert abs(gaussian.total.value - found.total.value) > 4 * found.total.standard_error


@pytest.mark.parametrize("batch", [2, 3])
def test_resampled_batches_are_unbiased(batch: int) -> None:
    """Rung: brute force: all batches from the same long list of sequences, drawn independently.

    300 disjoint batches against 200,000 from the population, 4 combined standard errors.
    """
    population = heavy_tailed(200_000).deviations
    rng = np.random.default_rng(14)
    x = ALIGNED.gradient + population[rng.integers(0, 200_000, (100_000, batch))].mean(axis=1)
    u = x / np.hypot(x, 0.3)
    totals, descents = ALIGNED.form(u), u @ ALIGNED.gradient
    few = population[: 300 * batch + 1]
    statistics = GradientStatistics(ALIGNED.gradient, few.var(axis=0), few, 1, 200_000)
    found = resampled(statistics, batch, 0.3, ALIGNED.form, rng=rng, draws=1000)
    assert found.total.samples == 300
    assert abs(found.total.value - totals.mean()) < 4 * found.total.standard_error
    assert abs(found.descent.value - descents.mean()) < 4 * found.descent.standard_error
    assert found.covariance == pytest.approx(
        np.cov(totals, descents)[0, 1] / 300, abs=0.3 * totals.std() * descents.std() / 300
    )


def test_wrong_input() -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    rng = np.random.default_rng(0)
    coarse = ALIGNED.statistics(ALIGNED.noise(64, rng) / 2, micro_batch=4)
    with pytest.raises(InputError, match="deviations of 4 sequences"):
        resampled(coarse, 1, 0.3, ALIGNED.form, rng=rng)
    fine = ALIGNED.statistics(ALIGNED.noise(20, rng))
    with pytest.raises(InputError, match=r"batch size 1\.5"):
        resampled(fine, 1.5, 0.3, ALIGNED.form, rng=rng)
    with pytest.raises(InputError, match="20 deviations make 6 batches of 3"):
        resampled(fine, 3, 0.3, ALIGNED.form, rng=rng)
    with pytest.raises(InputError, match="batch size 0"):
        resampled(fine, 0, 0.3, ALIGNED.form, rng=rng)
    with pytest.raises(InputError, match="neither rng nor probes"):
        resampled(fine, 1, 0.3, ALIGNED.form)
    with pytest.raises(InputError, match="1 simulated batch came"):
        gaussian_simulated(fine, 1, 0.3, ALIGNED.form, rng=rng, draws=1)
