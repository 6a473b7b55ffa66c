"""Parameters as one vector: where each of them lies in it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Layout(Protocol):
    """Anything that lays named parameters into one vector theta, [P], in this order."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def shapes(self) -> tuple[torch.Size, ...]: ...


def unflatten(layout: Layout, vector: Tensor) -> dict[str, Tensor]:
    """A vector [P] as parameters by name (views, no copy)."""
    pieces = torch.split(vector, [shape.numel() for shape in layout.shapes])
    triples = zip(layout.names, pieces, layout.shapes, strict=True)
    return {name: piece.view(shape) for name, piece, shape in triples}
