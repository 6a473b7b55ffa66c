"""One training run as a whole: everything that decides its result, and the key made from it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import version
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from empirical.train.configuration import (
    FrozenModel,
    NetworkConfig,
    NonNegativeInt,
    OptimizerConfig,
    PositiveFloat,
    PositiveInt,
)
from empirical.train.schedule import ScheduleConfig

RESULTS_VERSION = 1
"""Raised whenever a change of the code, kernels included, changes what a run gives: old results
then stay old."""

KernelPath = Literal["single", "stacked", "stacked-compiled"]
"""How a unit is computed: one network, replicas stacked, or stacked and compiled."""


class StartConfig(FrozenModel):
    """Where a run starts: a checkpoint by the SHA-256 of its file, or fresh weights by a seed."""

    checkpoint_sha256: str | None = None
    network_seed: NonNegativeInt = 0


class RunConfig(FrozenModel):
    """One run. Texts and checkpoints go by their hashes: a folder that moved is the same run.

    batch_size, heldout_sequences: in sequences of `network.context` tokens. steps: updates.
    learning_rate: the peak of the schedule. seed: of the order of the batches. heldout_seed: of
    the held-out sequences, the same in all runs that are to be compared. diverged_above: nats per
    token above the starting loss at which the training loss counts as diverged.
    """

    network: NetworkConfig
    text_sha256: str
    start: StartConfig = StartConfig()
    optimizer: OptimizerConfig
    learning_rate: PositiveFloat
    schedule: ScheduleConfig = ScheduleConfig()
    batch_size: PositiveInt
    steps: PositiveInt
    seed: NonNegativeInt = 0
    heldout_sequences: Annotated[int, Field(ge=2)] = 1024
    heldout_seed: NonNegativeInt = 0
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    device: str = "cpu"
    diverged_above: PositiveFloat = 2.0

    @property
    def tokens(self) -> int:
        """Tokens that the run trains on."""
        return self.batch_size * self.steps * self.network.context


class WorkUnit(FrozenModel):
    """The runs that are computed together, and how: fixed when planned, part of every key.

    The members of a stack differ in learning rate, seed and numbers of the optimizer only.
    """

    runs: Annotated[tuple[RunConfig, ...], Field(min_length=1)]
    path: KernelPath = "single"

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if self.path == "single" and len(self.runs) != 1:
            raise ValueError(f"got {len(self.runs)} runs for the path single, wanted one; stack")
        shapes = {_shape(run) for run in self.runs}
        if len(shapes) > 1:
            raise ValueError(
                "the runs of a stack differ in more than learning rate, seed and the optimizer's "
                "numbers; put them into units of their own"
            )
        return self

    @property
    def key(self) -> str:
        """Hexadecimal SHA-256 of the whole unit, the version of its results, and torch's."""
        versions = {"results": RESULTS_VERSION, "torch": _torch_version()}
        return _digest({"unit": self.model_dump(mode="json"), "versions": versions})

    def run_key(self, index: int) -> str:
        """Key of one run: of its configuration and of the unit that it is computed in."""
        return _digest({"unit": self.key, "index": index})


@cache
def _torch_version() -> str:
    """Read once: a sweep asks for thousands of keys, and each look into the metadata is slow."""
    return version("torch").partition("+")[0]


def _shape(run: RunConfig) -> str:
    free = {"learning_rate", "seed", "optimizer"}
    return canonical_json(
        {**run.model_dump(mode="json", exclude=free), "optimizer": run.optimizer.name}
    )


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
