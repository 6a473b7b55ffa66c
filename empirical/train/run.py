"""Training runs whose results are kept: resumable, and divergence is a result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from empirical.train.batches import distinct_sequences
from empirical.train.loop import training
from empirical.train.randomness import private_generator
from empirical.train.run_batches import BatchDraw
from empirical.train.run_configuration import WorkUnit
from empirical.train.run_ledger import Ledger, RunResult
from empirical.train.run_state import RunState, read_run_state, write_run_state
from empirical.train.text import Corpus
from empirical.train.trainee import Trainee
from scaling_theory.schedule import schedule_multiple

SECONDS_BETWEEN_STATES = 20.0


class StoppedError(Exception):
    """The runs were asked to stop; their state is on disk."""


def train_runs(
    unit: WorkUnit,
    trainee: Trainee,
    corpus: Corpus,
    *,
    state_file: Path | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int], None] = lambda step: None,
    seconds_between_states: float = SECONDS_BETWEEN_STATES,
) -> tuple[RunResult, ...]:
    """Train the runs of a unit together; on the CPU the results depend on the unit alone.

    With a `state_file` the runs go on from it if it holds their state, leave their state there
    every `seconds_between_states` and when stopped, and end bit-identical to runs that never were
    interrupted. `on_progress` is told the steps done: those of the state, then at every reading
    of the losses.

    Raises StoppedError after `stop` said so, OSError where the state cannot be written.
    """
    began = time.monotonic()
    first = unit.runs[0]
    device = torch.device(first.device)
    heldout = distinct_sequences(
        corpus.heldout,
        first.heldout_sequences,
        first.network.context,
        private_generator(first.heldout_seed, "held-out sequences"),
        device=device,
    )
    draw = BatchDraw(unit.runs, corpus, device)
    ledger = Ledger(len(unit.runs), first.steps, first.diverged_above)
    kept = read_run_state(state_file) if state_file else None
    if kept is not None and kept.progress.get("unit") == unit.key:
        trainee.load_state({k[8:]: v for k, v in kept.tensors.items() if k.startswith("trainee.")})
        draw.load_state({k[5:]: v for k, v in kept.tensors.items() if k.startswith("draw.")})
        ledger.load_state(kept.progress, kept.tensors)
        began -= kept.progress["seconds"]
    else:
        ledger.start(trainee.heldout_losses(*heldout))

    def keep(step: int) -> None:
        if state_file is None:
            return
        tensors = {f"trainee.{k}": v for k, v in trainee.state().items()}
        tensors |= {f"draw.{k}": v for k, v in draw.state().items()} | ledger.tensors()
        passed = {"unit": unit.key, "seconds": time.monotonic() - began, **ledger.progress(step)}
        write_run_state(state_file, RunState(tensors, passed))

    schedule = first.schedule.shape

    def rates(step: int) -> Sequence[float]:
        multiple = schedule_multiple(step, first.steps, schedule)
        return [run.learning_rate * multiple for run in unit.runs]

    on_progress(ledger.step)
    written = time.monotonic()
    for step, losses in training(trainee, draw, rates, first.steps, after=ledger.step):
        ledger.note(losses)
        if not ledger.due(step):
            continue
        ledger.read(step, trainee.finite_weights())
        on_progress(step)
        if ledger.all_diverged or step == first.steps:
            break
        stopping = stop()
        if stopping or time.monotonic() - written > seconds_between_states:
            keep(step)
            written = time.monotonic()
        if stopping:
            raise StoppedError
    return ledger.results(trainee.heldout_losses(*heldout), time.monotonic() - began)
