"""Where each weight of a network lies in one flat row, so that R networks are a matrix [R, P]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig
from empirical.train.network import GPT


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the weights, in the plain network's order; size: P of them in all."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """P."""
        return sum(map(math.prod, self.shapes.values()))

    def views(self, rows_RxP: Tensor) -> dict[str, Tensor]:
        """Each weight [R, ...] as a view of the rows."""
        counts = [math.prod(shape) for shape in self.shapes.values()]
        parts = torch.split(rows_RxP, counts, dim=1)
        return {
            name: part.view(len(part), *shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def rows(self, weights: Sequence[Mapping[str, Tensor]], like: Tensor) -> Tensor:
        """One row per network, copied: [R, P], in the type and on the device of `like`.

        Raises UsageError where names or shapes are not those of the network.
        """
        for one in weights:
            found = {name: tuple(weight.shape) for name, weight in one.items()}
            if found != dict(self.shapes):
                odd = sorted(set(found.items()) ^ set(self.shapes.items()))[0]
                raise UsageError(
                    f"got weights that differ from the network in {odd[0]}, wanted those of the "
                    "network that is trained; give its own"
                )
        return torch.stack(
            [torch.cat([one[name].detach().flatten() for name in self.shapes]) for one in weights]
        ).to(like)


def network_layout(config: NetworkConfig) -> Layout:
    """The layout of the built-in network of that configuration."""
    with torch.device("meta"):  # shapes only
        network = GPT(config)
    return Layout({name: tuple(weight.shape) for name, weight in network.named_parameters()})
