"""What can be set: frozen models in which an unknown key is an error."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from empirical.settings import (
    LARGEST,
    DecayRate,
    FrozenModel,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from empirical.train.optimizer_configuration import (
    AdamWConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
)

__all__ = [
    "LARGEST",
    "AdamWConfig",
    "DecayRate",
    "FrozenModel",
    "NetworkConfig",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OptimizerConfig",
    "PositiveFloat",
    "PositiveInt",
    "SGDConfig",
    "SignSGDConfig",
    "SoftSignSGDConfig",
    "TrainConfig",
]


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
