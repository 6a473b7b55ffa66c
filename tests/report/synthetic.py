"""A whole report made up from the canonical law, with every oddity a test may ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

BATCH_SIZES = (1, 4, 16, 64, 256, 1024)
RATIOS = (0.0, 0.1, 1.0, 30.0)
RMS_SIGMA = 0.0123

Plain = dict[str, Any]


def estimate(value: float, relative_error: float = 0.02, samples: int = 96) -> Plain:
    return {
        "value": value,
        "standard_error": abs(value) * relative_error,
        "samples": samples,
    }


def curves(batch_size: int, ratio: float, scale: float = 1.0) -> Plain:
    """Descent and curvatures of a canonical law; correlated noise is 25 times the independent."""
    saturation = 60.0 / (1 + ratio**2)
    gain = 1 / math.sqrt(1 + ratio**2)
    shrink = batch_size / (batch_size + saturation)
    descent = 8.0 * gain * math.sqrt(shrink)
    signal = 14e3 * gain**2 * shrink * scale
    # SGD-like at large epsilon: noise falls as 1/B from the start.
    noise = 12e3 * gain**2 * scale * (1 - shrink if ratio < 3 else 60 / (60 + batch_size))
    return {
        "descent": descent,
        "signal": signal,
        "correlated": noise,
        "independent": noise / 25,
    }


def synthetic_row(
    batch_size: int, ratio: float, rng: np.random.Generator, scale: float = 1.0
) -> Plain:
    parts = curves(batch_size, ratio, scale)
    descent, signal = parts["descent"], parts["signal"]
    correlated = descent / (signal + parts["correlated"])
    independent = descent / (signal + parts["independent"])
    measured = correlated * (1 + 0.04 * rng.standard_normal()) * (0.8 if batch_size == 1 else 1)
    error = 0.08 * measured if batch_size < 4 else 0.025 * measured
    searched = measured * (1 + 0.04 * rng.standard_normal())
    return {
        "batch_size": batch_size,
        "epsilon": ratio * RMS_SIGMA,
        "epsilon_over_rms_sigma": ratio,
        "batches": 768,
        "lr_measured": measured,
        "lr_measured_standard_error": error,
        "lr_measured_ci95": [measured - 1.9 * error, measured + 2.1 * error],
        "lr_line_search": searched,
        "lr_line_search_ci95": [searched * 0.92, searched * 1.08],
        "line_search_status": "ok",
        "quadratic_agrees": "yes",
        "lr_correlated": correlated,
        "lr_correlated_standard_error": correlated * 0.03,
        "lr_independent": independent,
        "lr_independent_standard_error": independent * 0.01,
        "lr_mean_field": independent * 1.22,
        "mean_field": {
            "c": math.pi / 2,
            "kappa_squared": 60.0,
            "kappa_squared_kind": "ratio of means",
        },
        "lr_gaussian_simulated": None,
        "descent": estimate(descent, 0.01, 768),
        "signal_curvature": estimate(signal),
        "noise_curvature": estimate(parts["correlated"] * (1 + 0.04 * rng.standard_normal()), 0.04),
        "noise_curvature_correlated": estimate(parts["correlated"], 0.05, 48),
        "noise_curvature_independent": estimate(parts["independent"], 0.03, 32),
        "kurtosis": 16.0 / batch_size,
        "gaussian": batch_size >= 4,
    }


def synthetic_rows(
    batch_sizes: Sequence[int] = BATCH_SIZES,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    scale: float = 1.0,
) -> list[Plain]:
    rng = np.random.default_rng(seed)
    return [synthetic_row(size, ratio, rng, scale) for ratio in ratios for size in batch_sizes]


def synthetic_surge(rows: list[Plain]) -> list[Plain]:
    found = []
    for ratio in sorted({row["epsilon_over_rms_sigma"] for row in rows}):
        here = [row for row in rows if row["epsilon_over_rms_sigma"] == ratio]
        found.append(
            {
                "epsilon": ratio * RMS_SIGMA,
                "epsilon_over_rms_sigma": ratio,
                **{
                    name: _verdict(here, f"lr_{name}", ratio)
                    for name in ("measured", "correlated", "independent", "mean_field")
                },
            }
        )
    return found


def _verdict(rows: list[Plain], name: str, ratio: float) -> Plain:
    best = max(rows, key=lambda row: row[name])
    peak = best[name] / rows[-1][name]
    outcome = "yes" if peak > 1.1 else "cannot tell" if ratio == 0.1 else "no"
    return {
        "ratio": estimate(peak, 0.03),
        "peak_batch_size": best["batch_size"],
        "outcome": outcome,
        "reason": f"peak {peak:.2f} times the value at B = {rows[-1]['batch_size']}",
    }


def synthetic_statistics(rows: list[Plain], parameters: int = 135_424) -> Plain:
    sizes = sorted({row["batch_size"] for row in rows})
    return {
        "parameters": parameters,
        "pool_sequences": 2048,
        "gradient_norm_squared": estimate(0.34, 0.02, 2048),
        "trace_covariance": estimate(20.4, 0.01, 2048),
        "simple_noise_batch": estimate(60.2, 0.03, 2048),
        "rms_sigma": RMS_SIGMA,
        "trace_hessian": estimate(1834.0, 0.05, 48),
        "zero_sigma_fraction": 0.087,
        "pool_sufficient": True,
        "kurtosis": [
            {"batch_size": size, "value": 16.0 / size, "gaussian": size >= 4} for size in sizes
        ],
    }


def theory_errors(rows: list[Plain], name: str) -> Plain:
    errors = [
        abs(row[name] / row["lr_measured"] - 1)
        for row in rows
        if 4 <= row["batch_size"] <= 256 and row[name] and row["lr_measured"]
    ]
    return {
        "median_abs_rel_error": float(np.median(errors)) if errors else None,
        "max_abs_rel_error": max(errors, default=None),
        "cells": len(errors),
    }


def synthetic_report(
    batch_sizes: Sequence[int] = BATCH_SIZES,
    ratios: Sequence[float] = RATIOS,
    seed: int = 0,
    earlier: bool = True,
) -> Plain:
    rows = synthetic_rows(batch_sizes, ratios, seed)
    early = synthetic_rows(batch_sizes, ratios, seed + 1, scale=2.1)
    return {
        "schema_version": 1,
        "kind": "first_light",
        "checkpoint": {
            "step": 1000,
            "training_loss": 1.71,
            "heldout_loss": estimate(1.69, 0.004, 512),
        },
        "rows": rows,
        "earlier": [
            {
                "step": 100,
                "rows": early,
                "statistics": synthetic_statistics(early),
                "surge": synthetic_surge(early),
            }
        ]
        if earlier
        else [],
        "statistics": synthetic_statistics(rows),
        "summary": {
            name: theory_errors(rows, f"lr_{name}")
            for name in ("correlated", "independent", "mean_field")
        },
        "surge": synthetic_surge(rows),
        "warnings": ["B = 1: the batch gradient is not Gaussian (excess kurtosis 16)."],
        "model": {
            "parameters": 135_424,
            "config": {"context": 64, "width": 64, "depth": 2, "heads": 4, "tied": False},
        },
        "corpus": {"name": "Python standard library", "sha256": "ab12" * 16, "bytes": 19_874_112},
        "training": {"optimizer": "adamw", "steps": 1000, "betas": [0.9, 0.95], "lr": 3e-3},
        "seeds": {"master": 0},
        "versions": {
            "python": "3.11.7",
            "torch": "2.13.0",
            "numpy": "2.4.0",
            "scipy": "1.17.0",
            "package": "0.1.0",
        },
        "hardware": {"cpu": "AMD EPYC 7B13", "cores": 2, "device": "cpu"},
        "command": "scaling-theory demo --out runs/demo --overwrite",
        "wall_seconds": {
            "stages": {"train": 61.2, "measure": 143.0, "predict": 31.5, "show": 6.1},
            "total": 241.8,
        },
        "peak_memory_bytes": 1_740_000_000,
    }


def odd_report() -> Plain:
    """One epsilon, negative values, nulls with reasons, hostile names."""
    report = synthetic_report(ratios=(0.3,), earlier=False)
    rows = report["rows"]
    rows[1] |= {"lr_line_search": None, "lr_line_search_ci95": None}
    rows[1]["line_search_status"] = "not identified: the interval spans the whole search"
    rows[2] |= {
        "lr_measured": None,
        "lr_measured_standard_error": None,
        "lr_measured_ci95": None,
        "lr_measured_status": "no minimum: curvature -3.1 <= 0",
        "quadratic_agrees": "cannot tell",
        "signal_curvature": {"status": "not identified"},
    }
    rows[3] |= {"lr_mean_field": None}
    rows[3]["mean_field"] |= {"status": "no minimum", "kappa_squared": None}
    rows[4] |= {"lr_independent": -2e-4, "noise_curvature": estimate(-120.0, 0.5)}
    rows[5] |= {"lr_measured_ci95": [-1e-5, 2e-3], "quadratic_agrees": "no", "kurtosis": None}
    report["statistics"]["simple_noise_batch"] = {
        "status": "not identified, needs about 5,000 more sequences"
    }
    report["statistics"]["pool_sufficient"] = False
    for name in ("measured", "correlated"):
        report["surge"][0][name] = {
            "ratio": {"status": "large-batch value unknown"},
            "peak_batch_size": None,
            "outcome": "cannot tell",
            "reason": "no measurement at B = 16",
        }
    report["summary"]["mean_field"] = {
        "median_abs_rel_error": None,
        "max_abs_rel_error": None,
        "cells": 0,
    }
    report["corpus"]["name"] = '<script>alert("corpus")</script> $x$'
    report["warnings"] = ["<b>bold</b> & pool too small", "second"]
    report["peak_memory_bytes"] = None
    return report
