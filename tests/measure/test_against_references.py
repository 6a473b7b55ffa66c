"""What `measure` finds against references that share no code with it, in float64.

References: torch.func (vmap of grad, dense Hessians), hessian-eigenthings where it is installed,
Monte Carlo. Each check fails for a planted error of one per cent, or as small a one as it can see.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.measure.directional import curvature_at
from empirical.measure.measurement import Measurement, measure
from empirical.measure.surface_terms import GridEffort, Terms, update_moments
from tests.measure.plain import TiedModel, next_token_loss, randomised, token_batch

SAMPLES = 14


def labels_loss(model: nn.Module, batch: Any) -> Tensor:
    """Mean cross-entropy of a classifier."""
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def perceptron() -> tuple[nn.Module, Any, Any]:
    """A two-layer classifier, its batch and loss."""
    rng = torch.Generator().manual_seed(2)
    model = randomised(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), seed=1)
    inputs = torch.randn(SAMPLES, 4, generator=rng, dtype=torch.float64)
    return model, (inputs, torch.randint(3, (SAMPLES,), generator=rng)), labels_loss


def transformer() -> tuple[nn.Module, Any, Any]:
    """Attention, a tied head, positions without a batch axis; its batch and loss."""
    model = randomised(TiedModel(vocabulary=5, width=3, context=4), seed=1, size=0.4)
    return model, tuple(part % 5 for part in token_batch(SAMPLES, context=4)), next_token_loss


MODELS = {"perceptron": perceptron, "transformer": transformer}


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Any, Any, Measurement]:
    model, batch, loss = MODELS[request.param]()
    found = measure(model, batch, loss=loss, curvature="none", blocks=7)
    return model, batch, loss, found


def flat_loss(model: nn.Module, loss: Any, batch: Any) -> Any:
    """The loss of the whole batch as a function of one parameter vector, by torch.func alone."""
    named = dict(model.named_parameters())

    def call(theta: Tensor) -> Tensor:
        pieces = torch.split(theta, [p.numel() for p in named.values()])
        values = {
            f"model.{n}": piece.view(p.shape)
            for (n, p), piece in zip(named.items(), pieces, strict=True)
        }
        return functional_call(Whole(model, loss), values, (batch,))  # type: ignore[no-any-return]  # functional_call is untyped

    return call


class Whole(nn.Module):
    """Model and loss as one module, for functional_call."""

    def __init__(self, model: nn.Module, loss: Any) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any) -> Any:
        return self.loss(self.model, batch)


def dense_hessian(model: nn.Module, loss: Any, batch: Any) -> Tensor:
    """The Hessian of the mean loss, [P, P], by two reverse passes."""
    theta = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    # the fused attention kernels have no second derivative
    with sdpa_kernel(SDPBackend.MATH):
        matrix: Tensor = jacrev(jacrev(flat_loss(model, loss, batch)))(theta)
    return matrix


def directions(found: Measurement) -> Tensor:
    """Random, along the gradient, its sign, and one deviation, [4, P]."""
    rng = torch.Generator().manual_seed(5)
    random = torch.randn(found.parameters, generator=rng, dtype=torch.float64)
    return torch.stack([random, found.gradient, found.gradient.sign(), found.deviations[0]])


def test_gradient_and_variance_against_vmap(case: Any) -> None:
    """Another library: mean and variance of vmap(grad), to rounding; N for N - 1 is caught."""
    model, batch, loss, found = case
    theta = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def one(at: Tensor, *sample: Tensor) -> Any:
        return flat_loss(model, loss, tuple(part[None] for part in sample))(at)

    with sdpa_kernel(SDPBackend.MATH):
        rows = vmap(grad(one), in_dims=(None, 0, 0))(theta, *batch)
    # sums of 14 float64 terms of order 1: 14 x 1e-16; squares of differences lose no more
    torch.testing.assert_close(found.gradient, rows.mean(0), rtol=0, atol=1e-14)
    torch.testing.assert_close(found.variance, rows.var(0), rtol=1e-11, atol=1e-16)
    assert not torch.allclose(found.variance, rows.var(0, correction=0), rtol=1e-2)
    assert not torch.allclose(found.gradient, 1.01 * rows.mean(0), rtol=1e-3, atol=0)
    # the deviations are block means of these rows: their span, and their total
    covariance = torch.cov(rows.T)
    trace = found.block_size * found.deviations.square().sum(1).mean()
    assert float(trace / covariance.trace()) == pytest.approx(1, abs=4 * (2 / 7) ** 0.5)


def test_curvature_against_the_dense_hessian(case: Any) -> None:
    """Dense algebra: v^T H v along four directions, and tr H direction by direction."""
    model, batch, loss, found = case
    matrix = dense_hessian(model, loss, batch)
    # A step changes a sample's loss by 1e-4: rounding 1e-16 / 1e-8, and the fourth derivative
    # 1e-8 of the second, times their ratio, which is below 1e3 here.
    for v in directions(found):
        exact = float(v @ matrix @ v)
        assert curvature_at(found.point, v) == pytest.approx(exact, rel=1e-5)
        assert curvature_at(found.point, v) != pytest.approx(1.01 * exact, rel=5e-3)
    axes = torch.eye(found.parameters, dtype=torch.float64)
    diagonal = torch.tensor([curvature_at(found.point, e) for e in axes], dtype=torch.float64)
    trace = float(matrix.trace())
    # entries that are 0 by symmetry come out as rounding over h^2: 1e-8 each
    torch.testing.assert_close(diagonal, matrix.diagonal(), rtol=1e-4, atol=1e-6)
    assert float(diagonal.sum()) == pytest.approx(trace, rel=1e-5)
    assert float(diagonal.sum()) != pytest.approx(1.01 * trace, rel=5e-3)


def test_random_signs_against_the_dense_trace(case: Any) -> None:
    """Dense algebra: sum_i H_ii w_i by random signs within 4 of its errors, which are right."""
    model, batch, loss, found = case
    matrix = dense_hessian(model, loss, batch)
    weights = found.variance / found.variance.mean()
    exact = float(matrix.diagonal() @ weights)
    estimate = Terms(found, GridEffort(7, 400, SAMPLES), seed=0).diagonal(weights)
    assert abs(estimate.value - exact) < 4 * estimate.standard_error
    # Var(z^T M z) = 2 (|M|^2 - |diag M|^2) for signs; the error of a spread from 400 is 7 %
    scaled = weights.sqrt()[:, None] * matrix * weights.sqrt()
    across = 2 * (scaled.square().sum() - scaled.diagonal().square().sum())
    assert estimate.standard_error == pytest.approx(float((across / 400).sqrt()), rel=0.25)
    planted = 5 * estimate.standard_error / abs(exact)
    assert abs((1 + planted) * estimate.value - exact) > estimate.standard_error
    assert planted < 0.5


def test_curvature_against_hessian_eigenthings(case: Any) -> None:
    """Another library: v^T H v and tr H of hessian-eigenthings, exact double backward passes."""
    peer: Any = pytest.importorskip(
        "hessian_eigenthings", reason="hessian-eigenthings is not installed: no dependency of ours"
    )
    model, batch, loss, found = case
    operator = peer.HessianOperator(model, [batch], loss)
    assert operator.size == found.parameters
    with sdpa_kernel(SDPBackend.MATH):
        for v in directions(found):
            theirs = float(v @ operator.matvec(v))
            assert curvature_at(found.point, v) == pytest.approx(theirs, rel=1e-5)
            assert curvature_at(found.point, v) != pytest.approx(1.01 * theirs, rel=5e-3)
        signs = peer.hutchinson(operator, num_samples=400, seed=1)
    ours = Terms(found, GridEffort(7, 400, SAMPLES), seed=0).diagonal(
        torch.ones_like(found.gradient)
    )
    error = np.hypot(ours.standard_error, signs.stderr)
    assert abs(ours.value - signs.estimate) < 4 * error
    assert abs(2 * ours.value - signs.estimate) > 4 * error


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 3.0], ids=["sign", "0.3 sigma", "3 sigma"])
def test_update_moments_against_simulated_batches(case: Any, batch_size: int, ratio: float) -> None:
    """Monte Carlo: E[u], Var u and the gain by 40,000 normal batch gradients per coordinate."""
    found = case[3]
    epsilon = ratio * found.whole.rms_sigma
    mean, gain, variance, _ = update_moments(found.gradient, found.variance, batch_size, epsilon)
    rng = np.random.default_rng(3)
    g, s = found.gradient.numpy(), (found.variance / batch_size).sqrt().numpy()
    draws = 40_000
    z = rng.standard_normal((draws // 2, len(g)))
    z = np.concatenate([z, -z])
    x = g + s * z
    u = np.sign(x) if epsilon == 0 else x / np.sqrt(x**2 + epsilon**2)
    error = u.std(0) / draws**0.5
    # 47 or 63 coordinates in 6 cells: 4.5 errors are passed by chance once in 200 runs, antithetic
    # pairs only lower them. Rare flips that no draw shows: Bernstein's inequality allows 10 / n in
    # a mean of numbers up to 1. Bulk moments are good to 1e-6.
    unseen = 10 / draws + 1e-6
    assert (np.abs(mean.numpy() - u.mean(0)) < 4.5 * error + unseen).all()
    spread = (u - u.mean(0)) ** 2
    bound = 4.5 * spread.std(0) / (draws / 2) ** 0.5 + 4 * unseen
    assert (np.abs(variance.numpy() - spread.mean(0)) < bound).all()
    # Stein: the gain is E[u z] / s, with |z| up to 5
    slope = u * z
    bound = 4.5 * slope.std(0) / (draws / 2) ** 0.5 + 5 * unseen
    assert (np.abs(gain.numpy() * s - slope.mean(0)) < bound).all()
    # all coordinates together see a planted error of 3 per cent
    along, total = u @ g, float(mean.numpy() @ g)
    sure = along.std() / draws**0.5 + 1e-6 * np.abs(g).sum()
    assert abs(total - along.mean()) < 4.5 * sure
    assert abs(1.03 * total - along.mean()) > 4.5 * sure
