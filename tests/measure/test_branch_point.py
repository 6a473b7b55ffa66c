"""Spectra at a branch point, against dense matrices of a small network's own loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from empirical.measure import measure
from empirical.measure.branch_point import Effort, measure_branch_point
from empirical.measure.measurement import Measurement
from empirical.measure.spectrum import run_spectrum
from scaling_theory.branch_point import RULES, Rule
from tests.measure.plain import quadratic_loss

SIZE, POOL = 12, 96


@pytest.fixture(scope="module")
def found() -> Measurement:
    rng = torch.Generator().manual_seed(0)
    draws = torch.randn(SIZE, SIZE, generator=rng, dtype=torch.float64)
    hessian = draws @ draws.T / SIZE + 0.1 * torch.eye(SIZE, dtype=torch.float64)
    targets = torch.randn(POOL, SIZE, generator=rng, dtype=torch.float64) + 0.3
    theta = {"theta": torch.zeros(SIZE, dtype=torch.float64)}
    measured = measure(
        quadratic_loss(hessian), targets, parameters=theta, curvature="none", micro_batch=1
    )
    measured.point.problem.__dict__["hessian"] = hessian
    return measured


def hessian_of(found: Measurement) -> np.ndarray:
    dense: torch.Tensor = found.point.problem.__dict__["hessian"]
    return dense.numpy()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch_size, epsilon", [(1, 0.0), (8, 0.5), (64, 20.0)])
def test_moments_of_the_signal_are_the_one_step_law(
    found: Measurement, rule: Rule, batch_size: int, epsilon: float
) -> None:
    """Identities: mu A^-1 mu = mu'g and mu'Hu; all samples are used, so that only rounding and
    second differences (1e-4) part them."""
    effort = Effort(steps=SIZE, draws=4, sequences=POOL)
    point = measure_branch_point(found, rule, batch_size, epsilon, effort=effort)
    assert point.signal.moment(0) == pytest.approx(point.descent, rel=1e-6)
    assert point.signal.moment(1) == pytest.approx(point.curvature, rel=1e-3)
    assert point.noise.moment(1) > 0
    assert np.isfinite(point.one_step)


def test_the_noise_is_that_of_the_batch(found: Measurement) -> None:
    """Closed form: for Adam with a large epsilon the noise is Sigma / (B epsilon^2), its curvature
    Tr(H Sigma) / (B epsilon^2); 48 draws of correlated noise know it to sqrt(2 / 48) = 20 %."""
    effort = Effort(steps=SIZE, draws=48, sequences=POOL)
    point = measure_branch_point(found, "adam", 4, 1e3, effort=effort)
    rows = found.deviations.numpy()
    sigma = rows.T @ rows / len(rows) * found.block_size
    wanted = np.trace(hessian_of(found) @ sigma) / 4 / 1e6
    assert point.noise.moment(1) == pytest.approx(wanted, rel=0.4)
    halved = measure_branch_point(found, "adam", 8, 1e3, effort=effort)
    assert halved.noise.moment(1) == pytest.approx(point.noise.moment(1) / 2, rel=1e-3)


def test_the_largest_eigenvalue(found: Measurement) -> None:
    """Brute force: numpy's eigenvalues of A^1/2 H A^1/2; Lanczos over the whole space."""
    gain = torch.linspace(0.5, 2.0, SIZE, dtype=torch.float64)
    rng = torch.Generator().manual_seed(1)
    draws = [torch.randn(SIZE, generator=rng, dtype=torch.float64) for _ in range(2)]
    spectrum = run_spectrum(found.point, gain, draws[0], draws[1:], steps=SIZE)
    root = np.sqrt(gain.numpy())
    exact = np.linalg.eigvalsh(root[:, None] * hessian_of(found) * root)
    assert spectrum.largest == pytest.approx(exact[-1], rel=1e-4)
