"""Losses and gradients of R replicas by torch's own differentiation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from empirical.train.configuration import NetworkConfig
from empirical.train.stacked.layout import Layout
from empirical.train.stacked.network import stacked_losses

StackedLosses = Callable[[Mapping[str, Tensor], NetworkConfig, Tensor, Tensor], Tensor]


class Gradient(Protocol):
    """What a stack's step needs of the network: losses, and the gradient of each replica's own."""

    def __call__(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """Mean losses of the batches [R]; their gradients are then in `gradients_RxP`."""
        ...

    def sequence_losses(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """Loss of each sequence, [R, B]."""
        ...


class DifferentiatedGradient:
    """torch.autograd on the stacked network, with an optional compiled form of it."""

    def __init__(
        self,
        config: NetworkConfig,
        layout: Layout,
        weights_RxP: Tensor,
        gradients_RxP: Tensor,
        losses: StackedLosses = stacked_losses,
    ) -> None:
        self._config, self._losses = config, losses
        self._weights = {
            name: view.detach().requires_grad_() for name, view in layout.views(weights_RxP).items()
        }
        self._leaves = list(self._weights.values())
        self._gradients = list(layout.views(gradients_RxP).values())

    def __call__(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """See Gradient."""
        losses_R = self._losses(self._weights, self._config, inputs_RxBxT, targets_RxBxT).mean(1)
        # A replica's loss depends on its own weights alone: the sum has everyone's gradient.
        found = torch.autograd.grad(losses_R.sum(), self._leaves)
        torch._foreach_copy_(self._gradients, found)
        return losses_R.detach()

    @torch.no_grad()
    def sequence_losses(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """See Gradient."""
        return self._losses(self._weights, self._config, inputs_RxBxT, targets_RxBxT)
