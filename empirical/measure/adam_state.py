"""The state of a torch Adam or AdamW as vectors, and the update it makes next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer

from empirical.errors import UsageError
from empirical.measure.problem import Problem


@dataclass(frozen=True, eq=False)
class AdamState:
    """m, v and settings, laid out as the problem's parameters.

    first, second: m and v, [P] (v of AMSGrad: its maximum is taken when stepping). largest: that
    maximum, None without AMSGrad. steps: made so far, [P] (0 for parameters without a state).
    decay: weight decay, [P]. relative: learning rate of each parameter over the first group's, [P].
    decoupled: AdamW's decay, else it joins the gradient.
    """

    first: Tensor
    second: Tensor
    largest: Tensor | None
    steps: Tensor
    beta1: float
    beta2: float
    epsilon: float
    learning_rate: float
    decay: Tensor
    relative: Tensor
    decoupled: bool

    def update(self, gradient: Tensor, point: Tensor) -> Tensor:
        """The direction of the next step for a batch gradient [P] at theta [P].

        theta <- theta - learning_rate * direction, weight decay included:
        m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon), with epsilon outside the root.
        """
        if not self.decoupled:
            gradient = gradient + self.decay * point
        t = self.steps + 1
        first = torch.lerp(gradient, self.first, self.beta1)
        second = torch.lerp(gradient.square(), self.second, self.beta2)
        if self.largest is not None:
            second = torch.maximum(second, self.largest)
        root = (second / (1 - self.beta2**t)).sqrt()
        direction = first / (1 - self.beta1**t) / (root + self.epsilon)
        direction = torch.where(first == 0, torch.zeros_like(first), direction)
        if self.decoupled:
            direction = direction + self.decay * point
        return direction * self.relative

    def gain(self, gradient: Tensor, point: Tensor) -> Tensor:
        """How that direction moves with the gradient, its diagonal derivative, [P].

        With r the root, c1 = 1 - beta1^t, c2 = 1 - beta2^t:
        (1 - beta1) / (c1 (r + epsilon)) - m / (c1 (r + epsilon)^2) (1 - beta2) G / (c2 r), the
        second term only where this gradient is in AMSGrad's maximum; 0 where r + epsilon is 0.
        """
        if not self.decoupled:
            gradient = gradient + self.decay * point
        t = self.steps + 1
        first = torch.lerp(gradient, self.first, self.beta1)
        second = torch.lerp(gradient.square(), self.second, self.beta2)
        moves = torch.ones_like(second, dtype=torch.bool)
        if self.largest is not None:
            moves = second >= self.largest
            second = torch.maximum(second, self.largest)
        share = 1 - self.beta2**t
        root = (second / share).sqrt()
        below = root + self.epsilon
        turning = torch.where(root > 0, (1 - self.beta2) * gradient / (share * root), 0.0)
        turning = torch.where(moves, turning, 0.0)
        rise = (1 - self.beta1) - first * turning / below
        steep = rise / below / (1 - self.beta1**t)
        return torch.where(below > 0, steep, 0.0) * self.relative


def read_adam(optimizer: Optimizer, model: nn.Module, problem: Problem) -> AdamState:
    """The state of a model's optimizer, in the layout of a problem posed from that model.

    Raises UsageError for another optimizer, for groups that differ in betas, epsilon or AMSGrad,
    for `maximize`, and for parameters that it does not hold.
    """
    if not isinstance(optimizer, (Adam, AdamW)):
        raise UsageError(
            f"{type(optimizer).__name__} came; torch.optim.Adam or AdamW is wanted: for others "
            "use lr_find"
        )
    groups = optimizer.param_groups
    shared = {(*map(float, g["betas"]), float(g["eps"]), bool(g["amsgrad"])) for g in groups}
    if len(shared) != 1 or any(group["maximize"] for group in groups):
        raise UsageError(
            "parameter groups differ in betas, eps or amsgrad, or maximize; one setting that "
            "minimizes is wanted: use lr_find"
        )
    beta1, beta2, epsilon, amsgrad = shared.pop()
    decoupled = isinstance(optimizer, AdamW) or bool(groups[0].get("decoupled_weight_decay"))
    first_rate = float(groups[0]["lr"])
    settings = {id(p): group for group in groups for p in group["params"]}
    named = dict(model.named_parameters())
    columns: dict[str, list[Tensor]] = {
        name: [] for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step", "decay", "rate")
    }
    for name in problem.names:
        parameter = named[name]
        if id(parameter) not in settings:
            raise UsageError(f"the optimizer does not hold {name!r}; all parameters are wanted")
        group, state = settings[id(parameter)], optimizer.state.get(parameter, {})
        like = problem.point.new_zeros(parameter.numel())
        for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
            columns[key].append(state[key].to(like).reshape(-1) if key in state else like)
        rate = float(group["lr"]) / first_rate if first_rate > 0 else 1.0
        columns["step"].append(like + float(state.get("step", 0)))
        columns["decay"].append(like + float(group["weight_decay"]))
        columns["rate"].append(like + rate)
    joined = {key: torch.cat(pieces) for key, pieces in columns.items()}
    return AdamState(
        first=joined["exp_avg"],
        second=joined["exp_avg_sq"],
        largest=joined["max_exp_avg_sq"] if amsgrad else None,
        steps=joined["step"],
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        learning_rate=first_rate,
        decay=joined["decay"],
        relative=joined["rate"],
        decoupled=decoupled,
    )
