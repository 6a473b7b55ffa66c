"""Do the 95 % intervals of the optimum hold it 95 times in 100?

`python -m empirical.judge.calibration` answers in some minutes of one core.

Grids are simulated with a known optimum: shapes inside and outside the family that the local fit
allows for, half-octave, octave and irregular grids, the optimum off centre and between two
learning rates, one to three seeds with effects common to all learning rates, divergence above a
learning rate, and four ways to know the noise. A number is claimed only by grids with the status
"identified"; the others must bound the optimum on the right side.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import isfinite, sqrt
from typing import get_args

import numpy as np

from empirical.judge.grid_losses import grid_losses
from empirical.judge.local_problem import local_problem, misfit_of, nearest
from empirical.judge.misfit import pooled_misfit
from empirical.judge.noise_level import NoiseLevel, known_noise
from empirical.judge.optimum import METHODS, Method, find_optimum
from empirical.judge.optimum_record import Status

Shape = Callable[[np.ndarray], np.ndarray]
LEVEL = 3.0
"""Loss at the optimum, nats; the curvature c is 0.03 nats, as in public sweeps."""
CURVATURE = 0.03
SEED_SPREAD = 3.0
"""Standard deviation of the effect common to a seed, in units of the noise."""
POOLED_GRIDS = 16


def exponentials(p: float, q: float) -> Shape:
    """L = A eta^-p + C eta^q with its minimum at t = 0 and L'' = 2 there."""

    def shape(t: np.ndarray) -> np.ndarray:
        return np.asarray(2 / (p + q) * (np.expm1(-p * t) / p + np.expm1(q * t) / q))

    return shape


def cubic(t: np.ndarray) -> np.ndarray:
    """A parabola with a cubic term of 0.4 that dies out before it turns the curve down."""
    return np.asarray(t**2 + 0.4 * t**3 * np.exp(-(t**2) / 4))


def tilted(t: np.ndarray) -> np.ndarray:
    """A parabola whose right half is half as steep again: third derivative not continuous."""
    return np.asarray(t**2 * np.where(t > 0, 1.5, 1.0))


def kinked(t: np.ndarray) -> np.ndarray:
    """A whole run that becomes unstable at 1.8 times the optimum: the loss jumps there."""
    return np.asarray(exponentials(0.1, 1.0)(t) + np.where(t > 0.6, 1.0 + t, 0.0))


SHAPES: dict[str, Shape] = {
    "parabola": lambda t: np.asarray(t**2),
    "whole run": exponentials(0.1, 1.0),
    "steep": exponentials(0.3, 2.0),
    "slow": exponentials(0.05, 0.6),
    "mirrored": exponentials(1.0, 0.6),
    "near one step": exponentials(-0.5, 1.5),
    "cubic": cubic,
    "tilted": tilted,
}
OUTSIDE: dict[str, Shape] = {"kinked": kinked}
"""Not counted with the rest: what the local fit cannot see on a coarse grid."""
GRIDS: dict[str, tuple[float, ...]] = {
    "half-octave 9": tuple(np.arange(9) / 2),
    "half-octave 7": tuple(np.arange(7) / 2),
    "octave 7": tuple(np.arange(7.0)),
    "octave 5": tuple(np.arange(5.0)),
    "irregular 7": (0.0, 1.0, 1.5, 2.0, 2.3, 3.0, 4.0),
}
NOISES = (0.03, 0.1, 0.3)
"""Noise of one run over c."""
KNOWLEDGE = ("given", "seeds", "pooled", "alone")


@dataclass(frozen=True)
class Case:
    """One kind of simulated grid. knowledge: how the noise is known; seeds: runs per rate."""

    shape: str
    grid: str
    noise: float
    seeds: int
    knowledge: str


@dataclass(frozen=True)
class Tally:
    """Counts of simulated grids: `covered` of `identified` intervals hold the optimum; `right`
    of `bounded` one-sided answers do; `grids` in all.
    """

    grids: int = 0
    identified: int = 0
    covered: int = 0
    bounded: int = 0
    right: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.grids + other.grids,
            self.identified + other.identified,
            self.covered + other.covered,
            self.bounded + other.bounded,
            self.right + other.right,
        )

    @property
    def coverage(self) -> float:
        """Share of identified intervals that hold the optimum; NaN if there is none."""
        return self.covered / self.identified if self.identified else float("nan")

    def __str__(self) -> str:
        share = self.identified / self.grids if self.grids else 0.0
        error = sqrt(0.95 * 0.05 / self.identified) if self.identified else float("nan")
        sides = self.right / self.bounded if self.bounded else float("nan")
        return (
            f"coverage {self.coverage:6.1%} ± {error:.1%} of {self.identified:6d} "
            f"(identified {share:4.0%}); one-sided right {sides:6.1%} of {self.bounded:6d}"
        )


def cases(shapes: Iterable[str] = SHAPES) -> Iterator[Case]:
    """Every combination that makes sense: seeds tell the noise only where there are two."""
    for shape, grid, noise, seeds in product(shapes, GRIDS, NOISES, (1, 2, 3)):
        for knowledge in KNOWLEDGE:
            if (knowledge == "seeds") == (seeds > 1) or knowledge == "given":
                yield Case(shape, grid, noise, seeds, knowledge)


def simulate(case: Case, rng: np.random.Generator, method: Method = "quadratic") -> Tally:
    """One grid of a case, drawn and judged."""
    rates, losses, seeds, truth = draw(case, rng)
    noise = _known(case, rng)
    found = find_optimum(
        np.exp(rates), losses, seeds if case.seeds > 1 else None, noise=noise, method=method
    )
    low, high = found.bounds
    holds = low <= truth <= high
    if found.status is Status.IDENTIFIED:
        return Tally(1, 1, int(holds), 0, 0)
    if isfinite(low) or isfinite(high):
        return Tally(1, 0, 0, 1, int(holds))
    return Tally(1)


def draw(case: Case, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """ln eta, losses and seeds of every run, and the true optimum as ln eta."""
    x = np.log(2) * np.array(GRIDS[case.grid]) - 9.0
    inner = x[1] + rng.uniform() * (x[-2] - x[1])
    curve = {**SHAPES, **OUTSIDE}[case.shape](x - inner)
    effects = SEED_SPREAD * rng.standard_normal(case.seeds)
    noise = rng.standard_normal((case.seeds, len(x))) + effects[:, None]
    losses = LEVEL + CURVATURE * (curve + case.noise * noise)
    # In a third of the grids the runs above 3.3 times the optimum diverge.
    if rng.uniform() < 1 / 3:
        losses[:, x > inner + 1.2] = np.nan
    seeds = np.repeat(np.arange(case.seeds), len(x))
    return np.tile(x, case.seeds), losses.ravel(), seeds, inner


def _known(case: Case, rng: np.random.Generator) -> NoiseLevel | None:
    if case.knowledge == "given":
        return known_noise(CURVATURE * case.noise)
    if case.knowledge != "pooled":
        return None
    shapes = list(SHAPES)
    curves = []
    for _ in range(POOLED_GRIDS):
        other = Case(shapes[rng.integers(len(shapes))], case.grid, case.noise, 1, "given")
        rates, losses, _, _ = draw(other, rng)
        grid = grid_losses(np.exp(rates), losses)
        problem = local_problem(grid, nearest(grid)) if len(grid.x) >= 5 else None
        if problem is not None:
            curves.append(misfit_of(problem))
    try:
        return pooled_misfit(curves)
    except ValueError:
        return None


def run(
    repeats: int,
    seed: int,
    method: Method = "quadratic",
    every: int = 1,
    shapes: Iterable[str] = SHAPES,
) -> dict[Case, Tally]:
    """`repeats` grids of every `every`-th case."""
    rng = np.random.default_rng(seed)
    tallies = {}
    for case in list(cases(shapes))[::every]:
        tally = Tally()
        for _ in range(repeats):
            tally = tally + simulate(case, rng, method)
        tallies[case] = tally
    return tallies


def total(tallies: dict[Case, Tally], **wanted: object) -> Tally:
    """Sum over the cases whose fields equal `wanted`."""
    result = Tally()
    for case, tally in tallies.items():
        if all(getattr(case, name) == value for name, value in wanted.items()):
            result = result + tally
    return result


def report(tallies: dict[Case, Tally]) -> str:
    """Lines for people: pooled, then by each property of a case."""
    lines = [f"{'pooled':24s}{total(tallies)}"]
    values: dict[str, Sequence[object]] = {
        "knowledge": KNOWLEDGE,
        "shape": tuple(SHAPES),
        "grid": tuple(GRIDS),
        "noise": NOISES,
        "seeds": (1, 2, 3),
    }
    for name, options in values.items():
        lines += [f"{name + ' ' + str(v):24s}{total(tallies, **{name: v})}" for v in options]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The full run from the shell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40, help="grids per case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--method", choices=METHODS, default=get_args(Method)[0])
    parser.add_argument("--every", type=int, default=1, help="only every n-th case")
    chosen = parser.parse_args(arguments)
    options = (chosen.repeats, chosen.seed, chosen.method, chosen.every)
    print(report(run(*options)))
    for name in OUTSIDE:
        print(f"apart: {name:17s}{total(run(*options, (name,)))}")


if __name__ == "__main__":
    main()
