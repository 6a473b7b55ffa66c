"""The learning rate that is best for a whole run of S steps, with an interval.

The expected loss after S steps is minimised over a constant learning rate: octaves outward from a
guess until the minimum is bracketed, then the bracket is closed (exact curves) or a parabola is
laid through a finer grid (simulated curves, with a jackknife over replicas). A minimum at the edge
of the search is refused, never fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate, exact_estimate, mean_estimate
from scaling_theory.laboratory.many_steps import simulated_excess_loss
from scaling_theory.laboratory.optimizers import Optimizer
from scaling_theory.laboratory.quadratic import FloatArray, NoisyQuadratic
from scaling_theory.laboratory.recursion import expected_excess_loss

LossCurve = Callable[[FloatArray], FloatArray]
"""Learning rates [R] -> loss [R] (infinite where the run diverges)."""

OCTAVES = 60
"""How far from the guess the search goes, either way."""

STEEPEST = 1.15
"""Largest over smallest loss that a parabola in ln eta is trusted with."""


class NoHorizonOptimumError(ArithmeticError):
    """The loss has no minimum over the learning rates searched; carries the curve."""

    def __init__(self, learning_rates: FloatArray, losses: FloatArray) -> None:
        self.learning_rates = learning_rates
        self.losses = losses
        best = float(learning_rates[int(np.argmin(losses))])
        super().__init__(
            f"the loss is lowest at {best:.3g}, the edge of the learning rates searched "
            f"({learning_rates[0]:.3g} to {learning_rates[-1]:.3g}): no minimum inside"
        )


@dataclass(frozen=True)
class HorizonOptimum:
    """Best constant learning rate of a run of `steps` steps.

    learning_rate: with its standard error over replicas (0: exact). interval: (low, high) that
    holds the optimum: the last bracket of an exact search, two standard errors of a simulated one.
    deleted_rates: the learning rate found with each replica left out in turn, [replicas] (empty if
    exact); those of two optimizers with one seed pair up (`paired_ratio`).
    excess_loss: L - L(optimum) there (simulated: at the nearest learning rate run). batch_size in
    sequences.
    """

    learning_rate: Estimate
    interval: tuple[float, float]
    excess_loss: Estimate
    batch_size: float
    steps: int
    optimizer: str
    deleted_rates: tuple[float, ...] = ()


def exact_horizon_optimum(
    problem: NoisyQuadratic,
    *,
    batch_size: float,
    steps: int,
    beta1: float = 0.0,
    tolerance: float = 1e-6,
) -> HorizonOptimum:
    """The optimum of SGD (or momentum SGD) from the exact recursion, to a relative `tolerance`."""

    def curve(rates: FloatArray) -> FloatArray:
        return expected_excess_loss(problem, rates, batch_size=batch_size, steps=steps, beta1=beta1)

    low, high = bracket(curve, guess=_sharpness_guess(problem))
    while high / low > 1.0 + tolerance:
        grid = np.geomspace(low, high, 9)
        best = int(np.clip(np.argmin(curve(grid)), 1, 7))
        low, high = float(grid[best - 1]), float(grid[best + 1])
    rate = float(np.sqrt(low * high))
    loss = float(curve(np.array([rate]))[0])
    name = "sgd" + (f" beta1={beta1:g}" if beta1 else "")
    return HorizonOptimum(
        exact_estimate(rate), (low, high), exact_estimate(loss), batch_size, steps, name
    )


def simulated_horizon_optimum(
    problem: NoisyQuadratic,
    optimizer: Optimizer,
    *,
    batch_size: float,
    steps: int,
    replicas: int,
    seed: int,
    guess: float | None = None,
) -> HorizonOptimum:
    """The optimum of any optimizer from `replicas` (at least 2) simulated runs per learning rate.

    Every evaluation reuses the generator of `seed`, so that the curve is one smooth function of
    the learning rate. The parabola in ln eta is fitted to the mean loss at the five learning rates
    around the best, a third of an octave apart or closer where the loss is steep (STEEPEST); the
    standard error is that of the parabola's vertex under deletion of one replica at a time.
    """
    if replicas < 2:
        raise InputError(f"{replicas} replica; at least 2 are wanted for a standard error")

    def runs(rates: FloatArray) -> FloatArray:
        return simulated_excess_loss(
            problem,
            optimizer,
            rates,
            batch_size=batch_size,
            steps=steps,
            replicas=replicas,
            rng=np.random.default_rng(seed),
        )

    low, high = bracket(lambda rates: runs(rates).mean(axis=0), guess or _sharpness_guess(problem))
    middle, octave = float(np.sqrt(low * high)), 1.0 / 3.0
    while True:
        grid = _octaves(middle, octave * np.arange(-4.0, 5.0))
        losses = runs(grid)
        best = int(np.argmin(losses.mean(axis=0)))
        if not 1 <= best <= 7:
            raise NoHorizonOptimumError(grid, losses.mean(axis=0))
        window = losses[:, max(best - 2, 0) : best + 3].mean(axis=0)
        if window.max() <= STEEPEST * window.min():
            break
        middle, octave = float(grid[best]), octave / 2
    near = slice(max(best - 2, 0), best + 3)
    log_rates, losses = np.log(grid[near]), losses[:, near]
    total = losses.sum(axis=0)
    vertex = _vertex(log_rates, total / replicas)
    if not log_rates[0] < vertex < log_rates[-1]:
        raise NoHorizonOptimumError(np.exp(log_rates), total / replicas)
    deleted = np.array([_vertex(log_rates, (total - one) / (replicas - 1)) for one in losses])
    spread = _jackknife(deleted)
    rate = float(np.exp(vertex))
    nearest = int(np.argmin(np.abs(log_rates - vertex)))
    return HorizonOptimum(
        Estimate(rate, rate * spread, replicas),
        (rate * float(np.exp(-2 * spread)), rate * float(np.exp(2 * spread))),
        mean_estimate(losses[:, nearest]),
        batch_size,
        steps,
        optimizer.name,
        tuple(float(rate) for rate in np.exp(deleted)),
    )


def paired_ratio(top: HorizonOptimum, bottom: HorizonOptimum) -> Estimate:
    """Ratio of two simulated learning rates that share seed and replicas, by the jackknife.

    The noise common to both cancels. Raises InputError if the replicas do not pair up.
    """
    replicas = len(top.deleted_rates)
    if replicas < 2 or len(bottom.deleted_rates) != replicas:
        raise InputError(
            f"{replicas} and {len(bottom.deleted_rates)} replicas; the ratio wants two "
            "simulated optima with the same replicas and seed"
        )
    deleted = np.log(top.deleted_rates) - np.log(bottom.deleted_rates)
    ratio = top.learning_rate.value / bottom.learning_rate.value
    return Estimate(ratio, ratio * _jackknife(deleted), replicas)


def bracket(curve: LossCurve, guess: float) -> tuple[float, float]:
    """(low, high), two octaves apart, around the lowest loss among the rates guess 2^k.

    The window of nine octaves moves until its minimum is inside. Raises NoHorizonOptimumError
    when it has moved OCTAVES octaves, or when no run is finite.
    """
    offset = 0
    while True:
        rates = _octaves(guess, offset + np.arange(-4.0, 5.0))
        losses = curve(rates)
        best = int(np.argmin(losses))
        if np.isfinite(losses[best]) and 0 < best < 8:
            return float(rates[best - 1]), float(rates[best + 1])
        offset += 6 if best == 8 else -6
        if abs(offset) > OCTAVES:
            raise NoHorizonOptimumError(rates, losses)


def _jackknife(deleted: FloatArray) -> float:
    """Standard error from the values with one replica left out, [replicas]."""
    count = deleted.size
    return float(np.sqrt((count - 1) / count * np.sum((deleted - deleted.mean()) ** 2)))


def _octaves(middle: float, octaves: FloatArray) -> FloatArray:
    return np.asarray(middle * 2.0**octaves, dtype=np.float64)


def _vertex(log_rates: FloatArray, losses: FloatArray) -> float:
    """The vertex of the least-squares parabola of losses against ln eta."""
    center = log_rates.mean()
    curvature, slope, _ = np.polyfit(log_rates - center, losses, 2)
    if curvature <= 0:
        raise NoHorizonOptimumError(np.exp(log_rates), losses)
    return float(center - slope / (2 * curvature))


def _sharpness_guess(problem: NoisyQuadratic) -> float:
    """1 / the largest |eigenvalue| of H: the scale of a stable step of SGD."""
    values = problem.hessian if problem.hessian.ndim == 1 else np.linalg.eigvalsh(problem.hessian)
    return 1.0 / float(np.abs(values).max())
