"""Optimizers of the laboratory: gradient and memory in, direction and memory out.

theta <- theta - eta u. Each is a table-like value with no parameters of its own to tune but the
learning rate; everything broadcasts over leading axes, so that one call steps many runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling_theory.errors import InputError, require_decay, require_not_negative
from scaling_theory.laboratory.quadratic import FloatArray
from scaling_theory.updates import UPDATE_RULES

Memory = tuple[FloatArray, ...]


@dataclass(frozen=True)
class Optimizer:
    """An update u of the batch gradient and of the past.

    direction(gradient [..., P], memory, step) -> (u [..., P], memory); `step` counts from 1.
    buffers: arrays shaped like the gradient that the memory holds, zero at the start.
    memory_steps: steps after which the start is forgotten to one part in e (0: no memory).
    """

    name: str
    buffers: int
    memory_steps: float
    direction: Callable[[FloatArray, Memory, int], tuple[FloatArray, Memory]]

    def start(self, shape: tuple[int, ...]) -> Memory:
        """The memory before the first step."""
        return tuple(np.zeros(shape) for _ in range(self.buffers))


def rule_optimizer(
    rule: str, epsilon: float = 0.0, beta1: float = 0.0, bias_correction: bool = False
) -> Optimizer:
    """u = phi_epsilon(m), m <- beta_1 m + (1 - beta_1) g~ from m = 0.

    rule: a name of UPDATE_RULES ("sgd", "signsgd", "softsignsgd"); epsilon in units of a gradient,
    inside the root. beta_1 = 0 is the rule itself. bias_correction divides m by 1 - beta_1^t, as
    Adam does. Raises InputError for an unknown rule, a
    negative epsilon or beta_1 outside [0, 1).
    """
    if rule not in UPDATE_RULES:
        raise InputError(f"update rule {rule!r}; wanted one of {', '.join(UPDATE_RULES)}")
    require_decay(beta1, "beta1")
    require_not_negative(epsilon, "epsilon", "give a gradient scale")
    apply = UPDATE_RULES[rule].apply
    label = rule + (f"(epsilon={epsilon:g})" if rule == "softsignsgd" else "")
    if beta1 == 0.0:
        return Optimizer(label, 0, 0.0, lambda g, memory, step: (apply(g, epsilon), memory))

    def direction(gradient: FloatArray, memory: Memory, step: int) -> tuple[FloatArray, Memory]:
        average = beta1 * memory[0] + (1.0 - beta1) * gradient
        weight = 1.0 - beta1**step if bias_correction else 1.0
        return apply(average / weight, epsilon), (average,)

    return Optimizer(f"{label} beta1={beta1:g}", 1, 1.0 / (1.0 - beta1), direction)


def adam(
    beta1: float = 0.9, beta2: float = 0.99, epsilon: float = 0.0, bias_correction: bool = True
) -> Optimizer:
    """Adam: u = m / (sqrt(v) + epsilon), epsilon outside the root as in torch, in gradient units.

    bias_correction divides m by 1 - beta_1^t and v by 1 - beta_2^t. Raises InputError for a
    negative epsilon or a beta outside [0, 1). 0/0 (no gradient at all, epsilon = 0) is no step.
    """
    require_decay(beta1, "beta1")
    require_decay(beta2, "beta2")
    require_not_negative(epsilon, "epsilon", "give a gradient scale")

    def direction(gradient: FloatArray, memory: Memory, step: int) -> tuple[FloatArray, Memory]:
        m = beta1 * memory[0] + (1.0 - beta1) * gradient
        v = beta2 * memory[1] + (1.0 - beta2) * gradient**2
        first, second = (1.0 - beta1**step, 1.0 - beta2**step) if bias_correction else (1.0, 1.0)
        scale = np.sqrt(v / second) + epsilon
        update = np.divide(m / first, scale, out=np.zeros_like(scale), where=scale > 0)
        return update, (m, v)

    name = f"adam beta1={beta1:g} beta2={beta2:g} epsilon={epsilon:g}"
    longest = max(beta1, beta2)
    return Optimizer(name, 2, 1.0 / (1.0 - longest) if longest else 0.0, direction)
