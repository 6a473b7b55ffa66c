"""Noise closures that rest on moments, on problems where everything is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory import curvature
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.law import optimal_step
from scaling_theory.moments import softsign_moments
from scaling_theory.noise import CLOSURES, correlated, gaussian_simulated, independent
from scaling_theory.statistics import GradientStatistics
from scaling_theory.updates import UPDATE_RULES
from tests.theory.dense_problem import problem

ALIGNED = problem(alignment=0.4)
APART = problem(alignment=0.0)
CELLS = [(b, e) for b in (1, 4, 64) for e in (0.0, 0.3, 30.0)]


@pytest.mark.parametrize(("batch", "epsilon"), CELLS)
@pytest.mark.parametrize("micro_batch", [1, 4])
@pytest.mark.parametrize("variant", ["exact", "mean_field_one"])
def test_formulas_with_dense_matrices(
    batch: int, epsilon: float, micro_batch: int, variant: str
) -> None:
    """Rung: closed form, both sums written with dense H and Sigma; probes and deviations exact.

    The mean field has residuals below 0 at large epsilon: they count with their sign.
    """
    statistics = ALIGNED.statistics(micro_batch=micro_batch)
    hessian, sigma = ALIGNED.hessian, np.sqrt(statistics.variance)
    moments = softsign_moments(ALIGNED.gradient, sigma / math.sqrt(batch), epsilon, variant)
    mean, gain = moments.mean, moments.gain
    signal = mean @ hessian @ mean
    linear = np.trace(hessian @ (gain[:, None] * ALIGNED.covariance * gain)) / batch
    rest = np.diag(hessian) @ (moments.variance - gain**2 * statistics.variance / batch)
    expected = {
        "independent": np.diag(hessian) @ moments.variance,
        "correlated": linear + rest,
    }
    for name, noise in expected.items():
        found = CLOSURES[name](
            statistics,
            batch,
            epsilon,
            ALIGNED.form,
            variant=variant,
            probes=ALIGNED.unit_probes,
        )
        # Sums of a few dozen products of order one.
        assert found.signal.value == pytest.approx(signal, rel=1e-11)
        assert found.noise.value == pytest.approx(noise, rel=1e-9)
        assert found.total.value == pytest.approx(signal + noise, rel=1e-9)
        assert found.descent.value == pytest.approx(mean @ ALIGNED.gradient, rel=1e-12)
        assert (found.closure, found.variant) == (name, variant)
        assert found.signal.standard_error == 0 and found.noise.standard_error > 0


@pytest.mark.parametrize(("batch", "epsilon"), CELLS)
def test_independent_noise_is_exact(batch: int, epsilon: float) -> None:
    """Rung: Monte Carlo. Diagonal Sigma: both closures are the truth, 4 standard errors."""
    totals, descents = APART.simulated(batch, epsilon, 200_000, np.random.default_rng(3))
    error = totals.std() / math.sqrt(totals.size)
    for closure in (independent, correlated):
        found = closure(APART.statistics(), batch, epsilon, APART.form, probes=APART.unit_probes)
        assert abs(found.total.value - totals.mean()) < 4 * error
        assert abs(found.descent.value - descents.mean()) < 4 * descents.std() / 447
    # Negative control: the noise of a batch 3 % larger is more than 4 errors away at B = 1.
    if batch == 1 and epsilon > 0:
        planted = independent(
            APART.statistics(), 1.03, epsilon, APART.form, probes=APART.unit_probes
        )
        assert abs(planted.total.value - totals.mean()) > 4 * error


@pytest.mark.parametrize(("batch", "epsilon"), CELLS)
def test_correlated_noise(batch: int, epsilon: float) -> None:
    """Rung: Monte Carlo. Correlated Sigma: `correlated` is right where `independent` is not.

    The neglected orders of the correlation (rms 0.16 here) are below 2 % of the total.
    """
    totals, _ = ALIGNED.simulated(batch, epsilon, 200_000, np.random.default_rng(3))
    truth = totals.mean()
    slack = 4 * totals.std() / math.sqrt(totals.size) + 0.02 * truth
    found, alone = (
        closure(ALIGNED.statistics(), batch, epsilon, ALIGNED.form, probes=ALIGNED.unit_probes)
        for closure in (correlated, independent)
    )
    assert abs(found.total.value - truth) < slack
    if batch < 64:
        assert alone.total.value < 0.85 * truth


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_sgd_is_exact_and_large_epsilon_is_sgd(batch: int) -> None:
    """Rung: closed form. g^T H g + Tr(H Sigma) / B, and its limit to relative 1 / epsilon^2."""
    g, hessian = ALIGNED.gradient, ALIGNED.hessian
    truth = g @ hessian @ g + np.trace(hessian @ ALIGNED.covariance) / batch
    statistics, probes = ALIGNED.statistics(), ALIGNED.unit_probes
    sgd = correlated(statistics, batch, 0.0, ALIGNED.form, rule=UPDATE_RULES["sgd"], probes=probes)
    assert sgd.total.value == pytest.approx(truth, rel=1e-12)
    assert sgd.descent.value == pytest.approx(g @ g, rel=1e-12)
    soft = correlated(statistics, batch, 1e4, ALIGNED.form, probes=probes)
    assert soft.total.value * 1e8 == pytest.approx(truth, rel=1e-6)
    rate = optimal_step(soft.descent, soft.total).learning_rate.value / 1e4
    assert rate == pytest.approx(g @ g / truth, rel=1e-6)


def test_sign_rule_ignores_epsilon() -> None:
    """Rung: closed form. SignSGD is softsign at epsilon = 0, whatever epsilon says."""
    statistics, probes = ALIGNED.statistics(), ALIGNED.unit_probes
    sign = correlated(statistics, 4, 7.0, ALIGNED.form, rule=UPDATE_RULES["signsgd"], probes=probes)
    soft = correlated(statistics, 4, 0.0, ALIGNED.form, probes=probes)
    assert sign.total == soft.total


@pytest.mark.parametrize("closure", [independent, correlated, gaussian_simulated])
def test_coordinates_without_noise_or_gradient(closure: object) -> None:
    """Rung: closed form. Never-used coordinates change nothing, whatever their curvature."""
    assert callable(closure)
    size, idle = ALIGNED.gradient.size, 5
    padded = np.pad(ALIGNED.hessian, (0, idle))
    padded[size:, size:] = 100 * np.eye(idle)
    before = ALIGNED.statistics()
    after = GradientStatistics(
        np.pad(before.gradient, (0, idle)),
        np.pad(before.variance, (0, idle)),
        np.pad(before.deviations, ((0, 0), (0, idle))),
        1,
        before.sequences,
    )
    for epsilon in (0.0, 0.3):
        simulated = closure is gaussian_simulated
        normal = np.random.default_rng(0).standard_normal((40, size))
        short, long = (
            (normal, normal)
            if simulated
            else (ALIGNED.unit_probes, np.pad(ALIGNED.unit_probes, ((0, 0), (0, idle))))
        )
        alone = closure(before, 4, epsilon, ALIGNED.form, probes=short)
        together = closure(
            after, 4, epsilon, lambda v: np.einsum("ni,ij,nj->n", v, padded, v), probes=long
        )
        assert together.total.value == pytest.approx(alone.total.value, rel=1e-12)
        assert together.descent.value == pytest.approx(alone.descent.value, rel=1e-12)


def test_standard_errors_are_honest() -> None:
    """Rung: recovery of planted parameters: 400 repetitions with 32 random deviations and signs.

    The root mean square of error / standard error is 1 up to 1/sqrt(800) = 3.5 % per standard
    deviation; 4 of those, and 3 % for the error of an error from 32 samples.
    """
    rng = np.random.default_rng(9)
    truth = correlated(
        ALIGNED.statistics(), 4, 0.3, ALIGNED.form, probes=ALIGNED.unit_probes
    ).noise.value
    scores = []
    for _ in range(400):
        statistics = ALIGNED.statistics(ALIGNED.noise(32, rng) / math.sqrt(2), micro_batch=2)
        found = correlated(statistics, 4, 0.3, ALIGNED.form, rng=rng)
        scores.append((found.noise.value - truth) / found.noise.standard_error)
        assert found.noise.samples == found.total.samples == 32
    assert math.sqrt(np.mean(np.square(scores))) == pytest.approx(1, abs=0.17)
    assert abs(np.mean(scores)) < 4 / 20 + 0.1  # a ratio with its own error leans a little


def test_float32_statistics() -> None:
    """Rung: brute force, the float64 result; storing in float32 costs 1e-7 per entry."""
    exact = ALIGNED.statistics()
    single = GradientStatistics(
        exact.gradient.astype(np.float32),
        exact.variance.astype(np.float32),
        exact.deviations.astype(np.float32),
        1,
        exact.sequences,
    )
    left, right = (
        correlated(s, 4, 0.3, ALIGNED.form, probes=ALIGNED.unit_probes).total.value
        for s in (exact, single)
    )
    assert left == pytest.approx(right, rel=2e-6) and left != right


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung: brute force. Directions handed over one by one, or all at once."""
    results: list[list[Estimate]] = []
    longest: list[int] = []

    def form(directions: np.ndarray) -> np.ndarray:
        longest[-1] = max(longest[-1], len(directions))
        return ALIGNED.form(directions)

    for block in (1 << 22, 12):
        monkeypatch.setattr(curvature, "_BLOCK", block)
        longest.append(0)
        results.append(
            [
                closure(ALIGNED.statistics(), 4, 0.3, form, rng=np.random.default_rng(1)).total
                for closure in (independent, correlated)
            ]
        )
    assert longest == [32, 1]
    for whole, piecewise in zip(*results, strict=True):
        assert whole.value == pytest.approx(piecewise.value, rel=1e-13)
    monkeypatch.setattr(curvature, "_BLOCK", 31 * 7)
    assert list(curvature.blocks(32, 7)) == [(0, 16), (16, 32)]
    assert list(curvature.blocks(0, 7)) == []


def test_wrong_input() -> None:
    """Rung: closed form. One line that says what came and what was wanted."""
    statistics = ALIGNED.statistics()
    with pytest.raises(InputError, match="neither rng nor probes came"):
        independent(statistics, 4, 0.3, ALIGNED.form)
    with pytest.raises(InputError, match=r"probes came with shape \(3, 5\)"):
        independent(statistics, 4, 0.3, ALIGNED.form, probes=np.ones((3, 5)))
    with pytest.raises(InputError, match="batch size 0 came"):
        correlated(statistics, 0, 0.3, ALIGNED.form, probes=ALIGNED.unit_probes)
    with pytest.raises(InputError, match=r"epsilon holds -0\.3"):
        correlated(statistics, 4, -0.3, ALIGNED.form, probes=ALIGNED.unit_probes)
    with pytest.raises(InputError, match="one finite number per direction"):
        correlated(statistics, 4, 0.3, lambda v: v, probes=ALIGNED.unit_probes)
    with pytest.raises(InputError, match="one finite number per direction"):
        correlated(statistics, 4, 0.3, lambda v: v[:, 0] * np.nan, probes=ALIGNED.unit_probes)
