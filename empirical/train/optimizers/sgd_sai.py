"""SGD-SaI: momentum SGD with one learning-rate scale per tensor, fixed by its first gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from empirical.train.optimizers.descent import Descent, ParametersOrGroups, Tensors
from empirical.train.optimizers.tensor_scale import g_snr, sqrt_numel

ScaleBy = Literal["g-snr", "sqrt-numel"]


class SGDSaI(Descent):
    """u = s m, m <- momentum m + (1 - momentum) g from m = the first g (arXiv 2412.11768).

    s is fixed at the tensor's first gradient that is not zero. With `normalize` it is over the
    largest of all tensors at the first step; a tensor whose gradient appears later is divided by
    that same number and may have s > 1. As the paper writes it: normalize, biased variance. As the
    package sgd-sai 1.0.3 computes it: normalize=False, unbiased=True. scale_by "sqrt-numel" takes
    the root of the tensor's size instead and looks at no gradient.

    The scales are part of state_dict (`snr` and `largest_snr` of a tensor): a resumed run keeps
    them. They belong to whole tensors; of a sharded tensor each shard would get its own.
    Weight decay is decoupled and not scaled. State: one buffer, none where momentum is 0.
    """

    def __init__(
        self,
        params: ParametersOrGroups,
        lr: float = 1e-2,
        momentum: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        normalize: bool = True,
        unbiased: bool = False,
        scale_by: ScaleBy = "g-snr",
        foreach: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "eps": eps,
                "weight_decay": weight_decay,
                "normalize": normalize,
                "unbiased": unbiased,
                "scale_by": scale_by,
                "foreach": foreach,
            },
        )

    def look_at_gradients(self, gradients: Mapping[Tensor, Tensor]) -> None:
        """Fix the scale of every tensor that has none and whose gradient is not zero."""
        found: dict[Tensor, float] = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter in gradients and "snr" not in self.state.get(parameter, {}):
                    snr = _scale(group, gradients[parameter])
                    if snr is not None:
                        found[parameter] = snr
        if not found:
            return
        known = [state["largest_snr"] for state in self.state.values() if "snr" in state]
        largest = known[0] if known else max(found.values())
        for parameter, snr in found.items():
            # Numbers, not tensors: torch would round a tensor to the parameter's type when it
            # loads the state.
            self.state[parameter] |= {"snr": snr, "largest_snr": largest}

    def update(self, group: dict[str, Any], parameter: Tensor, gradient: Tensor) -> Tensor:
        """s m of one tensor."""
        (average,) = self._averages(group, [parameter], [gradient], foreach=False)
        return average * self._scale_of(group, parameter)

    def updates(self, group: dict[str, Any], parameters: Tensors, gradients: Tensors) -> Tensors:
        """s m of many tensors."""
        averages = self._averages(group, parameters, gradients, foreach=True)
        return torch._foreach_mul(averages, [self._scale_of(group, p) for p in parameters])

    def _scale_of(self, group: dict[str, Any], parameter: Tensor) -> float:
        state = self.state[parameter]
        if "snr" not in state:
            # All gradients were zero so far (or not finite, which is left to be seen).
            return 0.0
        snr: float = state["snr"]
        return snr / float(state["largest_snr"]) if group["normalize"] else snr

    def _averages(
        self,
        group: dict[str, Any],
        parameters: Tensors,
        gradients: Tensors,
        *,
        foreach: bool,
    ) -> Tensors:
        if group["momentum"] == 0:
            return gradients
        old: list[tuple[Tensor, Tensor]] = []
        averages = []
        for parameter, gradient in zip(parameters, gradients, strict=True):
            state = self.state[parameter]
            if "snr" not in state:
                averages.append(gradient)
                continue
            if "momentum_buffer" in state:
                old.append((state["momentum_buffer"], gradient))
            else:
                state["momentum_buffer"] = gradient.detach().clone()
            averages.append(state["momentum_buffer"])
        if foreach and old:
            buffers, news = zip(*old, strict=True)
            torch._foreach_lerp_(buffers, news, 1 - group["momentum"])
        else:
            for buffer, new in old:
                buffer.lerp_(new, 1 - group["momentum"])
        return averages


def _scale(group: dict[str, Any], gradient: Tensor) -> float | None:
    if group["scale_by"] == "sqrt-numel":
        return sqrt_numel(gradient)
    return g_snr(gradient, group["eps"], unbiased=group["unbiased"])
