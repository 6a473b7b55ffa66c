"""What the (B, epsilon) surface costs and how far cheap cells are from densely measured ones."""

from __future__ import annotations

from statistics import median

import numpy as np
from numpy.typing import NDArray

from empirical.bench.gradient_cost import Subject, mean_loss, plain_gradient, seconds
from empirical.bench.rows import BenchRow, allowed
from empirical.measure.measurement import Measurement, measure
from empirical.measure.surface_terms import GridEffort, measure_grid
from empirical.train.subject import SubjectConfig, prepare_subject
from scaling_theory.surface import SurfaceStatistics

POOL = 1024
TRAINED = SubjectConfig(pool=POOL, steps=300, context=64, width=64, depth=2, heads=4)
CHUNK = 32
BATCH_SIZES = (1, 4, 16, 64, 256, 1024, 4096)
EPSILON_RATIOS = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Over the rms sigma of one sequence; none of the cells is that of SGD, which comes for less."""

DENSE_BLOCKS = 256
DENSE = GridEffort(deviations=DENSE_BLOCKS, probes=48, subset=16)
COST, ERROR = 150.0, 8.0


def run() -> tuple[BenchRow, ...]:
    """Cost in gradients of the pool, and the median error of the learning rate in per cent."""
    prepared = prepare_subject(TRAINED)
    subject = Subject(prepared.model, prepared.inputs, prepared.targets)
    plain_gradient(subject, CHUNK)
    plain = [seconds(lambda: plain_gradient(subject, CHUNK)) for _ in range(3)]
    found = measured(subject, blocks=64, seed=0)
    epsilons = [ratio * found.whole.rms_sigma for ratio in EPSILON_RATIOS]
    cheap: list[SurfaceStatistics] = []

    def surface() -> None:
        cheap.append(measure_grid(found, BATCH_SIZES, epsilons, effort=GridEffort()))

    spent = seconds(surface)
    plain += [seconds(lambda: plain_gradient(subject, CHUNK)) for _ in range(3)]
    # another seed: other blocks, other deviations, other signs
    dense = measure_grid(
        measured(subject, blocks=DENSE_BLOCKS, seed=1),
        BATCH_SIZES,
        epsilons,
        effort=DENSE,
        seed=1,
    )
    away = np.abs(rates(cheap[0]) / rates(dense) - 1)
    cells = f"{len(BATCH_SIZES)} x {len(EPSILON_RATIOS)} cells, {subject.words}"
    return (
        allowed(f"surface, {cells}", spent / median(plain), COST, "gradients"),
        allowed(
            f"surface, median error of the learning rate, {cells}",
            100 * float(np.median(away)),
            ERROR,
            "% of a densely measured surface",
        ),
    )


def measured(subject: Subject, *, blocks: int, seed: int) -> Measurement:
    """The noise of the pool in so many blocks."""
    return measure(
        subject.network,
        (subject.inputs, subject.targets),
        loss=mean_loss,
        curvature="none",
        blocks=blocks,
        seed=seed,
    )


def rates(surface: SurfaceStatistics) -> NDArray[np.float64]:
    """eta* of every cell, correlated noise: E[u]^T g / (mu^T H mu + Tr(H Cov u))."""
    curvature = surface.signal.value + surface.noise_correlated.value
    found: NDArray[np.float64] = surface.descent.value / curvature
    return found
