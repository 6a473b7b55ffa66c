"""Problems are what they claim to be: spectrum, covariance, scale, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.laboratory import (
    NoisyQuadratic,
    aligned_noise,
    equicorrelated,
    independent_noise,
    log_spaced_spectrum,
    low_rank_noise,
    make_quadratic,
    power_law_spectrum,
)
from tests.laboratory.cases import NOISES, problem


@pytest.mark.parametrize("rotated", [False, True], ids=["axes", "rotated"])
@pytest.mark.parametrize("noise", NOISES)
def test_spectrum_and_noise_scale_are_those_asked_for(noise: str, rotated: bool) -> None:
    """Rung: closed form (eigenvalues, and B_simple = Tr Sigma / |g|^2)."""
    made = problem(noise, rotated=rotated)
    # Eigenvalues of order one in 12 dimensions: a few hundred ulps.
    values = np.linalg.eigvalsh(made.hessian_matrix)
    np.testing.assert_allclose(np.sort(values)[::-1], power_law_spectrum(12, 1.0), atol=1e-13)
    ratio = made.variance.sum() / (made.gradient @ made.gradient)
    assert ratio == pytest.approx(30.0, rel=1e-12)
    assert made.trace == pytest.approx(power_law_spectrum(12, 1.0).sum(), rel=1e-12)


def test_noise_shapes() -> None:
    """Rung: closed form (each covariance against its definition, up to the common scale)."""
    aligned = problem("strongly aligned")
    expected = aligned.hessian_matrix @ aligned.hessian_matrix
    scale = np.trace(aligned.noise_matrix) / np.trace(expected)
    np.testing.assert_allclose(aligned.noise_matrix, scale * expected, atol=1e-12 * scale)
    values = np.linalg.eigvalsh(problem("low rank").noise_matrix)
    np.testing.assert_allclose(values[:10], values[0], rtol=1e-9)
    np.testing.assert_allclose(values[-1] - values[0], values[-2] - values[0], rtol=1e-9)
    # Ten of twelve directions hold only the isotropic 20 %.
    assert 12 * values[0] / values.sum() == pytest.approx(0.2, rel=1e-9)
    sharp = problem("low rank, sharp")
    top = np.linalg.eigh(sharp.noise_matrix)[1][:, -1]
    assert sharp.curvature(top) == pytest.approx(1.0, rel=1e-9)
    assert problem("independent").noise.ndim == 1


@pytest.mark.parametrize("noise", NOISES)
def test_draws_have_the_covariance(noise: str) -> None:
    """Rung: Monte Carlo, n = 200000, 4.5 standard errors over 78 entries (chance 5e-4)."""
    made = problem(noise)
    draws = made.batch_gradients(4.0, 200_000, np.random.default_rng(1)) - made.gradient
    products = np.einsum("ni,nj->ij", draws, draws) / len(draws)
    scale = np.sqrt(np.outer(made.variance, made.variance)) / 4.0
    # Var(x y) = s_x^2 s_y^2 (1 + r^2) for normal x, y.
    error = scale * np.sqrt((1 + made.correlation**2) / len(draws))
    exact = made.noise_matrix / 4.0
    assert np.all(np.abs(products - exact) < 4.5 * error)
    # Negative control: 3 % on the variances is seen (standard error 0.3 % each).
    assert np.any(np.abs(products - 1.03 * exact) > 4.5 * error)


def test_diagonal_and_dense_forms_agree() -> None:
    """Rung: slow brute force (the same problem written as full matrices)."""
    short = problem("aligned", rotated=False)
    full = NoisyQuadratic(short.hessian_matrix, short.noise_matrix, short.theta, short.optimum)
    directions = np.random.default_rng(0).standard_normal((3, 2, short.size))
    np.testing.assert_allclose(short.curvature(directions), full.curvature(directions), rtol=1e-13)
    np.testing.assert_allclose(short.gradient, full.gradient, rtol=1e-13)
    np.testing.assert_allclose(short.excess_loss(short.theta), full.excess_loss(full.theta))
    np.testing.assert_allclose(short.noise_factor, np.diag(full.noise_factor), rtol=1e-12)
    np.testing.assert_array_equal(short.correlation, np.eye(short.size))


def test_coordinates_without_noise_are_uncorrelated() -> None:
    """Rung: closed form (a zero row of the covariance)."""
    noise = np.zeros((3, 3))
    noise[:2, :2] = [[4.0, 2.0], [2.0, 4.0]]
    made = NoisyQuadratic(np.ones(3), noise, np.ones(3), np.zeros(3))
    expected = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(made.correlation, expected)


@pytest.mark.parametrize(
    ("hessian", "noise", "theta", "message"),
    [
        (np.ones(2), np.ones(2), np.ones((2, 2)), "two vectors"),
        (np.ones(3), np.ones(2), np.ones(2), "hessian has shape"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), np.ones(2), np.ones(2), "not symmetric"),
        (np.ones(2), np.array([1.0, -1.0]), np.ones(2), "eigenvalue -1"),
        (np.ones(2), np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2), "eigenvalue -1"),
        (np.array([1.0, np.nan]), np.ones(2), np.ones(2), "not finite"),
    ],
    ids=["theta", "shape", "asymmetric", "negative variance", "indefinite", "nan"],
)
def test_impossible_problems_are_refused(
    hessian: np.ndarray, noise: np.ndarray, theta: np.ndarray, message: str
) -> None:
    """Rung: closed form (one clear line each)."""
    with pytest.raises(InputError, match=message):
        NoisyQuadratic(hessian, noise, theta, np.zeros(2))


def test_impossible_constructions_are_refused() -> None:
    """Rung: closed form (one clear line each)."""
    rng = np.random.default_rng(0)
    spectrum = power_law_spectrum(4, 1.0)
    with pytest.raises(InputError, match="largest"):
        power_law_spectrum(4, 1.0, largest=0.0)
    with pytest.raises(InputError, match="smallest"):
        log_spaced_spectrum(4, 1.0, 0.5)
    with pytest.raises(InputError, match="rank 0"):
        low_rank_noise(0, 0.5)
    with pytest.raises(InputError, match="not a correlation matrix"):
        equicorrelated(4, -0.5)
    for shape, text in ((low_rank_noise(9, 0.5), "rank 9"), (aligned_noise(), "all above 0")):
        with pytest.raises(InputError, match=text):
            make_quadratic(-spectrum, shape, noise_to_signal=1.0, rotated=True, rng=rng)
    with pytest.raises(InputError, match="B_simple"):
        make_quadratic(spectrum, independent_noise(), noise_to_signal=-1.0, rotated=False, rng=rng)
    with pytest.raises(InputError, match="vanishes"):
        make_quadratic(
            spectrum,
            independent_noise(),
            noise_to_signal=1.0,
            rotated=False,
            rng=rng,
            start=np.zeros(4),
        )
