"""Update rules on rows [R, P]: one network per row, each with its own numbers.

A row is updated as a whole, by a few calls on one contiguous stretch that stays in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.averages import half_lives, resolve
from empirical.train.optimizer_configuration import (
    AdamConfig,
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SignumConfig,
    SoftSignSGDConfig,
)
from empirical.train.optimizers import softsign

Row = Mapping[str, Tensor]
"""The state of one row by name: weights [P], buffers [P] and `step`, the number of updates []."""

STACKED = ("sgd", "signsgd", "signum", "softsignsgd", "adam", "adamw")
"""Rules that work entry by entry, without looking at shapes."""


def can_stack(config: OptimizerConfig) -> bool:
    """Whether this rule has a stacked form."""
    return config.name in STACKED


class StackedOptimizer:
    """The rules of R rows: one configuration per row, all of one name.

    Buffers are `state[name]`, [R, P], and `state["step"]`, float32 [R], as torch's own. The rules
    are those of `build_optimizer`, entry by entry. tokens_per_step makes decays of half-lives.

    Raises UsageError for rules that cannot be stacked, for different names, and for a half-life
    without tokens_per_step.
    """

    def __init__(
        self,
        configs: Sequence[OptimizerConfig],
        weights_RxP: Tensor,
        *,
        tokens_per_step: float | None = None,
    ) -> None:
        names = sorted({config.name for config in configs})
        if len(names) != 1 or names[0] not in STACKED:
            raise UsageError(
                f"got {', '.join(names)} for one stack, wanted one of {', '.join(STACKED)}; train "
                "others one by one"
            )
        if len(configs) != len(weights_RxP):
            raise UsageError(
                f"got {len(configs)} optimizers for {len(weights_RxP)} replicas; give one each"
            )
        configs = [_resolved(config, tokens_per_step) for config in configs]
        self._rules = [_rule(config) for config in configs]
        self.state: dict[str, Tensor] = {
            name: torch.zeros_like(weights_RxP)
            for name in sorted({name for config in configs for name in _buffers(config)})
        }
        self.state["step"] = torch.zeros(len(configs))
        self._rows = [
            {"weights": weights_RxP[row], **{name: kept[row] for name, kept in self.state.items()}}
            for row in range(len(configs))
        ]

    @torch.no_grad()
    def step(self, gradients_RxP: Tensor, learning_rates: Sequence[float]) -> None:
        """One update of every row in place; the gradients may be overwritten."""
        for rule, row, gradient, rate in zip(
            self._rules, self._rows, gradients_RxP, learning_rates, strict=True
        ):
            rule(row, gradient, rate)


Rule = Callable[[Row, Tensor, float], None]


def _resolved(config: OptimizerConfig, tokens_per_step: float | None) -> OptimizerConfig:
    if not (given := half_lives(config)):
        return config
    if tokens_per_step is None:
        raise UsageError(
            f"got {next(iter(given))} for {config.name} without the tokens per step, wanted both; "
            "give tokens_per_step"
        )
    return resolve(config, tokens_per_step).config


def _buffers(config: OptimizerConfig) -> tuple[str, ...]:
    """What the rule keeps between steps, by the names that torch and the plain rules give it."""
    match config:
        case AdamWConfig() | AdamConfig():
            return ("exp_avg", "exp_avg_sq")
        case SGDConfig() | SignumConfig():
            return ("momentum_buffer",) if config.momentum else ()
        case SoftSignSGDConfig():
            return ("exp_avg",) if config.first_decay else ()
        case _:
            return ()


def _rule(config: OptimizerConfig) -> Rule:
    match config:
        case AdamWConfig() | AdamConfig():
            return _adaptive(config)
        case SGDConfig():
            return _gradient_descent(config.momentum, config.weight_decay)
        case SignSGDConfig():
            return _sign(0.0, config.weight_decay)
        case SignumConfig():
            return _sign(config.momentum, config.weight_decay)
        case SoftSignSGDConfig():
            return _softsign(config)
        case _:
            raise UsageError(f"got {config.name}, which has no stacked form; train it alone")


def _adaptive(config: AdamWConfig | AdamConfig) -> Rule:
    # What torch.optim calls with fused=True; its own wrappers cost as much as a small network.
    fused = torch._fused_adamw_ if isinstance(config, AdamWConfig) else torch._fused_adam_

    def update(row: Row, gradient: Tensor, rate: float) -> None:
        row["step"].add_(1)
        fused(
            [row["weights"]],
            [gradient],
            [row["exp_avg"]],
            [row["exp_avg_sq"]],
            [],
            [row["step"]],
            lr=rate,
            beta1=config.first_decay,
            beta2=config.second_decay,
            weight_decay=config.weight_decay,
            eps=config.epsilon,
            amsgrad=False,
            maximize=False,
        )

    return update


def _gradient_descent(momentum: float, decay: float) -> Rule:
    def update(row: Row, gradient: Tensor, rate: float) -> None:
        if decay:
            gradient.add_(row["weights"], alpha=decay)
        if momentum:
            gradient = row["momentum_buffer"].mul_(momentum).add_(gradient)
        row["weights"].add_(gradient, alpha=-rate)

    return update


def _sign(momentum: float, decay: float) -> Rule:
    def update(row: Row, gradient: Tensor, rate: float) -> None:
        if momentum:
            gradient = row["momentum_buffer"].lerp_(gradient, 1 - momentum)
        _descend(row, gradient.sign(), rate, decay)

    return update


def _softsign(config: SoftSignSGDConfig) -> Rule:
    decay = config.first_decay

    def update(row: Row, gradient: Tensor, rate: float) -> None:
        if decay:
            row["step"].add_(1)
            average = row["exp_avg"].lerp_(gradient, 1 - decay)
            gradient = average / (1 - decay ** int(row["step"]))
        _descend(row, softsign(gradient, config.epsilon), rate, config.weight_decay)

    return update


def _descend(row: Row, update: Tensor, rate: float, decay: float) -> None:
    if decay:
        row["weights"].mul_(1 - rate * decay)
    row["weights"].add_(update, alpha=-rate)
