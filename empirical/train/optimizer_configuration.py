"""The optimizers that can be configured, each a frozen model known by its name; no torch here."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar, get_args

from pydantic import Field

from empirical.errors import UsageError
from empirical.settings import DecayRate, FrozenModel, NonNegativeFloat, PositiveFloat, checked
from empirical.train.averages import AveragesConfig, HalfLife

Config = TypeVar("Config", bound=FrozenModel)


class AdamWConfig(AveragesConfig):
    """torch's AdamW; epsilon is added outside the root: m / (√v + epsilon)."""

    name: Literal["adamw"] = "adamw"
    first_decay: DecayRate = 0.9
    first_half_life_tokens: HalfLife | None = None
    second_decay: DecayRate = 0.95
    second_half_life_tokens: HalfLife | None = None
    epsilon: NonNegativeFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0


class AdamConfig(AveragesConfig):
    """torch's Adam: AdamW whose weight decay is added to the gradient; one rule where it is 0."""

    name: Literal["adam"] = "adam"
    first_decay: DecayRate = 0.9
    first_half_life_tokens: HalfLife | None = None
    second_decay: DecayRate = 0.95
    second_half_life_tokens: HalfLife | None = None
    epsilon: NonNegativeFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0


class SGDConfig(AveragesConfig):
    """torch's SGD; momentum 0 is plain gradient descent on the batch.

    The buffer is a sum, b <- momentum b + g, without the factor 1 - momentum; weight decay is
    added to the gradient.
    """

    name: Literal["sgd"] = "sgd"
    momentum: DecayRate = 0.0
    momentum_half_life_tokens: HalfLife | None = None
    weight_decay: NonNegativeFloat = 0.0


class SignSGDConfig(FrozenModel):
    """The sign of the batch gradient: SoftSignSGD at epsilon 0."""

    name: Literal["signsgd"] = "signsgd"
    weight_decay: NonNegativeFloat = 0.0


class SignumConfig(AveragesConfig):
    """The sign of the averaged gradient m <- momentum m + (1 - momentum) g (arXiv 1802.04434)."""

    name: Literal["signum"] = "signum"
    momentum: DecayRate = 0.9
    momentum_half_life_tokens: HalfLife | None = None
    weight_decay: NonNegativeFloat = 0.0


class SoftSignSGDConfig(AveragesConfig):
    """m / √(m² + epsilon²): epsilon is inside the root and has the unit of a gradient.

    m is the batch gradient, or where first_decay > 0 its average, as in Adam without its bias.
    """

    name: Literal["softsignsgd"] = "softsignsgd"
    epsilon: NonNegativeFloat
    first_decay: DecayRate = 0.0
    first_half_life_tokens: HalfLife | None = None
    weight_decay: NonNegativeFloat = 0.0


class AdafactorConfig(FrozenModel):
    """torch's Adafactor (arXiv 1804.04235): the second moment of a matrix as row x column.

    Its second decay is 1 - t^second_decay_power at step t: no half-life belongs to it. The step
    is relative: learning rate (at most 1/√t) times the rms of the tensor's weights (at least
    smallest_scale). epsilon bounds the root of v below, and v's mean over a row as it stands,
    which with torch's own default of 1e-7 acts on every gradient smaller than 3e-4.
    """

    name: Literal["adafactor"] = "adafactor"
    second_decay_power: Annotated[float, Field(ge=-1, le=0)] = -0.8
    # The square of a smaller one is 0 in float32, and 0 / 0 where a gradient is 0.
    epsilon: Annotated[float, Field(ge=1e-18, le=1.0)] = 1e-18
    smallest_scale: PositiveFloat = 1e-3
    clipping: Annotated[float, Field(ge=1.0, le=1e30)] = 1.0
    weight_decay: NonNegativeFloat = 0.0


class MuonConfig(AveragesConfig):
    """torch's Muon for the hidden matrices, AdamW for embeddings, vectors and unembedding.

    One learning rate serves both: with scale "adamw" an orthogonalised update is multiplied by
    0.2 √max(rows, columns), which gives it the rms of a usual AdamW update (arXiv 2502.16982);
    "original" multiplies by √max(1, rows / columns) (kellerjordan.github.io/posts/muon). momentum
    belongs to Muon, first_decay, second_decay and epsilon to AdamW, weight_decay to both.
    """

    name: Literal["muon"] = "muon"
    momentum: DecayRate = 0.95
    momentum_half_life_tokens: HalfLife | None = None
    nesterov: bool = True
    scale: Literal["adamw", "original"] = "adamw"
    first_decay: DecayRate = 0.9
    first_half_life_tokens: HalfLife | None = None
    second_decay: DecayRate = 0.95
    second_half_life_tokens: HalfLife | None = None
    epsilon: NonNegativeFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0


