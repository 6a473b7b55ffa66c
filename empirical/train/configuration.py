"""What can be set: frozen models in which an unknown key is an error."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Beyond this, products with a gradient leave float32 and torch raises an error of its own.
LARGEST = 1e30

PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, le=LARGEST, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
DecayRate = Annotated[float, Field(ge=0, lt=1)]


class FrozenModel(BaseModel):
    """The base of every configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkConfig(FrozenModel):
    """A decoder-only transformer on bytes; 136 448 parameters by default.

    context: tokens per sequence. width: entries of the residual stream. depth: blocks.
    heads: attention heads, a divisor of width. tied: unembed with the token embedding.
    """

    context: PositiveInt = 64
    width: PositiveInt = 64
    depth: PositiveInt = 2
    heads: PositiveInt = 4
    tied: bool = False

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            divisors = [n for n in range(1, self.width + 1) if self.width % n == 0]
            raise ValueError(
                f"got {self.heads} heads for a width of {self.width}, wanted a divisor of the "
                f"width ({', '.join(map(str, divisors))})"
            )
        return self


class AdamWConfig(FrozenModel):
    """torch's AdamW; epsilon is added outside the root: m / (√v + epsilon)."""

    name: Literal["adamw"] = "adamw"
    first_decay: DecayRate = 0.9
    second_decay: DecayRate = 0.95
    epsilon: NonNegativeFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.0


class SGDConfig(FrozenModel):
    """torch's SGD; momentum 0 is plain gradient descent on the batch."""

    name: Literal["sgd"] = "sgd"
    momentum: DecayRate = 0.0
    weight_decay: NonNegativeFloat = 0.0


class SignSGDConfig(FrozenModel):
    """The sign of the batch gradient: SoftSignSGD at epsilon 0."""

    name: Literal["signsgd"] = "signsgd"
    weight_decay: NonNegativeFloat = 0.0


class SoftSignSGDConfig(FrozenModel):
    """g / √(g² + epsilon²): epsilon is inside the root and has the unit of a gradient."""

    name: Literal["softsignsgd"] = "softsignsgd"
    epsilon: NonNegativeFloat
    weight_decay: NonNegativeFloat = 0.0


OptimizerConfig = Annotated[
    AdamWConfig | SGDConfig | SignSGDConfig | SoftSignSGDConfig, Field(discriminator="name")
]


class TrainConfig(FrozenModel):
    """One training run; batch_size and heldout_sequences count sequences.

    The learning rate rises linearly over `warmup_steps` and stays. `seed` fixes the order of
    the batches; the network has a seed of its own. dtype "bfloat16" computes in bfloat16 with
    float32 weights. compile_backend is given to torch.compile; None leaves it alone.
    """

    steps: PositiveInt = 1500
    batch_size: PositiveInt = 16
    learning_rate: PositiveFloat = 3e-3
    warmup_steps: NonNegativeInt = 100
    optimizer: OptimizerConfig = AdamWConfig()
    seed: NonNegativeInt = 0
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    compile_backend: str | None = None
    heldout_sequences: Annotated[int, Field(ge=2)] = 1024
