"""The noise scale of SGD, Tr(H Sigma) / g^T H g (arXiv 1812.06162), with its interval.

Tr(H Sigma) = b E[delta^T H delta] over block deviations. g^T H g is that of the measured gradient
less Tr(H Sigma) / N; its variance is 4 Var(g^T H x) / K + 2 tr (H Sigma / b)^2 / (K (K - 1)), from
one product H g and a few products H delta (own derivation, as for |g|^2 in
`scaling_theory.noise_scale`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from empirical.measure.directional import (
    block_curvatures,
    blocks_for,
    curvature_at,
    hessian_vector_ahead,
)
from empirical.measure.groups import Group
from empirical.measure.point import Point
from scaling_theory.estimate import Estimate
from scaling_theory.noise_scale import NoiseScale, Signal, noise_scale

PRODUCTS = 4
"""Deviations whose H delta is computed, each on `PRODUCT_SAMPLES` samples."""

PRODUCT_SAMPLES = 64


@dataclass(frozen=True)
class CurvatureNoise:
    """Curvature along gradient and noise, of one group of coordinates.

    group: its name. gradient_curvature: g^T H g without the noise of the sample, may be negative.
    hessian_noise: Tr(H Sigma) of one sample. sgd: their ratio, in samples.
    """

    group: str
    gradient_curvature: Estimate
    hessian_noise: Estimate
    sgd: NoiseScale


def curvature_noise(
    at: Point, group: Group, *, subset: int, rng: torch.Generator
) -> CurvatureNoise:
    """Measure the SGD noise scale of a group; subset: samples per directional curvature."""
    problem, spread = at.problem, at.spread
    count = len(spread.blocks)

    def inside(vector: Tensor) -> Tensor:
        if len(group.slices) == 1 and group.size == problem.parameters:
            return vector.to(problem.point)
        masked = torch.zeros_like(problem.point)
        for piece in group.slices:
            masked[piece] = vector[piece].to(masked)
        return masked

    seen = block_curvatures(at, (inside(row) for row in spread.blocks), subset)
    b = spread.block_size
    noise = Estimate(b * float(seen.mean()), b * float(seen.std()) / sqrt(count), count)

    gradient = inside(spread.gradient)
    plug_in = curvature_at(at, gradient)

    def along(direction: Tensor, blocks: Sequence[int] | None = None) -> Tensor:
        """d_j . H v of every block, [K]; the product itself is not kept."""
        return (spread.blocks @ inside(hessian_vector_ahead(at, direction, blocks)).cpu()).double()

    slopes = along(gradient)
    squares = []
    picked = torch.randperm(count, generator=rng, device="cpu")[:PRODUCTS].tolist()
    several = blocks_for(at, PRODUCT_SAMPLES)
    for number in picked:
        chosen = [(number + 1 + more) % count for more in range(several)]
        pulls = along(inside(spread.blocks[number]), chosen)
        squares.append(pulls[torch.arange(count, device="cpu") != number].square())
    tau = float(torch.cat(squares).mean())
    # the measured gradient holds 1/K of every block: what that adds to the slopes' spread
    zeta = max(float(slopes.var()) - tau / count, 0.0)
    per_block = problem.samples / count
    linear = 4 * zeta * per_block
    quadratic = 2 * tau * per_block**2 * count / (count - 1)
    error = sqrt(
        linear / problem.samples
        + quadratic / problem.samples**2
        + (noise.standard_error / problem.samples) ** 2
    )
    value = plug_in - noise.value / problem.samples
    signal = Signal(Estimate(value, error, problem.samples), linear, quadratic, count)
    scale = noise_scale("sgd", noise, signal, tokens=problem.tokens_per_sample)
    return CurvatureNoise(group.name, signal.estimate, noise, scale)
