"""Small problems on which everything that is measured is known another way."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from empirical.measure.curvature import Surroundings, surroundings_of
from empirical.measure.gradients import sequence_gradients
from empirical.measure.landscape import Landscape, landscape_of
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network, sequence_losses

TINY = NetworkConfig(context=6, width=8, depth=1, heads=2)


def quadratic_landscape(hessian: Tensor, centres: Tensor, point: Tensor) -> Landscape:
    """L_k(theta) = (theta - c_k)^T H (theta - c_k) / 2 over the pool of centres c_k, [N, P].

    Then g = H (theta - mean c), Sigma = H Cov(c) H, and the Hessian is H for every sequence.
    """

    def loss(named: Mapping[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        away = named["theta"] - inputs
        return 0.5 * (away @ hessian * away).sum(1)

    return Landscape(
        loss=loss,
        names=("theta",),
        shapes=(point.shape,),
        point=point,
        inputs=centres,
        targets=torch.zeros(len(centres), dtype=point.dtype),
        chunk=256,
    )


def tiny_network_landscape(sequences: int = 24, seed: int = 0) -> Landscape:
    """A transformer of about 5,000 parameters in float64, away from its initial point."""
    rng = torch.Generator().manual_seed(seed)
    model = build_network(TINY, seed, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=rng, dtype=parameter.dtype)
            parameter.add_(noise, alpha=0.1)
    tokens = torch.randint(97, 123, (sequences, TINY.context + 1), generator=rng)
    return landscape_of(model, sequence_losses, tokens[:, :-1], tokens[:, 1:], chunk=7)


@pytest.fixture(scope="session")
def network() -> Surroundings:
    scape = tiny_network_landscape()
    return surroundings_of(scape, sequence_gradients(scape))
