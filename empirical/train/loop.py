"""The training loop."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.batches import distinct_sequences, sample_sequences
from empirical.train.configuration import TrainConfig
from empirical.train.devices import resolve_dtype
from empirical.train.network import GPT
from empirical.train.optimizers import build_optimizer
from empirical.train.randomness import private_generator
from empirical.train.text import Corpus
from empirical.train.trainee import SingleTrainee, Trainee
from scaling_theory.estimate import Estimate, mean_estimate

STEPS_BETWEEN_READINGS = 20
"""Losses are read from the device once in so many steps: each reading waits for the device."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class StepReport:
    """Step number (from 1), loss of that step's batch before its update, learning rate used."""

    step: int
    loss: float
    learning_rate: float


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a run leaves behind.

    losses: of every step's batch before its update, nats per token, [steps].
    heldout_loss: after the last step, over distinct held-out sequences.
    checkpoints: step -> weights on the CPU after that many steps (0: before the first).
    """

    losses: tuple[float, ...]
    heldout_loss: Estimate
    checkpoints: dict[int, Weights]


class DivergedError(UsageError):
    """A loss or a weight is no finite number; carries step, loss and learning_rate.

    The loss is that of the step's batch before its update; it may still be finite.
    """

    def __init__(self, step: int, loss: float, learning_rate: float) -> None:
        self.step, self.loss, self.learning_rate = step, loss, learning_rate
        super().__init__(
            f"training diverged at step {step} (loss {loss:g}, learning rate "
            f"{learning_rate:g}), wanted finite losses and weights; lower the learning rate or "
            "warm up longer"
        )


def training(
    trainee: Trainee,
    draw: Callable[[], tuple[Tensor, Tensor]],
    learning_rates: Callable[[int], Sequence[float]],
    steps: int,
    *,
    after: int = 0,
) -> Iterator[tuple[int, Tensor]]:
    """The training loop: draw a batch, take a step, until the last step.

    Gives (step, losses [R] of its batches before the update), step from `after` + 1 to `steps`.
    What is looked at, kept or stopped between two steps is up to the caller.
    """
    for step in range(after + 1, steps + 1):
        inputs_RxBxT, targets_RxBxT = draw()
        yield step, trainee.step(inputs_RxBxT, targets_RxBxT, learning_rates(step))


def train(
    model: GPT,
    corpus: Corpus,
    config: TrainConfig,
    *,
    device: torch.device,
    on_step: Callable[[StepReport], None] | None = None,
    checkpoint_steps: Collection[int] = (),
) -> TrainResult:
    """Train the model in place; it ends on `device`, in the run's dtype, in evaluation mode.

    `on_step` is called once for every step, in order, up to 20 steps late. On the CPU two runs
    with the same arguments and thread count agree bit by bit.

    Raises DivergedError as soon as a loss that is not finite has been read, and UsageError for
    a checkpoint that the run does not reach or a context that does not fit the text.
    """
    beyond = [step for step in checkpoint_steps if not 0 <= step <= config.steps]
    if beyond:
        raise UsageError(
            f"got a checkpoint at step {beyond[0]} of a run of {config.steps} steps, wanted 0 to "
            f"{config.steps}; move the checkpoint or train longer"
        )
    context = model.config.context
    heldout = distinct_sequences(
        corpus.heldout,
        config.heldout_sequences,
        context,
        private_generator(config.seed, "held-out sequences"),
        device=device,
    )
    dtype = resolve_dtype(config.dtype, device)
    model.to(device=device, dtype=torch.float32 if dtype == torch.bfloat16 else dtype).train()
    optimizer = build_optimizer(
        model,
        config.optimizer,
        config.learning_rate,
        tokens_per_step=config.batch_size * context,
    )
    trainee = SingleTrainee(model, optimizer, dtype=dtype, compile_backend=config.compile_backend)
    batch_generator = private_generator(config.seed, "training batches")
    losses: list[float] = []
    unread: list[Tensor] = []
    checkpoints = {0: _weights_on_cpu(model)} if 0 in checkpoint_steps else {}

    def draw() -> tuple[Tensor, Tensor]:
        inputs, targets = sample_sequences(
            corpus.train, config.batch_size, context, batch_generator, device=device
        )
        return inputs[None], targets[None]

    def rates(step: int) -> Sequence[float]:
        return (learning_rate_at(step, config),)

    for step, (loss,) in training(trainee, draw, rates, config.steps):
        unread.append(loss)
        stop = step in checkpoint_steps or step == config.steps
        if stop or len(unread) == STEPS_BETWEEN_READINGS:
            _read(unread, losses, config, on_step)
        if stop:
            _require_finite_weights(trainee, step, losses[-1], config)
        if step in checkpoint_steps:
            checkpoints[step] = _weights_on_cpu(model)

    (heldout_losses,) = trainee.heldout_losses(*heldout)
    model.eval()
    if not np.isfinite(heldout_losses).all():
        raise DivergedError(config.steps, math.nan, learning_rate_at(config.steps, config))
    return TrainResult(tuple(losses), mean_estimate(heldout_losses), checkpoints)


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then constant: learning_rate · min(1, step / warmup_steps), step from 1."""
    return config.learning_rate * min(1.0, step / max(config.warmup_steps, 1))


def _read(
    unread: list[Tensor],
    losses: list[float],
    config: TrainConfig,
    on_step: Callable[[StepReport], None] | None,
) -> None:
    """Move the unread losses from the device to `losses`, reporting each; refuse NaN and inf."""
    for loss in torch.stack(unread).tolist():
        step = len(losses) + 1
        rate = learning_rate_at(step, config)
        if not math.isfinite(loss):
            raise DivergedError(step, loss, rate)
        losses.append(loss)
        if on_step is not None:
            on_step(StepReport(step, loss, rate))
    unread.clear()


def _require_finite_weights(trainee: Trainee, step: int, loss: float, config: TrainConfig) -> None:
    """The last update is in no loss yet, so a checkpoint looks at the weights themselves."""
    if not trainee.finite_weights().all():
        raise DivergedError(step, loss, learning_rate_at(step, config))


def _weights_on_cpu(model: GPT) -> Weights:
    return {
        name: weight.detach().to("cpu", copy=True) for name, weight in model.state_dict().items()
    }