class SGDSaIConfig(AveragesConfig):
    """SGD with momentum, each tensor's learning rate scaled once by its g-SNR (arXiv 2412.11768).

    variant "paper": divided by the largest g-SNR of all tensors, biased variance; "code": as the
    package sgd-sai 1.0.3 computes, undivided and with the unbiased variance. epsilon is added to
    the standard deviation of the gradient's entries.
    """

    name: Literal["sgd-sai"] = "sgd-sai"
    variant: Literal["paper", "code"] = "paper"
    momentum: DecayRate = 0.9
    momentum_half_life_tokens: HalfLife | None = None
    epsilon: NonNegativeFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0


class SqrtNumelSGDConfig(AveragesConfig):
    """SGD-SaI with √(number of entries) of a tensor for its g-SNR: no gradient is looked at.

    variant "paper": over the largest such root of all tensors; "code": undivided.
    """

    name: Literal["sqrt-numel-sgd"] = "sqrt-numel-sgd"
    variant: Literal["paper", "code"] = "paper"
    momentum: DecayRate = 0.9
    momentum_half_life_tokens: HalfLife | None = None
    weight_decay: NonNegativeFloat = 0.0


OptimizerConfig = Annotated[
    AdamWConfig
    | AdamConfig
    | SGDConfig
    | SignSGDConfig
    | SignumConfig
    | SoftSignSGDConfig
    | AdafactorConfig
    | MuonConfig
    | SGDSaIConfig
    | SqrtNumelSGDConfig,
    Field(discriminator="name"),
]

OPTIMIZERS: dict[str, type[FrozenModel]] = {
    model.model_fields["name"].default: model for model in get_args(get_args(OptimizerConfig)[0])
}
"""Configuration by name, as it is written in files and on the command line."""

ANY_EPSILON = 1e-8
"""Of an optimizer that has to be given one, where no number is looked at."""


def name_of(config: FrozenModel) -> str:
    """The name by which an optimizer is chosen."""
    return str(type(config).model_fields["name"].default)


def optimizer_named(name: str, epsilon: float | None = None) -> OptimizerConfig:
    """The optimizer of that name as it comes, or with this epsilon.

    Raises UsageError for an unknown name, an epsilon that it does not have, and one that it needs.
    """
    model = _model_named(name)
    if epsilon is None and needs_epsilon(model):
        raise UsageError(f"{name} came without its epsilon; give one, such as 1e-3")
    if epsilon is not None and "epsilon" not in model.model_fields:
        raise UsageError(no_epsilon(name, f"epsilon {epsilon:g}"))
    given = {} if epsilon is None else {"epsilon": epsilon}
    found: OptimizerConfig = checked(model, given, {})  # type: ignore[assignment]  # of the union
    return found


def optimizer_to_time(name: str) -> OptimizerConfig:
    """The optimizer of that name where its numbers do not matter, as in the time of a step.

    An epsilon that has to be given is `ANY_EPSILON`. Raises UsageError for an unknown name.
    """
    return optimizer_named(name, ANY_EPSILON if needs_epsilon(_model_named(name)) else None)


def has_epsilon(config: FrozenModel) -> bool:
    """Whether the optimizer has an epsilon that can be set."""
    return "epsilon" in type(config).model_fields


def needs_epsilon(model: type[FrozenModel]) -> bool:
    """Whether an optimizer of this kind has an epsilon without a default."""
    entry = model.model_fields.get("epsilon")
    return entry is not None and entry.is_required()


def no_epsilon(name: str, given: str) -> str:
    """The line that refuses an epsilon, `given` in words, for an optimizer that has none."""
    others = ", ".join(n for n, model in OPTIMIZERS.items() if "epsilon" in model.model_fields)
    return f"got {given} for {name}, which has none; leave it out or choose one of {others}"


def with_epsilon(config: Config, epsilon: float) -> Config:
    """The same optimizer with this epsilon; UsageError for one that has none."""
    if not has_epsilon(config):
        raise UsageError(no_epsilon(name_of(config), f"epsilon {epsilon:g}"))
    return checked(type(config), config.model_dump() | {"epsilon": epsilon}, {})


def _model_named(name: str) -> type[FrozenModel]:
    if name not in OPTIMIZERS:
        raise UsageError(f"got the optimizer {name!r}, wanted one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[name]
