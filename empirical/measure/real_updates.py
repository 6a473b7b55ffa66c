"""The update that a torch optimizer would really make next, with the state that it is in.

u = (theta before - theta after) / learning rate, weight decay included. The optimizer and the
model are copied; theirs stay as they are. With several parameter groups the learning rates keep
their ratios, and u is in units of the first group's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from empirical.errors import UsageError
from empirical.measure.problem import Problem
from empirical.train.named_function import in_one_line

PROPORTIONAL = 1e-2
"""Relative difference of u at two learning rates up to which a step is proportional to it."""

RESOLVED = 1e-4
"""A step of this share of the parameters' norm is known to 1e-3 beside them in float32."""

RAISED, TRIALS = 1e3, 8
"""A step that is lost in the rounding is tried again at so many times the learning rate."""


@dataclass(frozen=True, eq=False)
class Stepper:
    """A copy of a model's parameters with a copy of its optimizer.

    parameters: in the order of the problem. learning_rate: the first group's, as it came.
    """

    optimizer: Optimizer
    parameters: tuple[nn.Parameter, ...]
    learning_rate: float

    def update(self, gradient: Tensor) -> Tensor:
        """u for a batch gradient [P], not rounded away beside the parameters; nothing is kept."""
        size, rate = float(self._vector().norm()), 1.0
        for _ in range(TRIALS):
            found = self.step_at(gradient, rate)
            moved = float(found.norm())
            if moved * rate >= RESOLVED * size or not bool((gradient != 0).any()):
                break
            # Proportional steps: a larger one shows the same u, which rounding had hidden.
            rate = max(RAISED * rate, 10 * RESOLVED * size / moved) if moved > 0 else RAISED * rate
        return found

    def step_at(self, gradient: Tensor, rate: float) -> Tensor:
        """u for a batch gradient [P] from a step at this learning rate; nothing is remembered."""
        with self._put_back():
            before = self._vector()
            self._load(gradient)
            first = self.optimizer.param_groups[0]["lr"]
            for group in self.optimizer.param_groups:
                group["lr"] = group["lr"] / first * rate if first > 0 else rate
            self._step()
            return (before - self._vector()) / rate

    def remember(self, gradient: Tensor) -> None:
        """Let the optimizer's averages take in a batch gradient [P]; the parameters stay."""
        before = [p.detach().clone() for p in self.parameters]
        self._load(gradient)
        self._step()
        with torch.no_grad():
            for parameter, old in zip(self.parameters, before, strict=True):
                parameter.copy_(old)

    def _step(self) -> None:
        try:
            self.optimizer.step()
        except (TypeError, RuntimeError) as error:
            raise UsageError(
                f"{type(self.optimizer).__name__} wants more than a gradient to step, or another "
                f"kind of it ({in_one_line(error)}); an optimizer with a plain step() on dense "
                "gradients is wanted"
            ) from None

    def _load(self, gradient: Tensor) -> None:
        start = 0
        for parameter in self.parameters:
            piece = gradient[start : start + parameter.numel()]
            parameter.grad = piece.view_as(parameter).clone()
            start += parameter.numel()

    def _vector(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.parameters])

    @contextmanager
    def _put_back(self) -> Iterator[None]:
        values = [p.detach().clone() for p in self.parameters]
        state = deepcopy(self.optimizer.state_dict())
        yield
        self.optimizer.load_state_dict(state)
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)
                parameter.grad = None


def stepper_of(model: nn.Module, optimizer: Optimizer, problem: Problem) -> Stepper:
    """Copies that can be stepped, for a problem posed from this model.

    Raises UsageError if the optimizer does not hold exactly the problem's parameters, or if its
    step is not proportional to its learning rate.
    """
    named = dict(model.named_parameters())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    missing = [name for name in problem.names if id(named[name]) not in held]
    if missing:
        raise UsageError(
            f"the optimizer does not hold {missing[0]!r}; all trainable parameters are wanted: "
            "build it from this model, or freeze what it leaves out"
        )
    copied, twin = deepcopy((model, optimizer))
    copied.float() if problem.point.dtype == torch.float32 else copied.double()
    parameters = dict(copied.named_parameters())
    for state in twin.state.values():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.is_floating_point() and value.dim():
                state[key] = value.to(problem.point.dtype)
    mine = tuple(parameters[name] for name in problem.names)
    rate: Any = optimizer.param_groups[0]["lr"]
    stepper = Stepper(twin, mine, float(rate))
    probe = torch.full_like(problem.point, 1e-3)
    whole, half = stepper.step_at(probe, 1.0), stepper.step_at(probe, 0.5)
    if float((whole - half).norm()) > PROPORTIONAL * float(whole.norm()):
        raise UsageError(
            f"a step of {type(optimizer).__name__} is not proportional to its learning rate; "
            "an optimizer of which it is, such as SGD or AdamW, is wanted"
        )
    return stepper
