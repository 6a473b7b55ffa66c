"""What runs meet where they branch off, at every batch size and epsilon of their sweep."""

from __future__ import annotations

import sys
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.horizon_cells import RULES
from empirical.measure.branch_point import Effort, measure_branch_point
from empirical.measure.measurement import measure
from empirical.spectra_files import write_spectra
from empirical.statistics_files import read_statistics
from empirical.sweep.configuration import SweepConfig
from empirical.train.batches import distinct_sequences
from empirical.train.checkpoint_files import read_checkpoint
from empirical.train.network import sequence_losses
from empirical.train.randomness import private_generator
from empirical.train.text import load_text

POOL = 1024
"""Sequences, those of the statistics of the same seed."""


def measure_start(config: SweepConfig, effort: Effort, seed: int = 0) -> Path:
    """Measure the spectra of one start and keep them beside its statistics."""
    if config.start.checkpoint is None or config.statistics is None:
        raise UsageError("the sweep names no checkpoint or no statistics; both are wanted")
    model = read_checkpoint(config.start.checkpoint).model
    context = model.config.context
    corpus = load_text(config.text or None, context=context)
    batch = distinct_sequences(corpus.train, POOL, context, private_generator(seed, "pool"))
    found = measure(
        model, batch, loss=lambda m, b: sequence_losses(m, b[0], b[1]), curvature="none", seed=seed
    )
    saved = read_statistics(config.statistics)
    points = []
    for entry in config.optimizers:
        for ratio in entry.epsilon_ratio or ():
            for batch_size in config.batch_sizes:
                point = measure_branch_point(
                    found,
                    RULES[entry.name],
                    batch_size,
                    ratio * saved.surface.rms_sigma,
                    effort=effort,
                    seed=seed,
                )
                points.append(point)
                print(
                    f"{entry.name} eps {ratio:g} rms sigma B {batch_size}: one step "
                    f"{point.one_step:.3g}, 2 / lambda_max {2 / point.largest:.3g}",
                    file=sys.stderr,
                    flush=True,
                )
    provenance = {**saved.provenance, "effort": vars(effort), "seed": seed}
    return write_spectra(config.statistics, points, provenance)
