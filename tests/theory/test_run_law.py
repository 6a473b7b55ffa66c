"""The law of whole runs: momentum divides the curvature along the mean update, not the noise."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.run_law import averaging_factors, run_momentum_factor, run_shape


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
def test_factors_are_sums_of_squared_weights(beta: float) -> None:
    """Brute force: the weights of a bias-corrected average, written out."""
    found = averaging_factors(beta, 40)
    for steps in (1, 2, 7, 40):
        weights = beta ** np.arange(steps)[::-1]
        weights /= weights.sum()
        assert found[steps - 1] == pytest.approx((weights**2).sum(), rel=1e-12)


def test_limits() -> None:
    """Limits: 1 at one step and without momentum; (1 - beta)/(1 + beta) after many."""
    assert run_momentum_factor(0.9, np.ones(1)) == pytest.approx(1.0)
    assert run_momentum_factor(0.0, np.ones(50)) == 1.0
    assert run_momentum_factor(0.9, np.ones(100_000)) == pytest.approx(1 / 19, rel=1e-2)
    # a decaying schedule weighs the early steps, where less is averaged
    falling = np.linspace(1, 0.1, 20)
    assert run_momentum_factor(0.9, falling) > run_momentum_factor(0.9, np.ones(20))


def stationary_loss(rate: float, curvature: float, beta: float) -> float:
    """Loss of one noisy quadratic direction under an averaged gradient, from its own moments."""
    step = np.array(
        [[1 - rate * (1 - beta) * curvature, -rate * beta], [(1 - beta) * curvature, beta]]
    )
    noise = np.array([-rate * (1 - beta), 1 - beta])
    if max(abs(np.linalg.eigvals(step))) >= 1:
        return np.inf
    # vec(S) = (I - M (x) M)^-1 vec(n n')
    moments = np.linalg.solve(np.eye(4) - np.kron(step, step), np.outer(noise, noise).ravel())
    return float(curvature * moments[0] / 2)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_on_a_quadratic_momentum_moves_the_curvature_term_only(beta: float) -> None:
    """Brute force: 2x2 recursion against eta s^2 / (2 (2 - eta lambda rho)); 1e-9 is rounding."""
    rho = (1 - beta) / (1 + beta)
    for rate in (1e-3, 0.1, 1.0):
        for curvature in (0.3, 1.7):
            wanted = rate / (2 * (2 - rate * curvature * rho))
            assert stationary_loss(rate, curvature, beta) == pytest.approx(wanted, rel=1e-9)
    # the largest stable rate grows by 1 / rho; the noise at small rates does not shrink
    assert stationary_loss(0.99 * 2 / rho, 1.0, beta) < np.inf
    assert stationary_loss(1.01 * 2 / rho, 1.0, beta) == np.inf
    assert stationary_loss(1e-4, 1.0, beta) == pytest.approx(
        stationary_loss(1e-4, 1.0, 0.0), rel=1e-3
    )


def test_shape_is_the_one_law_without_momentum() -> None:
    """Identity, and refusals of what has no optimum."""
    assert run_shape(4.0, 6.0, 1.0, 1.0) == pytest.approx(4 / 7)
    assert run_shape(4.0, 6.0, 1.0, 1 / 19) > 3.0
    with pytest.raises(InputError, match="both positive"):
        run_shape(-1.0, 6.0, 1.0, 1.0)
    with pytest.raises(InputError, match="both positive"):
        run_shape(1.0, -6.0, 1.0, 1.0)
    with pytest.raises(InputError, match="beta1"):
        averaging_factors(1.0, 4)
    with pytest.raises(InputError, match="at least 1"):
        averaging_factors(0.9, 0)
