"""Losses of imagined runs with a known optimum, for the bracket and the planner to find.

Left of its minimum the loss falls slowly, right of it it rises fast, and above a cliff runs
diverge; runs of one seed share an offset, and every run has noise of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log

import numpy as np

from empirical.sweep.bracket import Limits, Move, next_move
from empirical.sweep.lattice import learning_rate
from empirical.sweep.trials import Trial, shared_noise


@dataclass(frozen=True)
class LossModel:
    """L = 1.6 + A (e^(-p t) - 1) + C (e^(q t) - 1), t = ln(eta / optimum), L''(0) = curvature.

    cliff: ln of the learning rate above which runs diverge. seed_spread, noise: nats.
    """

    optimum: float
    curvature: float
    p: float
    q: float
    cliff: float
    seed_spread: float
    noise: float
    number: int

    def loss(self, rate: float, seed: int) -> float | None:
        """Of one run, the same whenever it is asked for; None where it diverges."""
        x = log(rate)
        if x > self.cliff:
            return None
        t = x - self.optimum
        fall = self.curvature / (self.p * (self.p + self.q)) * (exp(-self.p * t) - 1)
        rise = self.curvature / (self.q * (self.p + self.q)) * (exp(self.q * t) - 1)
        own = np.random.default_rng([self.number, seed, round(1e6 * x) + 10**9])
        common = np.random.default_rng([self.number, seed])
        offset = self.seed_spread * common.normal() + self.noise * own.normal()
        return float(1.6 + fall + rise + offset)


def imagined(number: int, rng: np.random.Generator, *, noise: float, near: float) -> LossModel:
    """A cell of a sweep; its optimum is within an octave of ln eta = `near`."""
    optimum = near + log(2) * rng.uniform(-1, 1)
    return LossModel(
        optimum=optimum,
        curvature=exp(rng.uniform(log(0.02), log(0.12))),
        p=rng.uniform(0.05, 0.6),
        q=rng.uniform(0.6, 1.8),
        cliff=optimum + log(2) * rng.uniform(1.0, 3.0),
        seed_spread=0.002,
        noise=noise,
        number=number,
    )


@dataclass
class Found:
    """A cell that has ended. off: octaves between start and optimum."""

    model: LossModel
    off: float
    trials: list[Trial] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)

    @property
    def covered(self) -> bool:
        """Whether the interval holds the optimum."""
        optimum = self.moves[-1].optimum
        return optimum is not None and (
            optimum.bounds[0] <= self.model.optimum <= optimum.bounds[1]
        )


def bracket_together(models: list[tuple[LossModel, int]], limits: Limits) -> list[Found]:
    """The bracket of cells that share their noise level, from starts on the lattice."""
    cells = [
        Found(model, (log(learning_rate(start)) - model.optimum) / log(2))
        for model, start in models
    ]
    while not all(cell.moves and not cell.moves[-1].wanted for cell in cells):
        noise = shared_noise([tuple(tuple(cell.trials) for cell in cells)])
        for cell, (model, start) in zip(cells, models, strict=True):
            if cell.moves and not cell.moves[-1].wanted:
                continue
            move = next_move(tuple(cell.trials), start, limits, noise)
            cell.moves.append(move)
            cell.trials += [
                Trial(position, seed, model.loss(learning_rate(position), seed))
                for position, seed in move.wanted
            ]
    return cells
