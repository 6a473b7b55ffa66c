"""The demo: train, measure, predict, check against the network itself, show."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from empirical.demo.configuration import DemoConfig
from empirical.demo.record import Provenance, Stage, build_record, provenance_of
from empirical.measure.effort import Effort
from empirical.measure.saving import vectors_of
from empirical.measure.study import Grid, Study, study_checkpoint
from empirical.progress import Advance, show_progress
from empirical.report.output import STATISTICS, prepare_output, write_report
from empirical.report.schema import parse_report
from empirical.report.terminal import terminal_summary
from empirical.statistics_files import SavedStatistics, write_statistics
from empirical.train.batches import distinct_sequences
from empirical.train.configuration import TrainConfig
from empirical.train.devices import DTYPES, resolve_device
from empirical.train.evaluation import evaluate_losses
from empirical.train.loop import TrainResult, Weights, train
from empirical.train.network import GPT, build_network, sequence_losses
from empirical.train.randomness import private_generator
from empirical.train.text import Corpus, load_text
from scaling_theory.estimate import Estimate, mean_estimate

EFFORTS = {
    "default": Effort(),
    "tiny": Effort(
        batches=96,
        precision=0.1,
        largest_error=1.0,
        pilot=12,
        subset=8,
        line_search_batches=12,
        deviations=24,
        probes=8,
    ),
}

DEFAULT_MEMORY = 3 * 2**29
"""Bytes of pool gradients that are kept in memory if nothing is asked for: 1.5 GiB."""


@dataclass(frozen=True)
class Clock:
    """Wall seconds of each stage, in the order they ran."""

    seconds: dict[str, float]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time under this name."""
        begun = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begun


def run_demo(config: DemoConfig, console: Console) -> Path:
    """Run the whole path once and write its report; the path of report.html.

    Every thread computes with one torch thread and every random choice has a generator of its own,
    so that the number of workers does not matter. Two machines, or two values of OMP_NUM_THREADS,
    may still differ by the rounding of numpy's own sums.

    Raises:
        UsageError: the text, the device or the output directory cannot be used, or the training
            diverged; nothing is written then.
    """
    out = prepare_output(config.out, config.overwrite)
    device = resolve_device(config.device)
    corpus = load_text(config.text or None, context=config.context)
    workers = (config.workers or usable_cores()) if device.type == "cpu" else 1
    clock = Clock({})
    with one_thread_each(), show_progress(console) as task:
        with clock.stage("training"):
            trained = _train(config, corpus, device, task("training", config.steps))
        steps = {"early": config.early_step, "late": config.steps}
        studies: dict[str, Study] = {}
        for name, step in steps.items():
            with clock.stage(f"{name} checkpoint"):
                studies[name] = _study(
                    config,
                    corpus,
                    trained.checkpoints[step],
                    device,
                    workers,
                    task(f"measuring at step {step}", 1),
                )
        heldout = {
            "early": _heldout_loss(config, corpus, trained.checkpoints[config.early_step], device),
            "late": trained.heldout_loss,
        }
    stages = [
        Stage(step, trained.losses[step - 1], heldout[name], studies[name])
        for name, step in steps.items()
    ]
    origin = Provenance(corpus, str(device), clock.seconds, peak_memory())
    record = build_record(config, stages, origin)
    late = studies["late"]
    keep = SavedStatistics(late.scalars, late.surface, provenance_of(record, steps["late"]))
    page = write_report(
        record,
        out,
        also=lambda folder: write_statistics(folder / STATISTICS, keep, vectors_of(late.found)),
    )
    stream = sys.stderr if console.stderr else sys.stdout
    stream.write(terminal_summary(parse_report(record), page, stream))
    return page


def _train(
    config: DemoConfig, corpus: Corpus, device: torch.device, advance: Advance
) -> TrainResult:
    model = build_network(config.network_config(), config.seed, device=device)
    return train(
        model,
        corpus,
        _train_config(config, corpus),
        device=device,
        on_step=lambda report: advance(report.step, f"loss {report.loss:.3f}"),
        checkpoint_steps=(config.early_step, config.steps),
    )


def _train_config(config: DemoConfig, corpus: Corpus) -> TrainConfig:
    """The training, with no more held-out sequences than a short text has."""
    settings = config.train_config()
    there = max(2, len(corpus.heldout) - config.context)
    return settings.model_copy(update={"heldout_sequences": min(settings.heldout_sequences, there)})


def _heldout_loss(
    config: DemoConfig, corpus: Corpus, weights: Weights, device: torch.device
) -> Estimate:
    """Mean loss on the training loop's own held-out sequences, nats per byte."""
    settings = _train_config(config, corpus)
    sequences = distinct_sequences(
        corpus.heldout,
        settings.heldout_sequences,
        config.context,
        private_generator(settings.seed, "held-out sequences"),
        device=device,
    )
    return mean_estimate(evaluate_losses(_network(config, weights, device), *sequences))


def _network(config: DemoConfig, weights: Weights, device: torch.device) -> GPT:
    """The network with the weights of a checkpoint, in the run's own precision."""
    model = build_network(
        config.network_config(), config.seed, device=device, dtype=DTYPES[config.dtype]
    )
    model.load_state_dict(weights)
    return model.eval()


def _study(
    config: DemoConfig,
    corpus: Corpus,
    weights: Weights,
    device: torch.device,
    workers: int,
    advance: Advance,
) -> Study:
    inputs, targets = distinct_sequences(
        corpus.train,
        config.pool,
        config.context,
        private_generator(config.seed, "pool"),
        device=device,
    )

    return study_checkpoint(
        lambda: _network(config, weights, device),
        (inputs, targets),
        lambda model, batch: sequence_losses(model, *batch),
        Grid(config.batch_size, config.epsilon_ratio),
        effort=EFFORTS[config.preset],
        seed=config.seed,
        workers=workers,
        max_memory=config.max_memory or DEFAULT_MEMORY,
        on_progress=lambda share: advance(
            share,
            f"{share:.0%} of {len(config.batch_size)} "
            f"batch sizes x {len(config.epsilon_ratio)} epsilon",
        ),
    )


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def one_thread_each() -> Iterator[None]:
    """One torch thread for every Python thread: two on a busy core are many times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
