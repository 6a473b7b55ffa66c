"""Losses in any unit: what is measured does not depend on the unit in which a loss is written."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from empirical.measure.measurement import Measurement, measure

POWERS = (-12, -4, 2, 6, 12)


def measured(factor: float, dtype: torch.dtype) -> Measurement:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(256, 6, generator=rng, dtype=torch.float64)
    labels = (x[:, 0] + 0.5 * torch.randn(256, generator=rng, dtype=torch.float64) > 0).long()
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=rng, dtype=torch.float64))

    def loss(module: nn.Module, batch: Any) -> Tensor:
        return factor * nn.functional.cross_entropy(module(batch[0]), batch[1])

    return measure(model.to(dtype), (x.to(dtype), labels), loss=loss)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_curvature_goes_with_the_unit_of_the_loss(power: int, dtype: torch.dtype) -> None:
    """Another route: a loss times 10^k has g^T H g times 10^(3 k) and the same noise scale."""
    factor = 10.0**power
    plain, scaled = measured(1.0, torch.float64), measured(factor, dtype)
    one, other = plain.curvature["all"], scaled.curvature["all"]
    # steps change a loss by 1e-2 (float32) or 1e-4 of its unit, of which rounding and the fourth
    # derivative leave 1e-3 and 1e-5; an untreated unit of 100 is off by 70 %
    allowed = 1e-2 if dtype == torch.float32 else 1e-4
    found = other.gradient_curvature.value / factor**3
    assert found == pytest.approx(one.gradient_curvature.value, rel=allowed)
    found = other.hessian_noise.value / factor**3
    assert found == pytest.approx(one.hessian_noise.value, rel=allowed)
    assert other.sgd.interval == pytest.approx(one.sgd.interval, rel=10 * allowed)
