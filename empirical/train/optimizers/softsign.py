"""SoftSignSGD: a smooth step between the sign of the gradient and the gradient, set by epsilon."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from empirical.train.optimizers.descent import Descent, ParametersOrGroups, Tensors


def softsign(gradient: Tensor, epsilon: float) -> Tensor:
    """u = g / √(g² + epsilon²), entry by entry; the sign of g at epsilon 0.

    epsilon has the unit of a gradient and stands inside the root (kexue.fm/archives/10563,
    section 2). Written with hypot, which neither overflows nor underflows in g².
    """
    # An epsilon that this type would round to nothing is 0 here: else 0 / 0 where g = 0.
    if epsilon < torch.finfo(gradient.dtype).tiny:
        return gradient.sign()
    return gradient / torch.hypot(gradient, gradient.new_full((), epsilon))


class SoftSignSGD(Descent):
    """u = softsign(m, eps); m is the gradient, or its average where first_decay > 0.

    The average is that of Adam, m_t = first_decay m_(t-1) + (1 - first_decay) g from m_0 = 0,
    divided by 1 - first_decay^t so that m has the size of a gradient, which eps is compared with,
    from the first step on. eps >= 0; first_decay in [0, 1), where 0 keeps no state.
    """

    def __init__(
        self,
        params: ParametersOrGroups,
        lr: float,
        eps: float,
        weight_decay: float = 0.0,
        *,
        first_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "eps": eps,
                "weight_decay": weight_decay,
                "first_decay": first_decay,
                "foreach": foreach,
            },
        )

    def update(self, group: dict[str, Any], parameter: Tensor, gradient: Tensor) -> Tensor:
        """softsign(m, eps) of one tensor."""
        decay = group["first_decay"]
        if decay == 0:
            return softsign(gradient, group["eps"])
        average, steps = self._average(parameter)
        average.lerp_(gradient, 1 - decay)
        return softsign(average / (1 - decay**steps), group["eps"])

    def updates(self, group: dict[str, Any], parameters: Tensors, gradients: Tensors) -> Tensors:
        """softsign(m, eps) of many tensors; torch has no hypot of many."""
        decay = group["first_decay"]
        if decay == 0:
            return [softsign(gradient, group["eps"]) for gradient in gradients]
        averages, steps = zip(*(self._average(p) for p in parameters), strict=True)
        torch._foreach_lerp_(averages, gradients, 1 - decay)
        unbiased = torch._foreach_div(averages, [1 - decay**step for step in steps])
        return [softsign(average, group["eps"]) for average in unbiased]

    def _average(self, parameter: Tensor) -> tuple[Tensor, int]:
        """The average so far and the number of this step, from 1."""
        state = self.state[parameter]
        if "step" not in state:
            state["step"], state["exp_avg"] = 0, torch.zeros_like(parameter)
        state["step"] += 1
        return state["exp_avg"], state["step"]
