"""One checkpoint, whole: its statistics, what the theories predict, and the truth twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from torch import nn

from empirical.measure import surface_terms
from empirical.measure.curvature_scale import curvature_noise
from empirical.measure.effort import Effort
from empirical.measure.functional import ModelLoss
from empirical.measure.groups import groups_of
from empirical.measure.line_search import LineSearch, search_line
from empirical.measure.measured_step import settled_steps, softsign_rule
from empirical.measure.measurement import Measurement, measure
from empirical.measure.posing import pose_problem
from empirical.measure.prediction import (
    MeanField,
    Prediction,
    predict_mean_field,
    predictions_of,
)
from empirical.measure.saving import scalars_of, trace_of
from empirical.measure.surface_terms import GridEffort, Terms, of_larger_batch, surface_of
from empirical.measure.truth import OneStepTruth
from empirical.measure.workbench import Countdown, workbench
from empirical.train.randomness import private_generator
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.estimate import Estimate
from scaling_theory.surface import SurfaceStatistics

CHUNK = 64
"""Sequences per forward pass."""


@dataclass(frozen=True)
class Grid:
    """Where to look: batch sizes in sequences, epsilon in units of the rms sigma."""

    batch_sizes: tuple[int, ...]
    epsilon_ratios: tuple[float, ...]


@dataclass(frozen=True)
class Cell:
    """One batch size and epsilon: measured by the ratio and by line search, and predicted."""

    batch_size: int
    epsilon: float
    epsilon_ratio: float
    truth: OneStepTruth
    line_search: LineSearch
    predictions: dict[str, Prediction]


@dataclass(frozen=True)
class Study:
    """All of one checkpoint.

    found: gradient and noise, without the rows. scalars, surface: what is saved of it; the surface
    has a column for SGD besides. trace: Tr H. mean_fields: by epsilon ratio, over the grid's batch
    sizes.
    """

    found: Measurement
    batch_sizes: tuple[int, ...]
    scalars: CheckpointScalars
    surface: SurfaceStatistics
    trace: Estimate
    cells: tuple[Cell, ...]
    mean_fields: dict[float, MeanField]


def study_checkpoint(
    make_model: Callable[[], nn.Module],
    batch: Any,
    loss: ModelLoss,
    grid: Grid,
    *,
    effort: Effort,
    seed: int,
    workers: int = 1,
    max_memory: int | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Study:
    """Measure and predict everything on the grid at one checkpoint.

    The result depends on the seed, not on the number of workers: every cell has generators of
    its own.

    Args:
        make_model: builds the network, a new copy of it at each call.
        batch: the pool, as one batch.
        loss: as for `measure`.
        grid: batch sizes and epsilon ratios.
        effort: how much to measure.
        seed: of every random choice.
        workers: threads; each gets its own copy of the network.
        max_memory: bytes for the gradients of the pool before they go to disk.
        on_progress: told the share of the work that is done, 0 to 1.
    """
    first = measure(
        make_model(),
        batch,
        loss=loss,
        groups={},
        curvature="none",
        micro_batch=1,
        blocks=effort.deviations,
        chunk=CHUNK,
        keep_rows=True,
        max_memory=max_memory,
        seed=seed,
    )
    bench = workbench(
        first, lambda: pose_problem(make_model(), batch, loss=loss, chunk=CHUNK), workers
    )
    epsilons = {ratio: ratio * first.whole.rms_sigma for ratio in grid.epsilon_ratios}
    each = GridEffort(effort.deviations, effort.probes, effort.subset)
    on_progress(0.05)

    def truths(batch_size: int) -> list[OneStepTruth]:
        with bench.borrow() as found:
            rules = [softsign_rule(epsilon) for epsilon in epsilons.values()]
            return settled_steps(found.point, batch_size, rules, effort, seed)

    def search(truth: OneStepTruth) -> LineSearch:
        with bench.borrow() as found:
            return search_line(found.point, truth, softsign_rule(truth.epsilon), effort, seed)

    def terms(batch_size: float, epsilon: float) -> surface_terms.Cell:
        with bench.borrow() as found:
            return Terms(found, each, seed).cell(batch_size, epsilon)

    def others() -> tuple[CheckpointScalars, Estimate, dict[float, MeanField]]:
        with bench.borrow() as found:
            trace = trace_of(found, replace(each, probes=4 * effort.probes), seed)
            fields = {
                ratio: predict_mean_field(found, trace, grid.batch_sizes, epsilon)
                for ratio, epsilon in epsilons.items()
            }
            return scalars_of(_with_curvature(found, effort, seed), trace), trace, fields

    with ThreadPoolExecutor(workers) as threads:
        done = Countdown(len(grid.batch_sizes) * (1 + 2 * len(epsilons)), on_progress)
        measured = {b: done.watch(threads.submit(truths, b)) for b in grid.batch_sizes}
        predicted = {
            (float(b), epsilon): done.watch(threads.submit(terms, b, epsilon))
            for b in grid.batch_sizes
            for epsilon in epsilons.values()
        }
        sgd, rest = threads.submit(terms, 1, inf), threads.submit(others)
        searched = {
            (b, truth.epsilon): done.watch(threads.submit(search, truth))
            for b in grid.batch_sizes
            for truth in measured[b].result()
        }
        found = {place: future.result() for place, future in predicted.items()}
        cells = tuple(
            Cell(
                b,
                truth.epsilon,
                ratio,
                truth,
                searched[b, truth.epsilon].result(),
                predictions_of(found[b, truth.epsilon]),
            )
            for b in grid.batch_sizes
            for ratio, truth in zip(epsilons, measured[b].result(), strict=True)
        )
        plain = {(float(b), inf): of_larger_batch(sgd.result(), b) for b in grid.batch_sizes}
        surface = surface_of(first, found | plain, len(first.deviations))
        scalars, trace, mean_fields = rest.result()
    # the gradients of the pool are the bulk of the memory, and the next study has its own
    light = replace(first, point=replace(first.point, rows=None))
    return Study(light, grid.batch_sizes, scalars, surface, trace, cells, mean_fields)


def _with_curvature(found: Measurement, effort: Effort, seed: int) -> Measurement:
    """The measurement with curvature along gradient and noise."""
    whole = groups_of(found.point.problem, {})[0]
    rng = private_generator(seed, f"curvature of {whole.name}")
    curved = curvature_noise(found.point, whole, subset=effort.subset, rng=rng)
    return replace(found, curvature={whole.name: curved})
