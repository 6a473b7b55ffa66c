"""bfloat16 parameters with stochastic rounding, for any optimizer.

A bfloat16 has 8 significant bits: an update below 1/512 of a weight rounds to nothing every time.
Rounded up or down at random, with probabilities that keep the mean, the weights follow on average
(arXiv 2010.06192; used with small batches in arXiv 2507.07101).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from empirical.train.optimizers.descent import Descent

GENERATOR = "rounding_generator"

AT_ONCE = 2**24
"""Numbers that exist in float32 at one time, where no single tensor has more."""


def round_stochastically(values: Tensor, generator: torch.Generator) -> Tensor:
    """float32 values as bfloat16, one of the two neighbours each, with the values as the mean.

    The low 16 bits of a float32 are what bfloat16 drops: a uniform 16-bit number is added to
    them, and the carry rounds up. NaN and infinities stay. The bits are drawn on the generator's
    own device, so that a generator on the CPU gives every device the same.
    """
    noise = torch.randint(
        0, 2**16, values.shape, generator=generator, device=generator.device, dtype=torch.int32
    ).to(values.device)
    rounded = (values.view(torch.int32) + noise).bitwise_and_(-(2**16)).view(torch.float32)
    return torch.where(values.isfinite(), rounded, values).to(torch.bfloat16)


class StochasticallyRounded(Optimizer):
    """Another optimizer's steps in float32 on bfloat16 parameters, rounded stochastically.

    build: from float32 parameters to the optimizer; its state is float32. The optimizer takes its
    step for some tensors at a time, of `at_once` numbers or one tensor, which alone then exist in
    float32, parameter and gradient.
    Parameters of another type are left to the optimizer as they are. state_dict holds the
    optimizer's state and the generator's, so that a resumed run rounds as it would have.
    Replicas of one model need generators of one seed, or they drift apart.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        build: Callable[[list[Parameter]], Optimizer],
        generator: torch.Generator,
        *,
        at_once: int = AT_ONCE,
    ) -> None:
        self._generator, self._at_once = generator, at_once
        real = list(params)
        self._shadows = {parameter: Parameter(_no_memory(parameter)) for parameter in real}
        self._inner = build([self._shadows[parameter] for parameter in real])
        back = {id(shadow): parameter for parameter, shadow in self._shadows.items()}
        groups = [
            {**group, "params": [back[id(shadow)] for shadow in group["params"]]}
            for group in self._inner.param_groups
        ]
        super().__init__(groups, self._inner.defaults)
        self.state = self._inner.state

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with the options of the optimizer inside."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        if len(self.param_groups) > len(self._inner.param_groups):
            self._shadows |= {p: Parameter(_no_memory(p)) for p in group["params"]}
            shadows = [self._shadows[parameter] for parameter in group["params"]]
            self._inner.add_param_group({**group, "params": shadows})

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
        gradients = {p: p.grad for p in self._shadows if p.grad is not None}
        _copy_options(self.param_groups, self._inner.param_groups)
        if isinstance(self._inner, Descent):
            # A rule that compares tensors with each other sees them all, not a part at a time.
            self._inner.look_at_gradients({self._shadows[p]: g for p, g in gradients.items()})
        for part in self._parts(gradients):
            self._step_with({parameter: gradients[parameter] for parameter in part})
        return loss

    def _parts(self, parameters: Iterable[Tensor]) -> Iterator[list[Tensor]]:
        part: list[Tensor] = []
        for parameter in parameters:
            if part and sum(p.numel() for p in part) + parameter.numel() > self._at_once:
                yield part
                part = []
            part.append(parameter)
        if part:
            yield part

    def _step_with(self, gradients: Mapping[Tensor, Tensor]) -> None:
        """The step of these tensors, which alone have a gradient that the optimizer sees."""
        for parameter, gradient in gradients.items():
            shadow = self._shadows[parameter]
            half = parameter.dtype == torch.bfloat16
            shadow.data = parameter.float() if half else parameter.data
            shadow.grad = gradient.float() if half else gradient
        self._inner.step()
        for parameter in gradients:
            shadow = self._shadows[parameter]
            if parameter.dtype == torch.bfloat16:
                parameter.copy_(round_stochastically(shadow.data, self._generator))
            shadow.grad, shadow.data = None, _no_memory(parameter)

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer inside, and the generator's."""
        _copy_options(self.param_groups, self._inner.param_groups)
        return {**self._inner.state_dict(), GENERATOR: self._generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._inner.load_state_dict({k: v for k, v in state_dict.items() if k != GENERATOR})
        self._generator.set_state(state_dict[GENERATOR].cpu())
        self.state = self._inner.state
        _copy_options(self._inner.param_groups, self.param_groups)


def _no_memory(parameter: Tensor) -> Tensor:
    """A tensor of the parameter's shape, in float32 for bfloat16, with the memory of one number."""
    dtype = torch.float32 if parameter.dtype == torch.bfloat16 else parameter.dtype
    return torch.zeros((), device=parameter.device, dtype=dtype).expand(parameter.shape)


def _copy_options(source: list[dict[str, Any]], target: list[dict[str, Any]]) -> None:
    for one, other in zip(source, target, strict=True):
        other.update({name: value for name, value in one.items() if name != "params"})
