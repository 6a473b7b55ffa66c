"""SignSGD and Signum: the sign of the gradient, or of its average."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from empirical.train.optimizers.descent import Descent, ParametersOrGroups, Tensors


class SignSGD(Descent):
    """u = sign(m), m <- momentum m + (1 - momentum) g from m = 0; the sign of 0 is 0.

    momentum 0 is SignSGD and keeps no state; above 0 it is Signum (arXiv 1802.04434, algorithm
    2), with one buffer per tensor. lr is the distance that every entry moves.
    """

    def __init__(
        self,
        params: ParametersOrGroups,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "foreach": foreach},
        )

    def update(self, group: dict[str, Any], parameter: Tensor, gradient: Tensor) -> Tensor:
        """sign(m) of one tensor."""
        if group["momentum"] == 0:
            return gradient.sign()
        return self._buffer(parameter).lerp_(gradient, 1 - group["momentum"]).sign()

    def updates(self, group: dict[str, Any], parameters: Tensors, gradients: Tensors) -> Tensors:
        """sign(m) of many tensors."""
        if group["momentum"] == 0:
            return torch._foreach_sign(gradients)
        buffers = [self._buffer(parameter) for parameter in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        return torch._foreach_sign(buffers)

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer
