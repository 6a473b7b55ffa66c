"""A small transformer on which everything that is measured is known another way."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from empirical.measure.measurement import Measurement, measure
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network, sequence_losses

TINY = NetworkConfig(context=6, width=8, depth=1, heads=2)


def tiny_network(seed: int = 0) -> nn.Module:
    """A transformer of about 5,000 parameters in float64, away from its initial point."""
    rng = torch.Generator().manual_seed(seed)
    model = build_network(TINY, seed, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
            parameter.add_(noise, alpha=0.1)
    return model


def tiny_pool(sequences: int = 24, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Sequences of lower-case letters, and the letters that follow."""
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randint(97, 123, (sequences, TINY.context + 1), generator=rng)
    return tokens[:, :-1], tokens[:, 1:]


def each_loss(model: nn.Module, batch: Any) -> Tensor:
    """The loss of each sequence."""
    return sequence_losses(model, *batch)


def measure_rows_of(
    target: Any, batch: Any, options: Mapping[str, Any] | None = None
) -> Measurement:
    """A measurement that keeps the gradient of every sample."""
    settings = {"curvature": "none", "micro_batch": 1, "keep_rows": True, **(options or {})}
    return measure(target, batch, **settings)


@pytest.fixture(scope="session")
def network() -> Measurement:
    options = {"loss": each_loss, "blocks": 8, "chunk": 7}
    return measure_rows_of(tiny_network(), tiny_pool(), options)
