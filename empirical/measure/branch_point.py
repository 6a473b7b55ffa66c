"""What a run that starts here meets: descent, and the spectra of its mean update and its noise.

Two update rules, each to first order around the start, u = A (g + H theta) + noise:

    softsign  A_i = mu_i / g_i, the gain that gives the mean update mu = E[u] exactly (kexue.fm
              archives/10563 for u; exact moments); noise = gain * delta + residual.
    adam      A_i = 1 / (sqrt(g_i^2 + sigma_i^2 / B) + epsilon), the stationary second moment; the
              noise is A delta: momentum spreads it over steps and leaves its sum as it is.

delta ~ Sigma / B is a measured block deviation, so that the noise is as correlated as the
network's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from empirical.measure.block_sums import inverse
from empirical.measure.directional import curvature_at
from empirical.measure.measurement import Measurement
from empirical.measure.spectrum import run_spectrum
from empirical.measure.surface_terms import update_moments
from empirical.train.randomness import private_generator
from scaling_theory.branch_point import BranchPoint, Rule


@dataclass(frozen=True)
class Effort:
    """How much to measure at one batch size and epsilon.

    steps: of Lanczos. draws: of the noise. sequences: of the pool, for products with H.
    """

    steps: int = 10
    draws: int = 2
    sequences: int = 192


def measure_branch_point(
    found: Measurement,
    rule: Rule,
    batch_size: int,
    epsilon: float,
    *,
    effort: Effort,
    seed: int = 0,
) -> BranchPoint:
    """Both spectra at one batch size (samples) and epsilon (inside the root for softsign)."""
    rng = private_generator(seed, "noise of a branch point")
    signs = (
        2
        * torch.randint(0, 2, found.gradient.shape, generator=rng, device="cpu").to(found.gradient)
        - 1
        for _ in range(effort.draws)
    )
    mean, gain, local, residual = _update(found, rule, batch_size, epsilon)
    scale = (found.block_size / batch_size) ** 0.5
    picked = torch.randperm(len(found.deviations), generator=rng, device="cpu")[: effort.draws]
    noises = [
        local * found.deviations[int(k)].to(local) * scale + residual * sign
        for k, sign in zip(picked, signs, strict=True)
    ]
    samples = torch.randperm(found.samples, generator=rng, device="cpu")[: effort.sequences]
    spectrum = run_spectrum(
        found.point, gain, mean, noises, steps=effort.steps, indices=samples.sort().values
    )
    descent = float(mean.double() @ found.gradient.double())
    curvature = curvature_at(found.point, mean)
    return BranchPoint(
        rule, batch_size, epsilon, descent, curvature, spectrum.signal, spectrum.noise
    )


def _update(
    found: Measurement, rule: Rule, batch_size: int, epsilon: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """E[u], A, the gain of the noise, and the sd of noise that is not linear in delta: [P] each."""
    g = found.gradient
    if rule == "adam":
        gain = inverse(g.square() + found.variance / batch_size, epsilon)
        return gain * g, gain, gain, torch.zeros_like(g)
    mean, local, _, residual = update_moments(g, found.variance, batch_size, epsilon)
    secant = torch.where(g != 0, mean / torch.where(g != 0, g, torch.ones_like(g)), local)
    return mean, secant.clamp_min(0), local, residual.clamp_min(0).sqrt()
