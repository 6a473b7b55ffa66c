"""The law of whole runs: what steps, schedule and momentum make of curvature and noise."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_theory.errors import InputError
from scaling_theory.run_law import (
    HALF,
    ONE_STEP,
    RunFactors,
    largest_product,
    noise_factor,
    run_factors,
    run_shape,
    settled_factors,
    shares_left,
)
from scaling_theory.schedule import Schedule, schedule_multiples

FALLING = Schedule("linear", final_share=0.1)


def weights(beta: float, steps: int) -> np.ndarray:
    """w_ti of bias-corrected averages, [S, S], written out."""
    rows = np.zeros((steps, steps))
    for t in range(steps):
        rows[t, : t + 1] = beta ** np.arange(t + 1)[::-1]
        rows[t] /= rows[t].sum()
    return rows


def written_out(beta: float, multiples: np.ndarray, product: float) -> float:
    """Where one direction ends that begins at 1, from the written-out averages."""
    places = [1.0]
    for multiple, row in zip(multiples, weights(beta, len(multiples)), strict=True):
        gradients = product * np.array(places)
        places.append(places[-1] - multiple * float(row[: len(places)] @ gradients))
    return places[-1]


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("schedule", [Schedule(), FALLING, Schedule("cosine", warmup_share=0.2)])
def test_a_direction_follows_the_averages_written_out(beta: float, schedule: Schedule) -> None:
    """Brute force, past several rescalings; 1e-9 is the rounding of 40 steps."""
    multiples = schedule_multiples(40, schedule)
    products = np.array([0.01, 0.7, 1.9, 4.0, 30.0])
    found = shares_left(beta, multiples, products)
    wanted = [written_out(beta, multiples, float(h)) ** 2 for h in products]
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.9])
@pytest.mark.parametrize("steps", [1, 2, 7, 30])
def test_noise_of_a_flat_direction_adds_up(beta: float, steps: int) -> None:
    """Brute force: the variance of sum_t s_t m_t of unit noise, over sum_t s_t."""
    multiples = schedule_multiples(steps, FALLING)
    moved = multiples @ weights(beta, steps)
    wanted = (moved**2).sum() / multiples.sum()
    assert noise_factor(beta, multiples) == pytest.approx(wanted, rel=1e-12)


def test_limits() -> None:
    """Limits: one step, plain steps, and many steps with momentum."""
    one = run_factors(0.9, 1, Schedule())
    assert (one.curvature, one.noise) == pytest.approx((1.0, 1.0), rel=1e-9)
    for steps in (2, 50, 4096):
        plain = run_factors(0.0, steps, Schedule())
        assert (plain.curvature, plain.noise) == pytest.approx((1.0, 1.0))
    many, settled = run_factors(0.9, 10**6, Schedule()), settled_factors(0.9)
    assert settled.curvature == pytest.approx(1 / 19)
    assert (many.curvature, many.noise) == pytest.approx((1 / 19, 1.0), rel=0.01)


def test_a_falling_learning_rate_makes_room() -> None:
    """Another route: h where the mean of ln |1 - h s| over the schedule vanishes, 2 at s = 1.

    For many plain steps that is where a direction neither grows nor shrinks; h_S differs by
    ln 2 / (2 S), here 2e-4, over the slope.
    """
    shares = np.linspace(1, 0.1, 200_001)
    low, high = 4.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        grows = np.log(np.abs(1 - middle * shares)).mean() > 0
        low, high = (low, middle) if grows else (middle, high)
    found = largest_product(0.0, schedule_multiples(4000, FALLING))
    assert found == pytest.approx(low, rel=2e-3)
    assert run_factors(0.0, 4000, FALLING).curvature == pytest.approx(2 / low, rel=2e-3)


def test_the_product_found_is_the_largest_that_halves() -> None:
    """Identity: at h_S one half is left, below it less, a little above it more."""
    for beta, schedule in ((0.9, Schedule()), (0.9, FALLING), (0.95, Schedule("cosine"))):
        multiples = schedule_multiples(64, schedule)
        edge = largest_product(beta, multiples)
        below, at, above = shares_left(beta, multiples, edge * np.array([0.9999, 1.0, 1.0001]))
        assert below < at < above
        assert at == pytest.approx(HALF, rel=1e-3)


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


def test_shape_is_the_one_law_in_one_step() -> None:
    """Identity, and refusals of what has no optimum."""
    assert run_shape(4.0, 6.0, 1.0, ONE_STEP) == pytest.approx(4 / 7)
    assert run_shape(4.0, 6.0, 1.0, RunFactors(0.5, 2.0)) == pytest.approx(4 / 5)
    with pytest.raises(InputError, match="both positive"):
        run_shape(-1.0, 6.0, 1.0, ONE_STEP)
    with pytest.raises(InputError, match="both positive"):
        run_shape(1.0, -6.0, 1.0, ONE_STEP)
    with pytest.raises(InputError, match="beta1"):
        run_factors(1.0, 4, Schedule())
    with pytest.raises(InputError, match="at least 1"):
        run_factors(0.9, 0, Schedule())
    with pytest.raises(InputError, match="does not move"):
        run_factors(0.9, 1, Schedule("linear"))
