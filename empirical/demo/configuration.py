"""Everything that decides a demo run, in one frozen model; the options and TOML keys of `demo`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from empirical.settings import checked, first_problem, read_settings
from empirical.train.configuration import (
    AdamWConfig,
    FrozenModel,
    NetworkConfig,
    NonNegativeFloat,
    NonNegativeInt,
    OptimizerConfig,
    PositiveFloat,
    PositiveInt,
    SGDConfig,
    SoftSignSGDConfig,
    TrainConfig,
)

BYTE_UNITS = MappingProxyType(
    {"": 1, "b": 1}
    | {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)}
    | {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)}
)
"""Bytes per unit, in lower case: kB is 1000 bytes, KiB 1024."""


def bytes_from_text(value: object) -> object:
    """The bytes that "2.5GB", "512MiB" or "1000" name; what is not text passes unchanged.

    Raises ValueError on text of another form.
    """
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", value.lower())
    if found is None or found[2] not in BYTE_UNITS:
        raise ValueError("give a size like 2GB or 512MiB")
    return round(float(found[1]) * BYTE_UNITS[found[2]])


def _one_or_many(value: object) -> object:
    """A lone value of a TOML file where a list is expected, as a list."""
    return [value] if isinstance(value, str | int | float) else value


class DemoConfig(FrozenModel):
    """One demo run. Batch sizes and the pool count sequences; ε is in units of the rms σ."""

    text: Annotated[tuple[Path, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="text files to train on; none: the Python standard library's source"
    )
    out: Path = Field(default=Path("runs/demo"), description="directory of the report")
    overwrite: bool = Field(
        default=False, description="replace the report of an earlier run in --out"
    )
    verbose: bool = Field(default=False, description="say more while it runs")
    preset: Literal["default", "tiny"] = Field(
        default="default", description="size of the whole run"
    )
    seed: NonNegativeInt = Field(default=0, description="of initial weights, batches and estimates")

    context: PositiveInt = Field(default=64, description="bytes that the network sees at once")
    width: PositiveInt = Field(default=64, description="of the residual stream")
    depth: PositiveInt = Field(default=2, description="number of transformer blocks")
    heads: PositiveInt = Field(default=4, description="attention heads; they divide the width")
    tie_weights: bool = Field(default=False, description="share input and output embedding")

    optimizer: Literal["adamw", "sgd", "softsignsgd"] = Field(
        default="adamw", description="that trains the network"
    )
    optimizer_epsilon: NonNegativeFloat = Field(
        default=1e-8, description="its ε: of AdamW outside the root, of SoftSignSGD inside"
    )
    lr: PositiveFloat = Field(
        default=3e-3, description="learning rate of the training, after warm-up"
    )
    warmup_steps: NonNegativeInt = Field(default=100, description="training steps of rising rate")
    train_batch_size: PositiveInt = Field(default=16, description="of the training, in sequences")
    steps: PositiveInt = Field(default=1500, description="training steps until the late checkpoint")
    early_step: PositiveInt = Field(
        default=100, description="training step of the early checkpoint"
    )

    batch_size: Annotated[
        tuple[PositiveInt, ...], Field(min_length=1), BeforeValidator(_one_or_many)
    ] = Field(
        default=(1, 4, 16, 64, 256, 1024),
        description="to predict and measure at, in sequences; repeatable",
    )
    epsilon_ratio: Annotated[
        tuple[NonNegativeFloat, ...], Field(min_length=1), BeforeValidator(_one_or_many)
    ] = Field(
        default=(0.0, 0.1, 1.0, 30.0),
        description="softsign ε over the rms σ per sequence; repeatable",
    )
    # fewer gradients give no interval: scaling_theory.noise_scale.FEWEST_BLOCKS
    pool: Annotated[int, Field(ge=6)] = Field(
        default=2048, description="sequences of the pool that stands for the population"
    )

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="to compute on"
    )
    dtype: Literal["float32", "float64"] = Field(default="float32", description="of the network")
    compile: bool = Field(default=False, description="compile the training step")
    workers: PositiveInt | None = Field(
        default=None, description="processor threads; none given: as many as there are cores"
    )
    max_memory: Annotated[PositiveInt | None, BeforeValidator(bytes_from_text)] = Field(
        default=None, description="most memory for the gradients of the pool, e.g. 2GB"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """pydantic takes true for 1; who wrote `steps = true` did not mean one step."""
        field = cls.model_fields[str(info.field_name)]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError("wanted a number, a text or a list")
        return value

    @field_validator("batch_size", "epsilon_ratio")
    @classmethod
    def _in_order(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        """Each value once, in increasing order."""
        if len(set(values)) < len(values):
            raise ValueError("give each value once")
        return tuple(sorted(values))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        try:
            self.network_config()
        except ValidationError as error:
            raise ValueError(first_problem(error)) from None
        if self.early_step >= self.steps:
            raise ValueError(
                f"got early_step {self.early_step} of {self.steps} steps, wanted the early "
                "checkpoint before the last step; lower early_step or raise steps"
            )
        return self

    def network_config(self) -> NetworkConfig:
        """The network that is trained."""
        return NetworkConfig(
            context=self.context,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            tied=self.tie_weights,
        )

    def train_config(self) -> TrainConfig:
        """The training up to the late checkpoint."""
        return TrainConfig(
            steps=self.steps,
            batch_size=self.train_batch_size,
            learning_rate=self.lr,
            warmup_steps=self.warmup_steps,
            optimizer=self._optimizer_config(),
            seed=self.seed,
            dtype=self.dtype,
            compile_backend="inductor" if self.compile else None,
        )

    def _optimizer_config(self) -> OptimizerConfig:
        match self.optimizer:
            case "adamw":
                return AdamWConfig(epsilon=self.optimizer_epsilon)
            case "sgd":
                return SGDConfig()
            case "softsignsgd":
                return SoftSignSGDConfig(epsilon=self.optimizer_epsilon)


PRESETS = MappingProxyType(
    {
        "default": MappingProxyType[str, object]({}),
        # A rehearsal of every stage in well under a minute; its numbers mean nothing.
        "tiny": MappingProxyType[str, object](
            {
                "context": 16,
                "width": 16,
                "depth": 1,
                "heads": 2,
                "steps": 60,
                "early_step": 20,
                "batch_size": (1, 4, 16),
                "epsilon_ratio": (0.0, 1.0),
                "pool": 128,
            }
        ),
    }
)


def resolve_config(typed: Mapping[str, object], file: Path | None = None) -> DemoConfig:
    """A run's settings: those typed before those of the TOML file before those of the preset.

    Raises:
        UsageError: a key or a value that does not fit, in one line.
    """
    from_file = read_settings(file, DemoConfig) if file else {}
    given = {**from_file, **typed}
    sources = {name: f"{name} in {file}" for name in from_file}
    sources |= {name: f"--{name.replace('_', '-')}" for name in typed}
    preset: Mapping[str, object] = PRESETS.get(str(given.get("preset", "default")), {})
    return checked(DemoConfig, {**preset, **given}, sources)
