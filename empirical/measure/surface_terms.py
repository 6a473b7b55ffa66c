"""E[u]^T g and the curvature terms on a (B, epsilon) grid, for any problem, a vector at a time.

The same as `scaling_theory.surface_grid.measure_surface`, for models whose K deviations and
probes do not fit into memory as float64: moments are taken a stretch of coordinates at a time, and
every direction is evaluated on a few samples of its own. Direction k sees the same samples, and
the same random signs, at every (B, epsilon): the surface is smooth, and the cost per cell is

    (2/3) + (2/3) (S / N) (K + 2 n) gradients of the pool

for K deviations and n probes on S samples each (two forward passes are two thirds of a gradient).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt

import numpy as np
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.measure.block_store import rows_on_disk
from empirical.measure.directional import block_curvatures, curvature_at
from empirical.measure.measurement import Measurement
from empirical.measure.point import Point
from empirical.train.randomness import private_generator
from scaling_theory.estimate import Estimate, mean_estimate, scaled_estimate, sum_estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.moments import softsign_moments
from scaling_theory.surface import SurfaceStatistics

VARIANT = "exact_bulk"
STRETCH = 1 << 16
"""Coordinates worked on at a time in float64."""


@dataclass(frozen=True)
class GridEffort:
    """How much to measure per cell.

    deviations: K at most, of those measured. probes: n random sign vectors. subset: S samples per
    direction.
    """

    deviations: int = 64
    probes: int = 12
    subset: int = 16


@dataclass(frozen=True)
class Cell:
    """One (B, epsilon): E[u]^T g, mu^T H mu, and Tr(H Cov u) under both closures."""

    descent: Estimate
    signal: Estimate
    correlated: Estimate
    independent: Estimate


def measure_grid(
    found: Measurement,
    batch_sizes: Sequence[float],
    epsilons: Sequence[float],
    *,
    effort: GridEffort,
    seed: int = 0,
    max_memory: int | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> SurfaceStatistics:
    """The surface of a measured point; epsilon 0 is the sign, infinity SGD.

    max_memory: bytes for the moments of the update, 4 P numbers, before they go to disk.

    Raises UsageError where no coordinate has noise, or an axis is empty or not positive.
    """
    axis_b, axis_e = (np.array(sorted(set(map(float, axis)))) for axis in (batch_sizes, epsilons))
    if not axis_b.size or not axis_e.size or axis_b[0] <= 0 or axis_e[0] < 0:
        raise UsageError(
            f"batch sizes {axis_b.tolist()} and epsilons {axis_e.tolist()} came; at least one "
            "batch size above 0 and one epsilon of at least 0 are wanted"
        )
    if not bool(found.variance.any()):
        raise UsageError("sigma is 0 in every coordinate: give samples that differ")
    terms = Terms(found, effort, seed, max_memory)
    cells: dict[tuple[float, float], Cell] = {}
    places = [(b, e) for e in axis_e.tolist() for b in axis_b.tolist()]
    sgd = terms.cell(1.0, inf) if axis_e[-1] == inf else None
    for number, (batch, epsilon) in enumerate(places):
        cells[batch, epsilon] = (
            of_larger_batch(sgd, batch)
            if sgd is not None and not isfinite(epsilon)
            else terms.cell(batch, epsilon)
        )
        on_progress((number + 1) / len(places))

    return surface_of(found, cells, terms.deviations)


def surface_of(
    found: Measurement, cells: Mapping[tuple[float, float], Cell], samples: int
) -> SurfaceStatistics:
    """Cells by (B, epsilon), all of a grid, as statistics; samples: deviations behind each."""
    axis_b, axis_e = (sorted(set(axis)) for axis in zip(*cells, strict=True))

    def grid(part: Callable[[Cell], Estimate]) -> GridQuantity:
        table = [[part(cells[b, e]) for e in axis_e] for b in axis_b]
        return GridQuantity(
            np.array([[estimate.value for estimate in row] for row in table]),
            np.array([[estimate.standard_error for estimate in row] for row in table]),
        )

    return SurfaceStatistics(
        batch_sizes=np.array(axis_b),
        epsilons=np.array(axis_e),
        descent=grid(lambda cell: cell.descent),
        signal=grid(lambda cell: cell.signal),
        noise_correlated=grid(lambda cell: cell.correlated),
        noise_independent=grid(lambda cell: cell.independent),
        rms_gradient=_rms_where_noisy(found.gradient, found.variance),
        rms_sigma=found.whole.rms_sigma,
        samples=samples,
        moments=VARIANT,
    )


class Terms:
    """What the cells share: the point, the signs of each probe, and room for moments."""

    def __init__(
        self, found: Measurement, effort: GridEffort, seed: int, max_memory: int | None = None
    ) -> None:
        if effort.probes < 2 or effort.deviations < 2 or effort.subset < 1:
            raise UsageError(f"got {effort}; at least 2 deviations, 2 probes and 1 sample wanted")
        self._found, self._seed, self._effort = found, seed, effort
        self.deviations = min(effort.deviations, len(found.deviations))
        like = found.gradient
        short = max_memory is not None and 4 * like.nbytes > max_memory and like.is_cpu
        self._room = rows_on_disk(4, like) if short else like.new_empty(4, len(like))

    @property
    def at(self) -> Point:
        """The measured point."""
        return self._found.point

    def cell(self, batch_size: float, epsilon: float) -> Cell:
        """All terms at one place."""
        found, size = self._found, self._effort.subset
        mean, gain, variance, residual = update_moments(
            found.gradient, found.variance, batch_size, epsilon, self._room
        )
        pieces = zip(*(torch.split(v, STRETCH) for v in (mean, found.gradient)), strict=True)
        descent = sum(float(u.double() @ g.double()) for u, g in pieces)
        rows = (gain * row.to(gain) for row in found.deviations[: self.deviations])
        along = block_curvatures(self.at, rows, size)
        linear = scaled_estimate(mean_estimate(along.numpy()), found.block_size / batch_size)
        rest = self.diagonal(residual)
        return Cell(
            descent=Estimate(descent, 0.0, 0),
            signal=Estimate(curvature_at(self.at, mean), 0.0, 0),
            correlated=sum_estimate((linear, rest)),
            independent=self.diagonal(variance),
        )

    def diagonal(self, weights: Tensor) -> Estimate:
        """sum_i H_ii w_i by random signs (Hutchinson), for w >= 0, [P]."""
        if not bool(weights.any()):
            return Estimate(0.0, 0.0, 0)
        values = block_curvatures(self.at, self._probes(weights), self._effort.subset)
        return mean_estimate(values.numpy())

    def _probes(self, weights: Tensor) -> Iterator[Tensor]:
        for number in range(self._effort.probes):
            rng = private_generator(self._seed, f"signs of probe {number}")
            signs = torch.randint(
                0, 2, weights.shape, generator=rng, dtype=torch.int8, device="cpu"
            )
            signs.mul_(2).sub_(1)
            yield weights.sqrt().mul_(signs.to(weights.device))


def update_moments(
    gradient: Tensor,
    variance: Tensor,
    batch_size: float,
    epsilon: float,
    room: Tensor | None = None,
) -> Tensor:
    """Mean, gain, variance and residual variance of softsign at B, [4, P]; of x at infinity.

    room: what they are written into, [4, P].
    """
    room = gradient.new_empty(4, len(gradient)) if room is None else room
    for start in range(0, len(gradient), STRETCH):
        here = slice(start, start + STRETCH)
        g, s2 = gradient[here], variance[here] / batch_size
        if not isfinite(epsilon):
            room[:, here] = torch.stack([g, torch.ones_like(g), s2, torch.zeros_like(g)])
            continue
        sigma = s2.double().sqrt().cpu().numpy()
        found = softsign_moments(g.double().cpu().numpy(), sigma, epsilon, VARIANT)
        # of an exact variant: what is below 0 here is rounding
        parts = (
            found.mean,
            found.gain,
            np.maximum(found.variance, 0.0),
            np.maximum(found.residual_variance, 0.0),
        )
        room[:, here] = torch.from_numpy(np.stack(parts)).to(room)
    return room


def _rms_where_noisy(gradient: Tensor, variance: Tensor) -> float:
    """Root mean g^2 over the coordinates with sigma > 0."""
    total, count = 0.0, 0
    for g, s2 in zip(*(torch.split(v, STRETCH) for v in (gradient, variance)), strict=True):
        total += float(g[s2 > 0].double().square().sum())
        count += int((s2 > 0).sum())
    return sqrt(total / count)


def of_larger_batch(one: Cell, batch_size: float) -> Cell:
    """SGD at B: the noise of one sample over B."""
    return Cell(
        one.descent,
        one.signal,
        scaled_estimate(one.correlated, 1 / batch_size),
        scaled_estimate(one.independent, 1 / batch_size),
    )
