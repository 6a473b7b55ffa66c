"""What the rules written here share: theta <- theta (1 - lr weight_decay) - lr u."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

ParametersOrGroups = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]

Tensors = list[Tensor] | tuple[Tensor, ...]
"""What torch's functions of many tensors take and give."""

NOT_NEGATIVE = ("lr", "eps", "weight_decay")
DECAYS = ("momentum", "first_decay")


class Descent(Optimizer, ABC):
    """theta <- theta (1 - lr weight_decay) - lr u, where a rule gives u from the gradients.

    Options of every parameter group: lr >= 0, weight_decay >= 0 (decoupled from the gradient, as
    in AdamW), foreach (one call per group instead of one per tensor; None: where all parameters
    are on a GPU). Raises ValueError for options out of range and for sparse or complex gradients.
    """

    def __init__(self, params: ParametersOrGroups, defaults: dict[str, Any]) -> None:
        super().__init__(params, {"weight_decay": 0.0, "foreach": None} | defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        small = [name for name in NOT_NEGATIVE if name in group and not group[name] >= 0]
        outside = [name for name in DECAYS if name in group and not 0 <= group[name] < 1]
        if small or outside:
            del self.param_groups[-1]
            came = ", ".join(f"{name}={group[name]}" for name in small + outside)
            wanted = "at least 0" if small else "at least 0 and below 1"
            raise ValueError(f"got {came}; wanted {wanted}; change it")

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update; a closure is called once, with gradients enabled, and its value returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        every = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if any(p.grad.is_sparse or p.grad.is_complex() for p in every):
            raise ValueError(
                f"got a sparse or complex gradient for {type(self).__name__}; wanted dense "
                "real ones; give such parameters an optimizer of their own"
            )
        self.look_at_gradients({parameter: parameter.grad for parameter in every})
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            if group["foreach"] or (group["foreach"] is None and _all_on_gpu(with_gradient)):
                if with_gradient:
                    self._descend_together(group, with_gradient)
            else:
                for parameter in with_gradient:
                    self._descend_alone(group, parameter)
        return loss

    def look_at_gradients(self, gradients: Mapping[Tensor, Tensor]) -> None:
        """Called before any parameter moves, with the gradients of all that have one."""
        return

    @abstractmethod
    def update(self, group: dict[str, Any], parameter: Tensor, gradient: Tensor) -> Tensor:
        """u of one tensor, in that tensor's shape; may be the gradient itself, never changed."""

    @abstractmethod
    def updates(self, group: dict[str, Any], parameters: Tensors, gradients: Tensors) -> Tensors:
        """u of many tensors: bit by bit what `update` gives for each."""

    def _descend_alone(self, group: dict[str, Any], parameter: Tensor) -> None:
        gradient = parameter.grad
        assert gradient is not None  # the caller has sorted out those without
        update = self.update(group, parameter, gradient)
        rate = float(group["lr"])
        if group["weight_decay"]:
            parameter.mul_(1 - rate * group["weight_decay"])
        parameter.add_(update, alpha=-rate)

    def _descend_together(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        updates = self.updates(group, parameters, gradients)
        rate = float(group["lr"])
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - rate * group["weight_decay"])
        torch._foreach_add_(parameters, updates, alpha=-rate)


def _all_on_gpu(parameters: Tensors) -> bool:
    return bool(parameters) and all(p.is_cuda for p in parameters)
