"""A network with a loss and a source of batches: what a step of training on a machine needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.named_function import function_named, in_one_line
from empirical.train.network import build_network, sequence_losses
from empirical.train.randomness import private_generator


@dataclass(frozen=True, eq=False)
class Workload:
    """What is trained.

    Attributes:
        name: for the reader.
        model: the network, on its device.
        loss: (model, batch) -> mean loss of the batch, [].
        batch: number of sequences (or other samples) -> a batch on the model's device.
        tokens: per sequence; 1 where there are none.
    """

    name: str
    model: nn.Module
    loss: Callable[[nn.Module, Any], Tensor]
    batch: Callable[[int], Any]
    tokens: int = 1


def built_in_workload(network: NetworkConfig, device: torch.device, seed: int) -> Workload:
    """The built-in network on random bytes: what a step takes does not depend on the text."""
    model = build_network(network, seed, device=device)
    generator = private_generator(seed, "bytes for timing")

    def batch(sequences: int) -> tuple[Tensor, Tensor]:
        shape = (2, sequences, network.context)
        inputs, targets = torch.randint(256, shape, generator=generator).to(device)
        return inputs, targets

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return sequence_losses(model, *batch).mean()

    name = f"built-in network, width {network.width}, depth {network.depth}"
    return Workload(name, model, loss, batch, network.context)


def workload_named(path: str) -> Workload:
    """What the function PACKAGE.MODULE:FUNCTION returns; UsageError where it is no Workload."""
    make = function_named(path, "an empirical.train.workload.Workload")
    try:
        found = make()
    except UsageError:
        raise
    except Exception as error:  # whatever a user's own function raises
        raise UsageError(
            f"the workload {path} failed ({in_one_line(error)}); correct the function"
        ) from error
    if not isinstance(found, Workload):
        raise UsageError(
            f"{path} returned {type(found).__name__}, wanted a Workload; return "
            "empirical.train.workload.Workload(name, model, loss, batch, tokens)"
        )
    return found
