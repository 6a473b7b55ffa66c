"""From a configuration to an optimizer: one entry per rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn import Parameter
from torch.optim import SGD, Adafactor, Adam, AdamW, Optimizer

from empirical.errors import UsageError
from empirical.train.averages import half_lives, resolve
from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    AdamWConfig,
    MuonConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SignSGDConfig,
    SignumConfig,
    SoftSignSGDConfig,
    SqrtNumelSGDConfig,
)
from empirical.train.optimizers.muon import MuonWithAdamW
from empirical.train.optimizers.rounding import StochasticallyRounded
from empirical.train.optimizers.sgd_sai import SGDSaI
from empirical.train.optimizers.sign import SignSGD
from empirical.train.optimizers.softsign import SoftSignSGD
from empirical.train.parameter_roles import is_hidden_matrix

Parameters = nn.Module | Iterable[Parameter] | Iterable[tuple[str, Parameter]]
"""A module, its parameters, or its named parameters. Muon needs names: one of the outer two."""


def build_optimizer(
    parameters: Parameters,
    config: OptimizerConfig,
    learning_rate: float,
    *,
    tokens_per_step: float | None = None,
    foreach: bool | None = None,
    rounding: torch.Generator | None = None,
) -> Optimizer:
    """The optimizer that the configuration names, its learning rate still to be scheduled.

    tokens_per_step: makes decays of half-lives; `resolve` does the same and says what it clamped.
    foreach: as in torch's optimizers; Muon has none. rounding: bfloat16 parameters are updated in
    float32 and rounded stochastically with this generator.

    Raises UsageError for a half-life without tokens_per_step, no parameters, and for Muon without
    names.
    """
    if half_lives(config):
        if tokens_per_step is None:
            raise UsageError(
                f"got {next(iter(half_lives(config)))} for {config.name} without the tokens per "
                "step, wanted both; give tokens_per_step"
            )
        config = resolve(config, tokens_per_step).config
    names, tensors = _named(parameters)
    if not tensors:
        raise UsageError(f"got no parameters for {config.name}, wanted some; give a model with any")
    if rounding is None:
        return _build(names, tensors, config, learning_rate, foreach)
    return StochasticallyRounded(
        tensors, lambda copies: _build(names, copies, config, learning_rate, foreach), rounding
    )


def _named(parameters: Parameters) -> tuple[list[str | None], list[Parameter]]:
    """Names and tensors, in order; None where a parameter came without a name."""
    given: Iterable[Parameter] | Iterable[tuple[str, Parameter]] = (
        parameters.named_parameters() if isinstance(parameters, nn.Module) else parameters
    )
    names: list[str | None] = []
    tensors: list[Parameter] = []
    for one in given:
        name, tensor = (None, one) if isinstance(one, torch.Tensor) else one
        names.append(name)
        tensors.append(tensor)
    return names, tensors


def _build(
    names: Sequence[str | None],
    parameters: Sequence[Parameter],
    config: OptimizerConfig,
    learning_rate: float,
    foreach: bool | None,
) -> Optimizer:
    decay = config.weight_decay
    match config:
        case AdamWConfig() | AdamConfig():
            return (AdamW if isinstance(config, AdamWConfig) else Adam)(
                parameters,
                lr=learning_rate,
                betas=(config.first_decay, config.second_decay),
                eps=config.epsilon,
                weight_decay=decay,
                foreach=foreach,
            )
        case SGDConfig():
            return SGD(
                parameters,
                lr=learning_rate,
                momentum=config.momentum,
                weight_decay=decay,
                foreach=foreach,
            )
        case SignSGDConfig():
            return SignSGD(parameters, learning_rate, 0.0, decay, foreach=foreach)
        case SignumConfig():
            return SignSGD(parameters, learning_rate, config.momentum, decay, foreach=foreach)
        case SoftSignSGDConfig():
            return SoftSignSGD(
                parameters,
                learning_rate,
                config.epsilon,
                decay,
                first_decay=config.first_decay,
                foreach=foreach,
            )
        case AdafactorConfig():
            return Adafactor(
                parameters,
                lr=learning_rate,
                beta2_decay=config.second_decay_power,
                eps=(config.epsilon, config.smallest_scale),
                d=config.clipping,
                weight_decay=decay,
                foreach=foreach,
            )
        case MuonConfig():
            return _muon(names, parameters, config, learning_rate, foreach)
        case SGDSaIConfig() | SqrtNumelSGDConfig():
            by_gradient = isinstance(config, SGDSaIConfig)
            return SGDSaI(
                parameters,
                learning_rate,
                config.momentum,
                config.epsilon if isinstance(config, SGDSaIConfig) else 0.0,
                decay,
                normalize=config.variant == "paper",
                unbiased=config.variant == "code",
                scale_by="g-snr" if by_gradient else "sqrt-numel",
                foreach=foreach,
            )


def _muon(
    names: Sequence[str | None],
    parameters: Sequence[Parameter],
    config: MuonConfig,
    learning_rate: float,
    foreach: bool | None,
) -> MuonWithAdamW:
    hidden: list[Parameter] = []
    rest: list[Parameter] = []
    for name, parameter in zip(names, parameters, strict=True):
        if name is None:
            raise UsageError(
                "got parameters without names for muon, which treats hidden matrices apart from "
                "embeddings; give the model itself or model.named_parameters()"
            )
        (hidden if is_hidden_matrix(name, parameter.shape) else rest).append(parameter)
    return MuonWithAdamW(
        hidden,
        rest,
        learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
        scale=config.scale,
        betas=(config.first_decay, config.second_decay),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        foreach=foreach,
    )
