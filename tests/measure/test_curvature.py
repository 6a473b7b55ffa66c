"""Directional curvature, Hessian-vector products and traces, against exact ones."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.measure.curvature import (
    Surroundings,
    curvature_along,
    curvature_samples,
    second_differences,
    surroundings_of,
)
from empirical.measure.gradients import sequence_gradients
from empirical.measure.hessian import hessian_vector
from empirical.measure.parameter_vector import unflatten
from tests.measure.conftest import quadratic_landscape


def exact_product(around: Surroundings, direction: torch.Tensor) -> torch.Tensor:
    """H v by two exact backward passes, under the attention kernel that has a second derivative."""
    scape = around.landscape
    at = scape.point.clone().requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):
        loss = scape.loss(unflatten(scape, at), scape.inputs, scape.targets).mean()
        slope = torch.autograd.grad(loss, at, create_graph=True)[0]
        return torch.autograd.grad(slope @ direction, at)[0]


@pytest.fixture
def direction(network: Surroundings) -> torch.Tensor:
    rng = torch.Generator().manual_seed(3)
    return torch.randn(network.landscape.parameters, generator=rng, dtype=torch.float64)


def test_curvature_along_a_direction(network: Surroundings, direction: torch.Tensor) -> None:
    """Another route: an exact Hessian-vector product; second differences err by 1e-4 at most."""
    for v in (direction, network.gradients.mean(0), network.gradients.mean(0).sign()):
        exact = float(v @ exact_product(network, v))
        assert curvature_along(network, v) == pytest.approx(exact, rel=1e-4)
        assert curvature_along(network, v * 1.01) != pytest.approx(exact, rel=1e-2)


def test_curvature_scales_as_a_square(network: Surroundings, direction: torch.Tensor) -> None:
    """Closed form: (c v)^T H (c v) = c^2 v^T H v, for c over 16 decades."""
    plain = curvature_along(network, direction)
    for c in (1e-8, 1e8, -1.0):
        assert curvature_along(network, c * direction) == pytest.approx(c**2 * plain, rel=1e-4)


def test_single_precision_is_enough(network: Surroundings, direction: torch.Tensor) -> None:
    """Another precision: float32 agrees with float64 to one per cent."""
    scape = replace(network.landscape, point=network.landscape.point.float())
    single = surroundings_of(scape, network.gradients.float())
    for v in (direction, network.gradients[3]):
        assert curvature_along(single, v.float()) == pytest.approx(
            curvature_along(network, v), rel=1e-2
        )


def test_hessian_vector_product(network: Surroundings, direction: torch.Tensor) -> None:
    """Another route: two exact backward passes."""
    rng = torch.Generator()
    product = hessian_vector(network, direction, rng, subset=None)
    torch.testing.assert_close(product, exact_product(network, direction), rtol=1e-3, atol=1e-4)


def test_random_subsets_are_unbiased(network: Surroundings, direction: torch.Tensor) -> None:
    """Monte Carlo: the mean over subsets is the pool's, within 4 standard errors."""
    rng = torch.Generator().manual_seed(5)
    values = curvature_samples(network, direction.expand(400, -1), subset=3, rng=rng)
    error = float(values.std()) / 20
    whole = curvature_along(network, direction)
    assert abs(float(values.mean()) - whole) < 4 * error
    assert error < 0.1 * abs(whole)


def test_dense_hessian_of_a_quadratic() -> None:
    """Closed form: on a quadratic every sequence's second difference is v^T H v itself."""
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(5, 5, generator=rng, dtype=torch.float64)
    matrix = root @ root.T
    scape = quadratic_landscape(
        matrix,
        torch.randn(40, 5, generator=rng, dtype=torch.float64),
        torch.randn(5, generator=rng, dtype=torch.float64),
    )
    around = surroundings_of(scape, sequence_gradients(scape))
    v = torch.randn(5, generator=rng, dtype=torch.float64)
    values = second_differences(around, v, 0.1)
    assert torch.allclose(values, (v @ matrix @ v).expand(40), rtol=1e-6)
    dense = torch.stack([exact_product(around, row) for row in torch.eye(5, dtype=v.dtype)])
    torch.testing.assert_close(dense, matrix)
