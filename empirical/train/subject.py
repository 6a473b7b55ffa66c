"""The built-in network that a verb measures: read from a checkpoint, or trained here first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from pydantic import Field, ValidationError, model_validator
from torch import Tensor

from empirical.errors import UsageError
from empirical.settings import first_problem
from empirical.train.batches import distinct_sequences
from empirical.train.checkpoint_files import read_checkpoint
from empirical.train.configuration import (
    FrozenModel,
    NetworkConfig,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TrainConfig,
)
from empirical.train.devices import resolve_device
from empirical.train.loop import StepReport, train
from empirical.train.network import GPT, build_network
from empirical.train.randomness import private_generator
from empirical.train.text import Corpus, load_text


class SubjectConfig(FrozenModel):
    """Which network, on which text; sizes and training are those of a network trained here.

    pool: sequences of the text that are measured on. steps None: 1500 without a checkpoint; 0: the
    network as initialised.
    """

    checkpoint: Path | None = None
    text: tuple[Path, ...] = ()
    pool: Annotated[int, Field(ge=8)] = 1024
    steps: NonNegativeInt | None = None
    context: PositiveInt | None = None
    width: PositiveInt | None = None
    depth: PositiveInt | None = None
    heads: PositiveInt | None = None
    train_batch_size: PositiveInt | None = None
    lr: PositiveFloat | None = None
    seed: NonNegativeInt = 0
    device: str = "cpu"

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        mine = ("steps", "context", "width", "depth", "heads", "train_batch_size", "lr")
        given = [name for name in mine if getattr(self, name) is not None]
        if self.checkpoint is not None and given:
            option = "--" + given[0].replace("_", "-")
            raise ValueError(
                f"a checkpoint and {option} came, but its network is trained already; give one"
            )
        return self

    def network(self) -> NetworkConfig:
        """The network to train."""
        names = ("context", "width", "depth", "heads")
        given = {name: getattr(self, name) for name in names}
        try:
            return NetworkConfig(**{k: v for k, v in given.items() if v is not None})
        except ValidationError as error:
            raise UsageError(first_problem(error)) from None


@dataclass(frozen=True, eq=False)
class Subject:
    """A network in evaluation mode, a pool of sequences [N, T] for it, and where both came from."""

    model: GPT
    inputs: Tensor
    targets: Tensor
    provenance: Mapping[str, Any]


def prepare_subject(
    config: SubjectConfig, *, on_step: Callable[[StepReport], None] | None = None
) -> Subject:
    """Read or train the network, and draw its pool from the training part of the text.

    Raises UsageError for a checkpoint, text or device of no use, and where training diverges.
    """
    device = resolve_device(config.device)
    if config.checkpoint is not None:
        found = read_checkpoint(config.checkpoint)
        model, origin = found.model.to(device), dict(found.provenance)
        corpus = _text(config, model.config.context)
    else:
        network = config.network()
        corpus = _text(config, network.context)
        model = build_network(network, config.seed, device=device)
        origin = {"steps": 0, "train_text_sha256": corpus.sha256}
        if config.steps != 0:
            settings = _training(config, corpus, network)
            train(model, corpus, settings, device=device, on_step=on_step)
            origin["steps"] = settings.steps
    inputs, targets = distinct_sequences(
        corpus.train,
        config.pool,
        model.config.context,
        private_generator(config.seed, "pool"),
        device=device,
    )
    provenance = {
        "network": model.config.model_dump(),
        "text": corpus.name,
        "text_sha256": corpus.sha256,
        "seed": config.seed,
        "torch": torch.__version__,
        "checkpoint": origin,
    }
    return Subject(model.eval(), inputs, targets, provenance)


def _text(config: SubjectConfig, context: int) -> Corpus:
    return load_text(config.text or None, context=context)


def _training(config: SubjectConfig, corpus: Corpus, network: NetworkConfig) -> TrainConfig:
    """As the demo trains, with no more held-out sequences than a short text has."""
    plain = TrainConfig()
    there = len(corpus.heldout) - network.context
    if there < 2:
        raise UsageError(
            f"the text has {len(corpus.heldout)} held-out bytes for a context of "
            f"{network.context}; give a longer text or a shorter context"
        )
    return TrainConfig(
        steps=config.steps or plain.steps,
        batch_size=config.train_batch_size or plain.batch_size,
        learning_rate=config.lr or plain.learning_rate,
        seed=config.seed,
        heldout_sequences=min(64, there),
    )
