"""Averages, RMS and half-lives against plain loops over steps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_theory import closed_averages, closed_forms
from scaling_theory import symbols as sy
from scaling_theory.derivations.muon import alignment
from scaling_theory.half_life import decay_from_half_life, half_life_tokens

FACTOR = float(closed_averages.momentum_factor(beta1=0.9))


def test_momentum_factor_by_summing_weights() -> None:
    """Rung: brute force; squared weights of 2000 steps. sqrt(rho) = 0.22942 at beta1 = 0.9."""
    weights = 0.1 * 0.9 ** np.arange(2000)
    assert float(np.sum(weights**2)) == pytest.approx(FACTOR, rel=1e-12)
    assert math.sqrt(FACTOR) == pytest.approx(0.22942, abs=5e-6)


def adam_updates(signal: float, steps: int, coordinates: int, seed: int) -> np.ndarray:
    """Last update m / sqrt(v) of Adam, gradients N(signal, 1), beta2 = 0.999."""
    rng = np.random.default_rng(seed)
    m, v = np.zeros(coordinates), np.zeros(coordinates)
    for _ in range(steps):
        gradient = signal + rng.normal(size=coordinates)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
    correction = 1 - 0.999**steps
    return np.asarray(m / np.sqrt(v / correction))


@pytest.mark.parametrize("signal", [0.0, 0.5, 2.0])
def test_update_rms_by_simulation(signal: float) -> None:
    """Rung: Monte Carlo; 3000 steps, 4000 coordinates.

    v fluctuates by sqrt(0.001) = 3 %, which moves u^2 by 4 (0.03)^2 ~ 0.4 %; sampling 2 %: 3 %.
    """
    rms = float(np.sqrt(np.mean(adam_updates(signal, 3000, 4000, seed=4) ** 2)))
    law = float(closed_averages.update_rms(snr=signal**2, momentum_factor=FACTOR))
    assert rms == pytest.approx(law, rel=0.03)
    back = closed_averages.snr_from_update_rms(rms=law, momentum_factor=FACTOR)
    assert float(back) == pytest.approx(signal**2, abs=1e-12)
    if signal:
        scale = closed_averages.noise_scale_from_update_rms(
            rms=law, momentum_factor=FACTOR, batch_size=64
        )
        assert float(scale) == pytest.approx(64 / signal**2)


def test_weight_rms_by_summing_weights() -> None:
    """Rung: brute force; weights of 200000 gradients in the double average, eta 1e-3, lambda 0.1.

    The oracle 0.0707; the exact double sum is off the limit by (1 - beta3)/(1 - beta1) ~ 1e-3.
    """
    eta, decay, steps = 1e-3, 0.1, 200_000
    ages = np.arange(1, steps + 1)
    beta3 = 1 - eta * decay
    weights = 0.1 * eta * (beta3**ages - 0.9**ages) / (beta3 - 0.9)
    limit = float(closed_averages.adamw_weight_rms(learning_rate=eta, weight_decay=decay))
    assert limit == pytest.approx(0.0707, abs=5e-5)
    assert math.sqrt(np.sum(weights**2)) == pytest.approx(limit, rel=2e-3)
    # Negative control: the naive limit, smaller by sqrt(rho), is far off.
    assert math.sqrt(np.sum(weights**2)) > 4 * math.sqrt(FACTOR) * limit


def test_weight_square_by_simulation() -> None:
    """Rung: Monte Carlo; AdamW on pure noise, v settled: u is the average of unit normals.

    2000 weights, 3000 steps from RMS 0.05: sampling 1/sqrt(4000) = 1.6 %, 4 of them.
    """
    eta, decay, steps, start = 1e-2, 0.1, 3000, 0.05
    rng = np.random.default_rng(9)
    theta, m = rng.normal(scale=start, size=2000), np.zeros(2000)
    for _ in range(steps):
        m = 0.9 * m + 0.1 * rng.normal(size=2000)
        theta = (1 - eta * decay) * theta - eta * m
    kept = (1 - eta * decay) ** (2 * steps)
    expected = kept * start**2 + (1 - kept) * eta / (2 * decay)
    assert float(np.mean(theta**2)) == pytest.approx(expected, rel=0.07)


@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9, 0.99])
def test_stationary_variance_by_iteration(beta1: float) -> None:
    """Rung: brute force; the covariance of (theta, m) iterated until it stands still."""
    eta, h, s2 = 0.1, 1.0, 1.0
    step = np.array([[1 - eta * (1 - beta1) * h, -eta * beta1], [(1 - beta1) * h, beta1]])
    noise = np.array([-eta * (1 - beta1), 1 - beta1])
    covariance = np.zeros((2, 2))
    for _ in range(20_000):
        covariance = step @ covariance @ step.T + s2 * np.outer(noise, noise)
    rho = (1 - beta1) / (1 + beta1)
    assert covariance[0, 0] == pytest.approx(eta * s2 / (h * (2 - eta * h * rho)), rel=1e-9)
    # The one-step view, with its factor rho, is not what a run shows.
    if beta1 > 0:
        assert covariance[0, 0] > 1.2 * rho * eta * s2 / (2 * h)


def test_adam_threshold() -> None:
    """Rung: brute force; eta* over a grid of B on a diagonal Hessian, beta1 = 0.9: 0.0588."""
    batches = np.geomspace(1e-3, 1e2, 100_001)
    beta = closed_averages.mean_field_beta(kappa2=1.0, shape_constant=1.0, batch_size=batches)
    rates = closed_forms.adam_learning_rate(
        descent=1.0, signal_curvature=1.0, trace=1.0, momentum_factor=FACTOR, beta=beta
    )
    # 20000 points a decade: 1.2e-4 relative.
    assert batches[np.argmax(rates)] == pytest.approx(0.1 / 1.7, rel=2e-4)
    assert batches[np.argmax(rates)] == pytest.approx(0.0588, abs=5e-5)


HALF_LIVES = {
    1: 0.999965,
    4: 0.999858,
    16: 0.999432,
    64: 0.997731,
    256: 0.990956,
    1024: 0.964312,
    4096: 0.864708,
}


@pytest.mark.parametrize("batch", HALF_LIVES)
def test_half_life_table(batch: int) -> None:
    """Rung: closed form, the oracles for 10 million tokens; and halving counted step by step."""
    tokens = 512 * batch
    beta = float(closed_averages.beta_from_half_life(half_life=1e7, tokens_per_step=tokens))
    assert beta == pytest.approx(HALF_LIVES[batch], abs=5e-7)
    assert beta ** (1e7 / tokens) == pytest.approx(0.5, rel=1e-9)
    back = closed_averages.half_life_from_beta(beta=beta, tokens_per_step=tokens)
    assert float(back) == pytest.approx(1e7, rel=1e-9)
    # The careful scalar conversions say the same.
    assert decay_from_half_life(1e7, tokens).beta == pytest.approx(beta, rel=1e-14)
    assert half_life_tokens(beta, tokens) == pytest.approx(1e7, rel=1e-9)


def singular_alignment(singular: np.ndarray, sigma: float, draws: int) -> float:
    """Mean alignment of msign(G + noise) with G, by singular value decomposition."""
    rng = np.random.default_rng(2)
    size = singular.size
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    gradient = left @ np.diag(singular) @ right
    found = []
    for _ in range(draws):
        u, _, v = np.linalg.svd(gradient + sigma * rng.normal(size=gradient.shape))
        found.append(np.sum((u @ v) * gradient) / singular.sum())
    return float(np.mean(found))


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.634), (10.0, 0.834)])
def test_muon_alignment_by_decomposition(factor: float, expected: float) -> None:
    """Rung: Monte Carlo; singular values 1/k of a 64 x 64 matrix, B = 1 and 10 B_simple, 20 draws.

    The mean field is an approximation: 0.03 and 0.01 is what it achieves here. The scalar form
    (1 + B_simple / B)^(-1/2), 0.707 and 0.953, is the control: more than three times further off.
    """
    size = 64
    singular = 1 / np.arange(1, size + 1)
    variance = float(np.sum(singular**2)) / (size**2 * factor)
    values = {sy.s_[row + 1]: float(value) for row, value in enumerate(singular)}
    refined = alignment().subs(sy.N, size).doit().subs(values)
    law = float(refined.subs({sy.n: size, sy.sigma: math.sqrt(variance), sy.B: 1}))
    assert law == pytest.approx(expected, abs=5e-4)
    simulated = singular_alignment(singular, math.sqrt(variance), 20)
    assert law == pytest.approx(simulated, abs=0.03 if factor == 1 else 0.01)
    assert abs(1 / math.sqrt(1 + 1 / factor) - simulated) > 3 * abs(law - simulated)
