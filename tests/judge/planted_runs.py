"""Cells, slices and one-step statistics with a planted truth, for judging claims about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from empirical.judge.claims.claim import Known, Stratum
from empirical.judge.optimum_record import Optimum, Status
from empirical.judge.run_record import Run
from empirical.judge.run_table import RunTable
from empirical.judge.table_optima import Grid, GridOptimum
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Held, Slice
from scaling_theory.estimate import Estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.surface import Closure, SurfaceStatistics
from scaling_theory.units import BatchSize

BATCHES = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
EPSILONS = (0.0, 1e-3, 1e-2)
LENGTH = 64
SCALE = 3e-4


def surface(correlated_noise: float = 60.0) -> SurfaceStatistics:
    """eta_1 = SCALE b / (20 b^2 + N (1 - b^2)), b^2 = 1/(1 + K/B), K = 100/(1 + (epsilon/1e-3)^2).

    N = 1 for independent noise: a peak 2.3 times the large-batch value at B = 5.6 for epsilon = 0.
    N = 60 for correlated noise: no peak. SCALE goes as 1/descent's unit.
    """
    batch = np.array(BATCHES)[:, None]
    saturation = 100 / (1 + (np.array(EPSILONS)[None, :] / 1e-3) ** 2)
    square = 1 / (1 + saturation / batch)

    def grid(values: NDArray[np.float64]) -> GridQuantity:
        return GridQuantity(values, np.zeros_like(values))

    return SurfaceStatistics(
        batch_sizes=np.array(BATCHES),
        epsilons=np.array(EPSILONS),
        descent=grid(SCALE * np.sqrt(square)),
        signal=grid(20 * square),
        noise_correlated=grid(correlated_noise * (1 - square)),
        noise_independent=grid(1 - square),
        rms_gradient=1e-3,
        rms_sigma=1e-2,
        samples=1,
        moments="exact",
    )


def greedy(closure: Closure) -> Callable[[float, float], float]:
    """ln eta_1(B, epsilon) of `surface`."""
    measured = surface()
    return lambda batch, epsilon: log(
        measured.eta1(batch, epsilon, closure).step.learning_rate.value
    )


def known() -> Known:
    """With the statistics of `surface` for every run."""
    measured = surface()
    return Known(statistics=lambda cell: measured, any_statistics=True)


def cell(
    batch: float,
    ln_eta: float | None,
    error: float = 0.03,
    *,
    epsilon: float | None = 0.0,
    steps: float = 4096.0,
    optimizer: str = "softsignsgd",
    group: str = "g",
    bounds: tuple[float, float] | None = None,
    runs: Sequence[Run] = (),
) -> Cell:
    """A cell whose optimum was found at `ln_eta`, or is only known by its `bounds`."""
    size = BatchSize(batch, "seq", LENGTH)
    known = ln_eta is not None
    if ln_eta is not None:
        bounds = (ln_eta - 1.96 * error, ln_eta + 1.96 * error)
    found = Optimum(
        status=Status.IDENTIFIED if known else Status.ABOVE,
        reason="",
        ln_eta=Estimate(ln_eta, error, 7) if ln_eta is not None else None,
        bounds=bounds or (-inf, inf),
        loss_at_optimum=Estimate(3.0, 0.001, 7) if known else None,
        curvature=Estimate(0.05, 0.001, 7) if known else None,
        regret=(),
        best_tried=None,
        noise=None,
        learning_rates=7,
        runs=7,
        censored=0,
        method="quadratic",
    )  # fmt: skip
    one = Run(
        run_id="",
        row=2,
        group=group,
        batch=size,
        lr=1e-3,
        loss=3.0,
        diverged=False,
        optimizer=optimizer,
        eps=epsilon,
        beta1=0.9 if optimizer == "adamw" else None,
        steps=steps,
        tokens=batch * LENGTH * steps,
        n_params=1e6,
    )
    grid = Grid(group, size, epsilon, (), tuple(runs) or (one,))
    return Cell(GridOptimum(grid, found), optimizer, steps, batch * LENGTH * steps, "tokens", ())


def stratum(
    curve: Callable[[float, float], float],
    error: float = 0.03,
    *,
    batches: Sequence[float] = BATCHES,
    epsilons: Sequence[float] = (0.0,),
    families: int = 1,
    held: Held = "steps",
    optimizer: str = "softsignsgd",
    seed: int = 0,
) -> Stratum:
    """Slices with ln eta* = curve(B, epsilon) + error, one per family and epsilon."""
    rng = np.random.default_rng(seed)
    slices = tuple(
        Slice(
            family=f"family {family}",
            optimizer=optimizer,
            epsilon=epsilon,
            held=held,
            amount=128.0,
            unit=held if held in ("tokens", "steps") else "",
            settings=(),
            cells=tuple(
                cell(
                    batch,
                    curve(batch, epsilon) + error * rng.standard_normal(),
                    error,
                    epsilon=epsilon,
                    optimizer=optimizer,
                    group=f"family {family}",
                )
                for batch in batches
            ),
        )
        for family in range(families)
        for epsilon in epsilons
    )
    return Stratum(empty_table(), held, optimizer, slices)


def empty_table() -> RunTable:
    """A table that only lends its name and hash."""
    return RunTable((), (), "seq", "planted", "0" * 64, {})


def one_step_runs(
    rng: np.random.Generator, batch: float, optimum: float, noise: float
) -> tuple[Run, ...]:
    """Loss changes of one SGD step, -eta + eta^2/(2 optimum), at 12 rates, 10 draws a rate.

    The draws shift the slope of the whole curve, as they do where every rate sees the same ones.
    """
    tilt = noise * rng.standard_normal()
    return tuple(
        Run(
            run_id=f"{batch}-{i}",
            row=i + 2,
            group="checkpoint",
            batch=BatchSize(batch, "ex"),
            lr=rate,
            loss=-rate * (1 + tilt) + rate**2 / (2 * optimum),
            diverged=False,
            optimizer="SGD (one step)",
            steps=1,
            loss_standard_error=noise * rate,
            n_seeds=10,
        )
        for i, rate in enumerate(optimum * np.geomspace(0.1, 2.5, 12))
    )


def rates(cells: Sequence[Cell]) -> list[float]:
    """eta* of measured cells."""
    return [exp(each.ln_eta) for each in cells]
