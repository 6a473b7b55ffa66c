"""Accumulating k micro-batches of B is the batch kB: no cells of its own are needed for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT, build_network, sequence_losses
from empirical.train.optimizer_configuration import OptimizerConfig, optimizer_named
from empirical.train.optimizers import build_optimizer

NETWORK = NetworkConfig(context=8, width=16, depth=1, heads=2)
MICRO, COUNT, UPDATES = 2, 4, 6
RULES = ("sgd", "adam", "adafactor", "muon", "sgd-sai", "sqrt-numel-sgd")


def trained(
    config: OptimizerConfig, micro_batch: int, *, update_each: bool = False
) -> list[Tensor]:
    """Weights after UPDATES times MICRO * COUNT sequences in pieces of micro_batch.

    An update is made when all pieces are added up, or after each.
    """
    model: GPT = build_network(NETWORK, 0, dtype=torch.float64)
    optimizer = build_optimizer(model.named_parameters(), config, 1e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(UPDATES):
        inputs, targets = torch.randint(256, (2, MICRO * COUNT, 8), generator=generator)
        optimizer.zero_grad()
        for x, y in zip(inputs.split(micro_batch), targets.split(micro_batch), strict=True):
            together = micro_batch if update_each else MICRO * COUNT
            torch.autograd.backward(sequence_losses(model, x, y).sum() / together)
            if update_each:
                optimizer.step()
                optimizer.zero_grad()
        if not update_each:
            optimizer.step()
    return [weight.detach() for weight in model.parameters()]


@pytest.mark.parametrize("name", RULES)
def test_accumulated_micro_batches_are_the_large_batch(name: str) -> None:
    """Identity: another order of adding, so float64 rounding over six updates, far below 1e-6.

    Muon orthogonalises in bfloat16, where 1e-16 in may be 4e-3 of an update of 1e-2 out.
    Negative control: updates after each micro-batch end elsewhere.
    """
    config = optimizer_named(name)
    whole, parts = trained(config, MICRO * COUNT), trained(config, MICRO)
    tolerance = 1e-3 if name == "muon" else 1e-6
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)
    apart = trained(config, MICRO, update_each=True)
    farthest = max(float((a - b).abs().max()) for a, b in zip(whole, apart, strict=True))
    assert farthest > 3 * tolerance
