"""Muon for hidden matrices and AdamW for the rest, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

# What torch calls the two ways to scale an orthogonalised matrix.
SCALES: dict[str, str] = {"adamw": "match_rms_adamw", "original": "original"}


class MuonWithAdamW(Optimizer):
    """torch's Muon for `hidden` (matrices only) and torch's AdamW for `rest`, one step for both.

    Parameter groups say which rule they follow (option rule: "muon" or "adamw"), so that a group
    that is added must say it too; the options of each are torch's. Both have the learning rate lr;
    see MuonConfig for `scale`, which makes that sensible. Raises ValueError where `hidden` has
    something that is no matrix.
    """

    def __init__(
        self,
        hidden: Iterable[Tensor],
        rest: Iterable[Tensor],
        lr: float,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        scale: Literal["adamw", "original"] = "adamw",
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        foreach: bool | None = None,
    ) -> None:
        hidden, rest = list(hidden), list(rest)
        self._parts: dict[str, Optimizer] = {}
        if hidden:
            self._parts["muon"] = Muon(
                hidden,
                lr=lr,
                weight_decay=weight_decay,
                momentum=momentum,
                nesterov=nesterov,
                adjust_lr_fn=SCALES[scale],
            )
        if rest:
            self._parts["adamw"] = AdamW(
                rest, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach
            )
        groups = [
            {**group, "rule": rule}
            for rule, part in self._parts.items()
            for group in part.param_groups
        ]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; the group's `rule` names the optimizer that it belongs to."""
        rule = param_group.get("rule")
        if rule not in self._parts:
            raise ValueError(
                f"got a group with rule {rule!r}, wanted one of {', '.join(self._parts)}; name it"
            )
        # torch fills in the options that the group leaves open, and checks the others.
        template = self._parts[rule].defaults
        super().add_param_group({**template, **param_group})

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
        for rule, part in self._parts.items():
            # Linked at each step, as loading a state replaces both.
            part.state = self.state
            part.param_groups = [group for group in self.param_groups if group["rule"] == rule]
            part.step()
        return loss
