"""Directional curvature and Hessian-vector products on a transformer, against exact ones."""

from collections import Counter

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from empirical.measure.directional import (
    block_curvatures,
    curvature_at,
    hessian_vector_at,
    one_sided,
    units_of,
)
from empirical.measure.measurement import Measurement
from empirical.measure.parameter_vector import unflatten
from tests.measure.conftest import each_loss, measure_rows_of, tiny_network, tiny_pool
from tests.measure.plain import quadratic_loss


def exact_product(found: Measurement, direction: Tensor) -> Tensor:
    """H v by two exact backward passes, under the attention kernel that has a second derivative."""
    problem = found.point.problem
    at = problem.point.clone().requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):
        loss = problem.loss(unflatten(problem, at), tiny_pool()).mean()
        slope = torch.autograd.grad(loss, at, create_graph=True)[0]
        return torch.autograd.grad(slope @ direction, at)[0]


@pytest.fixture
def direction(network: Measurement) -> Tensor:
    rng = torch.Generator().manual_seed(3)
    return torch.randn(network.parameters, generator=rng, dtype=torch.float64)


def test_curvature_along_a_direction(network: Measurement, direction: Tensor) -> None:
    """Another route: an exact Hessian-vector product; second differences err by 1e-4 at most."""
    for v in (direction, network.gradient, network.gradient.sign()):
        exact = float(v @ exact_product(network, v))
        assert curvature_at(network.point, v) == pytest.approx(exact, rel=1e-4)
        assert curvature_at(network.point, v * 1.01) != pytest.approx(exact, rel=1e-2)


def test_curvature_scales_as_a_square(network: Measurement, direction: Tensor) -> None:
    """Closed form: (c v)^T H (c v) = c^2 v^T H v, for c over 16 decades."""
    plain = curvature_at(network.point, direction)
    for c in (1e-8, 1e8, -1.0):
        assert curvature_at(network.point, c * direction) == pytest.approx(c**2 * plain, rel=1e-4)


def test_single_precision_is_enough(network: Measurement, direction: Tensor) -> None:
    """Another precision: float32 agrees with float64 to one per cent."""
    options = {"loss": each_loss, "blocks": 8, "chunk": 7}
    single = measure_rows_of(tiny_network().float(), tiny_pool(), options)
    for v in (direction, network.deviations[3]):
        assert curvature_at(single.point, v.float()) == pytest.approx(
            curvature_at(network.point, v), rel=1e-2
        )


def test_hessian_vector_product(network: Measurement, direction: Tensor) -> None:
    """Another route: two exact backward passes."""
    product = hessian_vector_at(network.point, direction)
    torch.testing.assert_close(product, exact_product(network, direction), rtol=1e-3, atol=1e-4)


def test_few_samples_per_direction_are_unbiased(network: Measurement, direction: Tensor) -> None:
    """Monte Carlo: the mean over looks at three samples is the pool's, within 4 standard errors.

    Units in turn see every sample equally often, so the errors are those of random parts at most.
    """
    values = block_curvatures(network.point, direction.expand(400, -1), 3)
    error = float(values.std()) / 20
    whole = curvature_at(network.point, direction)
    assert abs(float(values.mean()) - whole) < 4 * error
    assert error < 0.1 * abs(whole)


@pytest.mark.parametrize(("several", "count"), [(1, 7), (3, 24), (2, 8), (8, 2048), (6, 7), (7, 7)])
def test_directions_take_units_in_turn(several: int, count: int) -> None:
    """Closed form: none twice before all have been, as often as one another, never its own."""
    first: list[int] = []
    seen: Counter[int] = Counter()
    for number in range(8 * count):
        units = units_of(number, several, count)
        assert len(set(units)) == several
        assert several == count or number % count not in units
        seen.update(units)
        first += units if number < (count - 1) // several else []
    assert len(set(first)) == len(first)
    assert len(seen) == count
    # 8 `several` looks each, give or take the starts that fall on some more than on others
    assert max(seen.values()) <= 1.5 * min(seen.values())


def test_one_sided_differences_of_a_quadratic() -> None:
    """Closed form: on a quadratic every sample's difference is v^T H v itself, on either side."""
    rng = torch.Generator().manual_seed(0)
    root = torch.randn(5, 5, generator=rng, dtype=torch.float64)
    matrix = root @ root.T
    centres = torch.randn(40, 5, generator=rng, dtype=torch.float64)
    theta = torch.randn(5, generator=rng, dtype=torch.float64)
    found = measure_rows_of(quadratic_loss(matrix), centres, {"parameters": {"theta": theta}})
    v = torch.randn(5, generator=rng, dtype=torch.float64)
    for k in range(40):
        side = -0.1 if k % 2 else 0.1
        value = one_sided(found.point, v, side, [k])
        assert value == pytest.approx(float(v @ matrix @ v), rel=1e-6)
    dense = torch.stack([hessian_vector_at(found.point, row) for row in torch.eye(5).double()])
    torch.testing.assert_close(dense, matrix, rtol=1e-6, atol=1e-6)
