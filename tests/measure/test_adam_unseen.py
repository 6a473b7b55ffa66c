"""Adam's next step judged on samples that were not measured: known g, Sigma and H, many pools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.optim import AdamW

from empirical.measure.adam import AdamStep, adam_next_step
from empirical.measure.adam_state import AdamState, read_adam
from empirical.measure.measurement import measure
from tests.measure.test_lr_finder import SCALES, Bowl, bowl_loss, samples

START, POOL, BATCH, POOLS = 0.25, 24, 4, 120
"""theta; N; B; how many pools. g = h theta and sigma = h: the noise scale is about 1 / theta^2."""


@dataclass(frozen=True)
class Truth:
    """Of the distribution that the pools are drawn from."""

    descent: float
    signal: float
    noise: float


def past(model: Bowl) -> AdamW:
    """An optimizer with a past of three steps, from gradients that are no pool's."""
    optimizer = AdamW(model.parameters(), lr=1e-3, betas=(0.2, 0.9), eps=1e-2)
    start = model.theta.detach().clone()
    for seed in range(3):
        optimizer.zero_grad()
        torch.autograd.backward(bowl_loss(model, samples(900 + seed, BATCH)))
        optimizer.step()
    with torch.no_grad():
        model.theta.copy_(start)
    return optimizer


def truth_of(optimizer: AdamW, draws: int = 400_000) -> Truth:
    """Monte Carlo of the written-out step on normal batches of mean h theta, covariance h^2 / B."""
    (state,) = optimizer.state.values()
    m, v, t = state["exp_avg"].numpy(), state["exp_avg_sq"].numpy(), float(state["step"]) + 1
    h = SCALES.numpy()
    rng = np.random.default_rng(0)
    batch = h * START + h / np.sqrt(BATCH) * rng.standard_normal((draws, len(h)))
    first = (0.2 * m + 0.8 * batch) / (1 - 0.2**t)
    second = (0.9 * v + 0.1 * batch**2) / (1 - 0.9**t)
    update = first / (np.sqrt(second) + 1e-2) + 1e-2 * START  # AdamW's default decay
    mean = update.mean(0)
    return Truth(float(mean @ (h * START)), float(mean**2 @ h), float(update.var(0) @ h))


def on_a_pool(model: Bowl, optimizer: AdamW, seed: int) -> tuple[AdamStep, AdamStep]:
    """Judged on unseen samples, and on the pool itself."""
    found = measure(
        model, samples(seed, POOL), loss=bowl_loss, curvature="none", blocks=POOL, seed=seed
    )
    state = read_adam(optimizer, model, found.point.problem)
    unseen, seen = (
        adam_next_step(found, state, BATCH, draws=16, subset=1, unseen=unseen, seed=seed)
        for unseen in (True, False)
    )
    return unseen, seen


@pytest.fixture(scope="module")
def steps() -> tuple[Truth, list[AdamStep], list[AdamStep]]:
    """The truth, and both forms on many pools."""
    model = Bowl(START)
    optimizer = past(model)
    pairs = [on_a_pool(model, optimizer, 20_000 + seed) for seed in range(POOLS)]
    unseen, seen = zip(*pairs, strict=True)
    return truth_of(optimizer), list(unseen), list(seen)


def away(values: list[float], truth: float) -> float:
    """Mean less truth, in standard errors of that mean."""
    return float((np.mean(values) - truth) / (np.std(values, ddof=1) / np.sqrt(len(values))))


def test_unseen_samples_give_the_truth_on_average(
    steps: tuple[Truth, list[AdamStep], list[AdamStep]],
) -> None:
    """Monte Carlo by another route: exact for normal samples, and the pool itself is not."""
    truth, unseen, seen = steps
    # 400,000 draws of the truth against 120 pools: its own error is left out; 4 standard errors
    assert abs(away([s.descent.value for s in unseen], truth.descent)) < 4
    assert abs(away([s.curvature.value for s in unseen], truth.signal + truth.noise)) < 4
    # the negative control: what the pool's own noise does to the same numbers
    assert away([s.descent.value for s in seen], truth.descent) > 6
    bent = [a.curvature.value - b.curvature.value for a, b in zip(seen, unseen, strict=True)]
    assert away(bent, 0.0) > 6


