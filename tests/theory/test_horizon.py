"""Spectral measures and the local quadratic run forward, against dense matrices and recursions."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.horizon import quadratic_descent, quadratic_noise, saturated
from scaling_theory.spectral_measure import SpectralMeasure, lanczos_measure, pooled_measure

RATES = np.array([1e-12, 1e-3, 0.05, 0.3, 1.1])
ONE = np.ones(1)


def symmetric(size: int, seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed).normal(size=(size, size))
    return (draws + draws.T) / 2


def dense_measure(matrix: np.ndarray, start: np.ndarray) -> SpectralMeasure:
    nodes, vectors = np.linalg.eigh(matrix)
    return SpectralMeasure(nodes, (vectors.T @ start) ** 2)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_nodes_reproduce_the_moments_of_the_matrix(steps: int) -> None:
    """Closed form: b^T M^p b for p < 2K, dense products; float64 rounding of M^11."""
    matrix = symmetric(30, 0)
    start = np.random.default_rng(1).normal(size=30)
    found = lanczos_measure(lambda v: matrix @ v, start, steps)
    for power in range(2 * steps):
        wanted = start @ np.linalg.matrix_power(matrix, power) @ start
        scale = np.linalg.norm(matrix, 2) ** power * (start @ start)
        assert abs(found.moment(power) - wanted) < 1e-11 * scale
    missed = start @ np.linalg.matrix_power(matrix, 2 * steps) @ start
    assert abs(found.moment(2 * steps) / missed - 1) > 1e-3  # control: one power further fails


def test_all_steps_give_the_whole_spectrum() -> None:
    """Brute force: numpy's eigenvalues, in an invariant subspace of half the size too."""
    matrix = symmetric(12, 2)
    start = np.random.default_rng(3).normal(size=12)
    whole = lanczos_measure(lambda v: matrix @ v, start, 40)
    assert whole.nodes == pytest.approx(np.linalg.eigvalsh(matrix), abs=1e-10)
    inside = np.linalg.eigh(matrix)[1][:, :6].sum(1)
    half = lanczos_measure(lambda v: matrix @ v, inside, 40)
    assert half.nodes == pytest.approx(np.linalg.eigvalsh(matrix)[:6], abs=1e-8)
    assert half.weights == pytest.approx(np.ones(6), abs=1e-8)


@pytest.mark.parametrize("multiples", [np.ones(1), np.ones(2), np.ones(17), np.linspace(1, 0.1, 9)])
def test_the_quadratic_runs_as_its_recursion(multiples: np.ndarray) -> None:
    """Brute force: theta stepped through, noise by its covariance; indefinite H included."""
    hessian, size = symmetric(8, 4), 8
    rng = np.random.default_rng(5)
    gain = rng.uniform(0.2, 2.0, size)
    gradient = rng.normal(size=size)
    factor = rng.normal(size=(size, size))
    covariance = factor @ factor.T
    root = np.sqrt(gain)
    matrix = root[:, None] * hessian * root
    signal = dense_measure(matrix, root * gradient)
    noise = pooled_measure(tuple(dense_measure(matrix, col) for col in (factor / root[:, None]).T))
    for rate, descent, excess in zip(
        RATES,
        quadratic_descent(signal, RATES, multiples),
        quadratic_noise(noise, RATES, multiples),
        strict=True,
    ):
        move, spread = np.zeros(size), np.zeros((size, size))
        for now in rate * multiples:
            step = np.eye(size) - now * gain[:, None] * hessian
            move = move - now * gain * (gradient + hessian @ move)
            spread = step @ spread @ step.T + now**2 * covariance
        loss = gradient @ move + move @ hessian @ move / 2
        # the pooled measure is a mean over `size` columns, the covariance their sum
        assert descent == pytest.approx(-loss, rel=1e-9, abs=1e-18)
        assert size * excess == pytest.approx(np.trace(hessian @ spread) / 2, rel=1e-9, abs=1e-20)


def test_one_step_is_the_one_law() -> None:
    """Identity: at S = 1 both are the parabola whose minimum is E[u]'g / E[u'Hu]."""
    signal = SpectralMeasure(np.array([-0.3, 0.0, 2.0]), np.array([1.0, 2.0, 3.0]))
    noise = SpectralMeasure(np.array([0.5, 4.0]), np.array([0.1, 0.2]))
    found = quadratic_descent(signal, RATES, ONE) - quadratic_noise(noise, RATES, ONE)
    bend = signal.moment(1) + noise.moment(1)
    assert found == pytest.approx(RATES * signal.moment(0) - RATES**2 / 2 * bend, rel=1e-9)


def test_beyond_stability_is_no_descent() -> None:
    """Edge: a run that overflows promises nothing, in numbers that can be compared."""
    measure = SpectralMeasure(np.array([1.0]), np.array([1.0]))
    assert quadratic_descent(measure, np.array([1e3]), np.ones(10_000))[0] == -np.inf
    assert quadratic_noise(measure, np.array([1e3]), np.ones(10_000))[0] == np.inf


def test_a_start_of_nothing_is_refused() -> None:
    """Caller's mistakes."""
    with pytest.raises(InputError, match="length 0"):
        lanczos_measure(lambda v: v, np.zeros(3), 2)
    with pytest.raises(InputError, match="at least 1"):
        lanczos_measure(lambda v: v, np.ones(3), 0)


def test_a_promise_saturates() -> None:
    """Limits: slope 1 at the start, logarithm far on, nothing beyond a loss of everything."""
    promised = np.array([-2.0, 1e-9, 1.0, 1e6])
    found = saturated(promised, 0.5)
    assert found[0] == -np.inf
    assert found[1:] == pytest.approx([1e-9, 0.5 * np.log(3.0), 0.5 * np.log1p(2e6)], rel=1e-8)
    assert np.array_equal(saturated(promised, np.inf), promised)
