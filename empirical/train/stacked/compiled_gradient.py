"""Losses and gradients of R replicas by compiled kernels, on the CPU.

Letters in names: R replicas, B sequences, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from empirical.train.configuration import NetworkConfig
from empirical.train.stacked.compiled_operations import Operations
from empirical.train.stacked.compiled_pass import Pass
from empirical.train.stacked.layout import Layout

PART_TOKENS = 512
"""Tokens of each replica in one part of a batch, at least one sequence: enough for the products to
run at full speed, few enough for the activations of a small network to stay in the cache."""


class CompiledGradient:
    """See Gradient; weights and gradients are rows [R, P] on the CPU.

    A batch is worked off in parts small enough for the processor's cache. Their size depends on
    the shapes alone, so that results do. Raises UsageError where kernels cannot be built.
    """

    def __init__(
        self, config: NetworkConfig, layout: Layout, weights_RxP: Tensor, gradients_RxP: Tensor
    ) -> None:
        self._operations = Operations(config, layout, weights_RxP, gradients_RxP)
        self._gradients_RxP = gradients_RxP
        self._passes: dict[tuple[int, int], Pass] = {}

    @torch.no_grad()
    def __call__(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """See Gradient."""
        self._gradients_RxP.zero_()
        return self._losses(inputs_RxBxT, targets_RxBxT, backward=True).mean(1)

    @torch.no_grad()
    def sequence_losses(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor) -> Tensor:
        """See Gradient."""
        return self._losses(inputs_RxBxT, targets_RxBxT, backward=False)

    def _losses(self, inputs_RxBxT: Tensor, targets_RxBxT: Tensor, *, backward: bool) -> Tensor:
        replicas, sequences, tokens = inputs_RxBxT.shape
        self._operations.require(inputs_RxBxT, targets_RxBxT)
        scale = 1 / (sequences * tokens) if backward else 0.0
        losses_RxB = self._gradients_RxP.new_empty(replicas, sequences)
        at_once = max(1, min(sequences, PART_TOKENS // tokens))
        for start in range(0, sequences, at_once):
            part = slice(start, min(start + at_once, sequences))
            one = self._pass(part.stop - part.start, tokens)
            inputs = _contiguous(inputs_RxBxT[:, part])
            one.losses(inputs, _contiguous(targets_RxBxT[:, part]), losses_RxB[:, part], scale)
            if backward:
                one.backward(inputs)
        return losses_RxB

    def _pass(self, sequences: int, tokens: int) -> Pass:
        if (sequences, tokens) not in self._passes:
            self._passes[sequences, tokens] = Pass(self._operations, sequences, tokens)
        return self._passes[sequences, tokens]


def _contiguous(tokens_RxBxT: Tensor) -> Tensor:
    """The same tokens, contiguous within each replica; between replicas any stride will do."""
    return tokens_RxBxT if tokens_RxBxT[0].is_contiguous() else tokens_RxBxT.contiguous()
