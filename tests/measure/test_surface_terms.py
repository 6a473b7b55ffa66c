"""The (B, epsilon) surface of any problem against the noise closures with dense matrices."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from empirical.errors import UsageError
from empirical.measure.measurement import Measurement, measure
from empirical.measure.saving import save
from empirical.measure.surface_terms import GridEffort, measure_grid
from empirical.statistics_files import read_statistics, read_vectors
from scaling_theory.statistics import GradientStatistics
from scaling_theory.surface import SurfaceStatistics
from scaling_theory.surface_grid import measure_surface
from tests.measure.plain import quadratic_loss

BATCHES, SIZE = (1.0, 8.0, 64.0), 14


def problem(diagonal: bool) -> tuple[Measurement, NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((SIZE, SIZE))
    hessian = factor @ factor.T / SIZE + 0.3 * np.eye(SIZE)
    if diagonal:
        hessian = np.diag(np.diag(hessian))
    centres = torch.from_numpy(rng.standard_normal((80, SIZE)) * np.logspace(-1, 0.3, SIZE))
    theta = torch.from_numpy(0.3 * rng.standard_normal(SIZE))
    loss = quadratic_loss(torch.from_numpy(hessian))
    return measure(loss, centres, parameters={"theta": theta}, blocks=20), hessian


def both(diagonal: bool) -> tuple[SurfaceStatistics, SurfaceStatistics]:
    """As measured on the problem, and by the closures with the dense Hessian."""
    found, hessian = problem(diagonal)
    sigma = found.whole.rms_sigma
    epsilons = [0.0, 0.1 * sigma, sigma, inf]
    ours = measure_grid(found, BATCHES, epsilons, effort=GridEffort(20, 100, 3))
    statistics = GradientStatistics(
        found.gradient.numpy(), found.variance.numpy(), found.deviations.numpy(), 4, 80
    )
    probes = np.sqrt(SIZE) * np.eye(SIZE)  # the trace itself
    dense = measure_surface(
        statistics,
        BATCHES,
        epsilons,
        lambda rows: np.einsum("np,pq,nq->n", rows, hessian, rows),
        probes,
    )
    return ours, dense


def test_every_term_with_a_diagonal_hessian() -> None:
    """Dense algebra by another route: random signs are exact for a diagonal Hessian."""
    ours, dense = both(diagonal=True)
    for name in ("descent", "signal", "noise_correlated", "noise_independent"):
        mine, exact = getattr(ours, name).value, getattr(dense, name).value
        # bulk moments are good to 1e-6 of a variance of order 1, second differences to 1e-6
        np.testing.assert_allclose(mine, exact, rtol=2e-5, atol=2e-5, err_msg=name)
        assert not np.allclose(mine, 1.01 * exact, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(ours.rms_gradient, dense.rms_gradient, rtol=1e-12)
    np.testing.assert_allclose(ours.rms_sigma, dense.rms_sigma, rtol=1e-12)


def test_random_signs_within_their_errors() -> None:
    """Monte Carlo against the trace: within 4.5 standard errors in all cells, few of them large."""
    ours, dense = both(diagonal=False)
    np.testing.assert_allclose(ours.signal.value, dense.signal.value, rtol=2e-5)
    away = ours.noise_independent.value - dense.noise_independent.value
    error = ours.noise_independent.standard_error
    assert (np.abs(away) < 4.5 * error).all()
    assert (error < 0.2 * dense.noise_independent.value).all()


def test_saved_and_read_again(tmp_path: Path) -> None:
    """Closed form: what is written is what was measured, vectors and groups included."""
    found, _ = problem(diagonal=False)
    place = tmp_path / "statistics"
    effort = GridEffort(6, 4, 4)
    saved = save(
        found, place, batch_sizes=(2, 8), epsilon_ratios=(0.1, inf), effort=effort,
        provenance={"model": "quadratic"},
    )  # fmt: skip
    read = read_statistics(place)
    assert read.scalars == saved.scalars
    np.testing.assert_array_equal(read.surface.descent.value, saved.surface.descent.value)
    assert read.provenance["model"] == "quadratic"
    group = read.provenance["groups"]["all"]
    simple = found.whole.simple
    assert group["noise_scale_simple"]["status"] == simple.status
    assert group["noise_scale_simple"]["interval"] == [simple.interval[0], "inf"]
    vectors = read_vectors(place)
    np.testing.assert_array_equal(vectors.gradient, found.gradient.numpy())
    np.testing.assert_allclose(vectors.sigma**2, found.variance.numpy(), rtol=1e-12)
    prediction = read.surface.eta1(4, 0.1 * found.whole.rms_sigma, "correlated")
    assert prediction.step.learning_rate.value > 0
    with pytest.raises(UsageError, match="already holds"):
        save(found, place, batch_sizes=(2,), epsilon_ratios=(0.1,), effort=effort)


def test_empty_grids_are_refused() -> None:
    """Closed form: wrong axes and efforts."""
    found, _ = problem(diagonal=True)
    for batches, epsilons, effort in (
        ([], [0.1], GridEffort()),
        ([0], [0.1], GridEffort()),
        ([1], [-0.1], GridEffort()),
        ([1], [0.1], GridEffort(probes=1)),
    ):
        with pytest.raises(UsageError, match="wanted"):
            measure_grid(found, batches, epsilons, effort=effort)
