"""Growth of what measuring costs, from 0.1M to 30M parameters.

A power law seconds = c P^a is fitted to the noise statistics, to u^T H u and to a plain gradient
of the same sequences; a = 1 is linear. `python -m empirical.bench.growth FILE.png` draws it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import median

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.special import stdtrit

from empirical.bench.gradient_cost import (
    Subject,
    mean_loss,
    plain_gradient,
    reference_subject,
    seconds,
)
from empirical.bench.rows import BenchRow
from empirical.measure.directional import curvature_at
from empirical.measure.measurement import measure

WIDTHS = (40, 72, 136, 248, 448, 784)
SEQUENCES, TOKENS, MICRO_BATCH, BLOCKS = 64, 32, 8, 8
ROUNDS = 3
TARGET = 1.1
"""An exponent up to which growth counts as linear."""

WHAT = {
    "gradient": "a plain gradient",
    "noise": "noise statistics",
    "curvature": "uᵀHu of one direction",
}


@dataclass(frozen=True)
class Growth:
    """Seconds by number of parameters, medians over rounds, and the power law through them.

    parameters: [n]. seconds: [n]. exponent: a. half_width: of its 95 % interval.
    """

    parameters: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float
    half_width: float


def run() -> tuple[BenchRow, ...]:
    """Exponents beside that of a plain gradient."""
    found = measure_growth(WIDTHS)
    plain = found["gradient"]
    return tuple(
        BenchRow(
            f"exponent in the parameters, {WHAT[key]}, {SEQUENCES} x {TOKENS} tokens, "
            f"± {growth.half_width:.2f}",
            growth.exponent,
            plain.exponent,
            f"{WHAT['gradient']}, ± {plain.half_width:.2f}",
            "exponent",
            target=TARGET,
        )
        for key, growth in found.items()
        if key != "gradient"
    )


def measure_growth(widths: Sequence[int], rounds: int = ROUNDS) -> dict[str, Growth]:
    """Times of networks of four layers and these widths, one after the other in every round."""
    subjects = [_subject(width) for width in widths]
    sizes = [sum(p.numel() for p in subject.network.parameters()) for subject in subjects]
    seen = [[_times(subject) for subject in subjects] for _ in range(rounds)]
    return {
        key: fit_growth(
            sizes, [median(one[place][key] for one in seen) for place in range(len(subjects))]
        )
        for key in WHAT
    }


def fit_growth(parameters: Sequence[int], times: Sequence[float]) -> Growth:
    """Least squares in logarithms, with a t interval of the exponent from the scatter."""
    x, y = np.log(np.array(parameters, dtype=float)), np.log(np.array(times))
    x = x - x.mean()
    exponent = float(x @ y / (x @ x))
    away = y - y.mean() - exponent * x
    freedom = len(x) - 2
    error = sqrt(float(away @ away) / freedom / float(x @ x))
    half = float(stdtrit(freedom, 0.975)) * error
    return Growth(tuple(parameters), tuple(times), exponent, half)


def _subject(width: int) -> Subject:
    whole = reference_subject(SEQUENCES, width=width)
    return Subject(whole.network, whole.inputs[:, :TOKENS], whole.targets[:, :TOKENS])


def _times(subject: Subject) -> dict[str, float]:
    """Seconds of each; what is measured first warms the rest up."""
    batch = (subject.inputs, subject.targets)

    def noise() -> None:
        measure(
            subject.network,
            batch,
            loss=mean_loss,
            curvature="none",
            micro_batch=MICRO_BATCH,
            blocks=BLOCKS,
        )

    point = measure(
        subject.network,
        batch,
        loss=mean_loss,
        curvature="none",
        micro_batch=MICRO_BATCH,
        blocks=BLOCKS,
    ).point
    direction = torch.sign(point.spread.gradient)
    curvature_at(point, direction)
    return {
        "gradient": seconds(lambda: plain_gradient(subject, SEQUENCES // 2)),
        "noise": seconds(noise),
        "curvature": seconds(lambda: curvature_at(point, direction)),
    }


def draw(found: dict[str, Growth], path: Path) -> None:
    """Seconds against parameters, with the fitted power laws."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for (key, growth), marker in zip(found.items(), "ovs", strict=True):
        sizes, times = np.array(growth.parameters, dtype=float), np.array(growth.seconds)
        words = f"{WHAT[key]}: exponent {growth.exponent:.2f} ± {growth.half_width:.2f}"
        (line,) = axes.loglog(sizes, times, marker, label=words)
        level = np.exp(np.mean(np.log(times) - growth.exponent * np.log(sizes)))
        axes.loglog(sizes, level * sizes**growth.exponent, "-", color=line.get_color(), lw=1)
    axes.set_xlabel("parameters")
    axes.set_ylabel(f"CPU seconds, {SEQUENCES} × {TOKENS} tokens, one thread")
    axes.legend(frameon=False)
    axes.grid(which="major", alpha=0.3)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    draw(measure_growth(WIDTHS), Path(sys.argv[1]))
