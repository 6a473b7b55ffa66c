"""A measurement as the statistics that `predict`, `surge` and `audit-eps` read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import Any

import torch

from empirical.measure.directional import curvature_at
from empirical.measure.groups import WHOLE
from empirical.measure.measurement import Measurement
from empirical.measure.surface_terms import GridEffort, Terms, measure_grid
from empirical.statistics_files import SavedStatistics, Vectors, write_statistics
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.estimate import Estimate
from scaling_theory.noise_scale import NoiseScale

BATCH_SIZES = (1, 4, 16, 64, 256, 1024, 4096)
EPSILON_RATIOS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, inf)
"""Epsilons over the rms sigma of one sample: sign, half-decades, SGD."""


def save(
    found: Measurement,
    directory: Path,
    *,
    batch_sizes: Sequence[float] = BATCH_SIZES,
    epsilon_ratios: Sequence[float] = EPSILON_RATIOS,
    effort: GridEffort | None = None,
    provenance: Mapping[str, Any] | None = None,
    seed: int = 0,
    max_memory: int | None = None,
    on_progress: Callable[[float], None] = lambda share: None,
) -> SavedStatistics:
    """Measure the (B, epsilon) surface and write everything into a new directory.

    batch_sizes: in samples. epsilon_ratios: over the rms sigma of one sample; 0 is the sign,
    infinity SGD. provenance: plain JSON, kept with the noise scales of every group. max_memory:
    see `measure_grid`.

    Raises UsageError if the directory holds statistics or cannot be written.
    """
    chosen = effort or GridEffort()
    sigma = found.whole.rms_sigma
    surface = measure_grid(
        found,
        batch_sizes,
        [ratio * sigma if isfinite(ratio) else inf for ratio in epsilon_ratios],
        effort=chosen,
        seed=seed,
        max_memory=max_memory,
        on_progress=on_progress,
    )
    saved = SavedStatistics(
        scalars_of(found, trace_of(found, chosen, seed)),
        surface,
        {**(provenance or {}), **_noise_record(found)},
    )
    write_statistics(directory, saved, vectors_of(found))
    return saved


def vectors_of(found: Measurement) -> Vectors:
    """Gradient and sigma per coordinate."""
    return Vectors(found.gradient.cpu().numpy(), found.variance.sqrt().cpu().numpy())


def trace_of(found: Measurement, effort: GridEffort, seed: int) -> Estimate:
    """Tr H by random signs."""
    return Terms(found, effort, seed).diagonal(torch.ones_like(found.gradient))


def scalars_of(found: Measurement, trace: Estimate) -> CheckpointScalars:
    """The scalars of a measured point; curvature of gradient and noise only where measured."""
    curved = found.curvature.get(WHOLE)
    sign = curvature_at(found.point, found.gradient.sign())
    return CheckpointScalars(
        parameters=found.parameters,
        pool_sequences=found.samples,
        sequence_length=max(1, round(found.tokens_per_sample)),
        gradient_norm_squared=found.whole.gradient_norm_squared,
        trace_covariance=found.whole.trace_covariance,
        trace_hessian=trace,
        gradient_curvature=None if curved is None else curved.gradient_curvature,
        sign_curvature=Estimate(sign, 0.0, 0),
        hessian_noise=None if curved is None else curved.hessian_noise,
        excess_kurtosis=found.tails.excess_kurtosis if found.tails.known else None,
    )


def _noise_record(found: Measurement) -> dict[str, Any]:
    """Noise scales by group, the status and the notes as plain JSON."""
    scales: dict[str, dict[str, Any]] = {}
    for name, noise in found.noise.items():
        each = [noise.simple, noise.sign, noise.adam]
        if name in found.curvature:
            each.append(found.curvature[name].sgd)
        scales[name] = {
            "parameters": noise.parameters,
            "rms_sigma": noise.rms_sigma,
            **{f"noise_scale_{scale.name}": scale_record(scale) for scale in each},
        }
    return {"status": found.status, "notes": list(found.notes), "groups": scales}


def scale_record(scale: NoiseScale) -> dict[str, Any]:
    """A noise scale as plain JSON, in sequences and tokens."""
    value = scale.estimate
    low, high = scale.interval
    return {
        "sequences": None if value is None else value.value,
        "tokens": None if value is None else value.value * scale.tokens_per_sequence,
        "standard_error": None if value is None else value.standard_error,
        "interval": [low if isfinite(low) else "inf", high if isfinite(high) else "inf"],
        "status": scale.status,
    }
