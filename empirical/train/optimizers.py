"""All update rules in torch: one table from a configuration to an optimizer."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from empirical.train.configuration import (
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
)


def softsign(gradient: Tensor, epsilon: float) -> Tensor:
    """u = g / √(g² + epsilon²), entry by entry; the sign of g at epsilon 0.

    epsilon has the unit of a gradient and stands inside the root (kexue.fm/archives/10563,
    section 2). Written with hypot, which neither overflows nor underflows in g².
    """
    # An epsilon that this type would round to nothing is 0 here: else 0 / 0 where g = 0.
    if epsilon < torch.finfo(gradient.dtype).tiny:
        return gradient.sign()
    return gradient / torch.hypot(gradient, gradient.new_full((), epsilon))


class SoftSignSGD(Optimizer):
    """theta <- theta (1 - lr weight_decay) - lr softsign(g, eps).

    Options of a parameter group: lr > 0, eps >= 0, weight_decay >= 0 (decoupled, as AdamW).
    It keeps no state between steps. Raises ValueError for options out of range.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        eps: float,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if not (group["lr"] >= 0 and group["eps"] >= 0 and group["weight_decay"] >= 0):
            del self.param_groups[-1]
            raise ValueError(
                f"got lr={group['lr']}, eps={group['eps']}, weight_decay={group['weight_decay']}; "
                "wanted none below 0; raise it"
            )

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
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.sub_(group["lr"] * softsign(parameter.grad, group["eps"]))
        return loss


def build_optimizer(
    parameters: Iterable[Parameter], config: OptimizerConfig, learning_rate: float
) -> Optimizer:
    """The optimizer that the configuration names, its learning rate still to be scheduled."""
    match config:
        case AdamWConfig():
            return AdamW(
                parameters,
                lr=learning_rate,
                betas=(config.first_decay, config.second_decay),
                eps=config.epsilon,
                weight_decay=config.weight_decay,
            )
        case SGDConfig():
            return SGD(
                parameters,
                lr=learning_rate,
                momentum=config.momentum,
                weight_decay=config.weight_decay,
            )
        case SignSGDConfig():
            return SoftSignSGD(parameters, learning_rate, 0.0, config.weight_decay)
        case SoftSignSGDConfig():
            return SoftSignSGD(parameters, learning_rate, config.epsilon, config.weight_decay)
