"""Measuring again along a run: does the one-step optimum there tell the run's learning rate?

SoftSignSGD from the step-1000 start, 128 steps of 16 sequences, linear decay, at half, once and
twice the run's best learning rate; eta_1 is measured at five places along each run.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.judge.horizon_cells import HorizonCell
from empirical.measure.measurement import measure
from empirical.measure.surface_terms import GridEffort, measure_grid
from empirical.statistics_files import read_statistics
from empirical.sweep.configuration import SweepConfig
from empirical.train.batches import distinct_sequences
from empirical.train.checkpoint_files import read_checkpoint
from empirical.train.network import GPT, sequence_losses
from empirical.train.optimizer_configuration import SoftSignSGDConfig
from empirical.train.optimizers import build_optimizer
from empirical.train.randomness import private_generator
from empirical.train.text import load_text
from scaling_theory.schedule import schedule_multiple

BATCH_SIZE, STEPS, POOL = 16, 128, 768
PLACES = (0, 32, 64, 96, 128)
EPSILON_RATIOS = (0.0, 30.0)
FACTORS = (0.5, 1.0, 2.0)
EFFORT = GridEffort(deviations=32, probes=4, subset=16)


@dataclass(frozen=True)
class Place:
    """One place along a run: what the schedule gives there, and what would be best for one step."""

    epsilon_ratio: float
    factor: float
    step: int
    learning_rate: float
    one_step: float
    one_step_se: float
    loss: float


def best_rates(cells: Sequence[HorizonCell]) -> dict[float, float]:
    """The best learning rate of whole SoftSignSGD runs here, by epsilon over rms sigma."""
    found = {
        cell.epsilon_ratio: exp(cell.ln_eta)
        for cell in cells
        if (cell.optimizer, cell.batch_size, cell.steps) == ("softsignsgd", BATCH_SIZE, STEPS)
    }
    missing = [ratio for ratio in EPSILON_RATIOS if ratio not in found]
    if missing:
        raise UsageError(f"the runs give no optimum at eps {missing} rms sigma: collect them first")
    return {ratio: found[ratio] for ratio in EPSILON_RATIOS}


def along_runs(config: SweepConfig, rates: Mapping[float, float], seed: int = 0) -> Iterator[Place]:
    """All places of all runs, in order. rates: `best_rates`."""
    if config.start.checkpoint is None or config.statistics is None:
        raise UsageError("the sweep names no checkpoint or no statistics; both are wanted")
    rms = read_statistics(config.statistics).surface.rms_sigma
    first = read_checkpoint(config.start.checkpoint).model
    context = first.config.context
    corpus = load_text(config.text or None, context=context)
    pool, fresh = (
        distinct_sequences(corpus.train, count, context, private_generator(seed, purpose))
        for count, purpose in ((POOL, "pool"), (BATCH_SIZE * STEPS, "run"))
    )
    for ratio, best in rates.items():
        for factor in FACTORS:
            model = read_checkpoint(config.start.checkpoint).model
            yield from _one_run(
                model, config, ratio, ratio * rms, factor, best * factor, pool, fresh
            )


def _one_run(
    model: GPT,
    config: SweepConfig,
    ratio: float,
    epsilon: float,
    factor: float,
    peak: float,
    pool: tuple[Tensor, Tensor],
    fresh: tuple[Tensor, Tensor],
) -> Iterator[Place]:
    tokens = BATCH_SIZE * model.config.context
    rule = build_optimizer(model, SoftSignSGDConfig(epsilon=epsilon), peak, tokens_per_step=tokens)
    for step in range(STEPS + 1):
        rate = peak * schedule_multiple(min(step + 1, STEPS), STEPS, config.schedule.shape)
        if step in PLACES:
            yield _look(model, pool, ratio, epsilon, factor, step, rate)
        if step == STEPS:
            return
        for group in rule.param_groups:
            group["lr"] = rate
        here = slice(step * BATCH_SIZE, (step + 1) * BATCH_SIZE)
        rule.zero_grad()
        torch.autograd.backward(sequence_losses(model, fresh[0][here], fresh[1][here]).mean())
        rule.step()


def _look(
    model: GPT,
    pool: tuple[Tensor, Tensor],
    ratio: float,
    epsilon: float,
    factor: float,
    step: int,
    rate: float,
) -> Place:
    found = measure(model, pool, loss=lambda m, b: sequence_losses(m, b[0], b[1]), curvature="none")
    surface = measure_grid(found, [BATCH_SIZE], [epsilon], effort=EFFORT)
    best = surface.eta1(BATCH_SIZE, epsilon, "correlated").step.learning_rate
    with torch.no_grad():
        parts = zip(torch.split(pool[0], 64), torch.split(pool[1], 64), strict=True)
        loss = float(torch.cat([sequence_losses(model, x, y) for x, y in parts]).mean())
    return Place(ratio, factor, step, rate, best.value, best.standard_error, loss)


def write_places(places: list[Place], path: Path) -> None:
    """One row per place."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(Place.__dataclass_fields__)
        rows.writerows([f"{value:.6g}" for value in vars(place).values()] for place in places)