def test_the_split_of_the_curvature(
    steps: tuple[Truth, list[AdamStep], list[AdamStep]],
) -> None:
    """Monte Carlo by another route: signal and noise, to first order in the gain."""
    truth, unseen, seen = steps
    # what is left out is of second order in the gain, here 6 % of the noise; 4 standard errors
    for part in ("signal", "noise"):
        values = [getattr(s, part).value for s in unseen]
        error = 4 * float(np.std(values)) / np.sqrt(POOLS) + 0.06 * truth.noise
        assert abs(np.mean(values) - getattr(truth, part)) < error
    assert np.mean([s.signal.value + s.noise.value for s in unseen]) == pytest.approx(
        np.mean([s.curvature.value for s in unseen]), rel=1e-9
    )
    # the negative control: left on the pool, the noise is a sixth too much signal
    bent = [s.signal.value - t.signal.value for s, t in zip(seen, unseen, strict=True)]
    assert away(bent, 0.0) > 6


def test_standard_errors_hold_the_pools_noise(
    steps: tuple[Truth, list[AdamStep], list[AdamStep]],
) -> None:
    """Recovery of planted parameters: the spread over pools is the standard error that is told."""
    _, unseen, seen = steps
    for name in ("descent", "curvature"):
        values = [getattr(s, name) for s in unseen]
        told = np.sqrt(np.mean([v.standard_error**2 for v in values]))
        # a spread of 120 values is known to 6 %; the rest is the delta method at N = 24
        assert told == pytest.approx(np.std([v.value for v in values]), rel=0.3)
    rates = [s.learning_rate for s in unseen if s.learning_rate is not None]
    # a descent that is known to less than itself is negative on some pools
    assert len(rates) > 0.9 * POOLS
    told = np.sqrt(np.mean([r.standard_error**2 for r in rates]))
    assert told == pytest.approx(np.std([r.value for r in rates]), rel=0.35)
    control = np.sqrt(np.mean([s.descent.standard_error**2 for s in seen]))
    assert control < 0.7 * np.std([s.descent.value for s in seen])


@pytest.mark.parametrize("largest", [False, True], ids=["adam", "amsgrad"])
@pytest.mark.parametrize("decoupled", [True, False])
def test_the_gain_is_the_derivative(largest: bool, decoupled: bool) -> None:
    """Closed form against central differences, a coordinate that never moved included."""
    rng = torch.Generator().manual_seed(0)

    def drawn() -> torch.Tensor:
        return torch.randn(9, generator=rng, dtype=torch.float64)

    first, second, point, gradient = drawn(), drawn().square(), drawn(), drawn()
    first[0] = second[0] = gradient[0] = point[0] = 0
    state = AdamState(
        first=first,
        second=second,
        largest=second * torch.linspace(0.5, 1.5, 9, dtype=torch.float64) if largest else None,
        steps=torch.full((9,), 3.0, dtype=torch.float64),
        beta1=0.8,
        beta2=0.9,
        epsilon=0.05,
        learning_rate=1e-3,
        decay=torch.full((9,), 0.1, dtype=torch.float64),
        relative=torch.linspace(0.5, 2, 9, dtype=torch.float64),
        decoupled=decoupled,
    )
    found = state.gain(gradient, point)
    ahead, behind = (state.update(gradient + h, point) for h in (1e-6, -1e-6))
    # the root of the coordinate at rest grows by 1e-6: a relative change of 1e-5
    torch.testing.assert_close(found, (ahead - behind) / 2e-6, rtol=3e-5, atol=1e-8)
    assert bool(found.isfinite().all())
    assert not torch.allclose(1.01 * found, (ahead - behind) / 2e-6, rtol=1e-3)
