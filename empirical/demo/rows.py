"""The rows, summary, verdicts and statistics of one studied checkpoint, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from math import isfinite, log

import numpy as np

from empirical.measure.noise_report import pool_status
from empirical.measure.prediction import KAPPA_KIND, SHAPE_CONSTANT, Prediction
from empirical.measure.study import Cell, Study
from empirical.report.records import Plain
from empirical.train.randomness import numpy_generator
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.surge import surge_verdict

JUDGED = (4, 256)
"""Batch sizes, in sequences, between which a theory's error is summarised."""

DECISIVE = 0.15
"""Half-width (of ln eta) beyond which overlapping intervals do not show agreement."""

THEORIES = ("correlated", "independent", "mean_field")


def plain(estimate: Estimate) -> Plain:
    """An estimate as JSON has it; an infinite standard error is one that is not known."""
    values: Plain = asdict(estimate)
    if not isfinite(estimate.standard_error):
        values["standard_error"] = None
    return values


def rows_of(study: Study) -> list[Plain]:
    """One row per batch size and epsilon."""
    return [_row(study, cell) for cell in study.cells]


def _row(study: Study, cell: Cell) -> Plain:
    truth, line = cell.truth, cell.line_search
    rate, field = truth.learning_rate, study.mean_fields[cell.epsilon_ratio]
    return {
        "batch_size": cell.batch_size,
        "epsilon": cell.epsilon,
        "epsilon_over_rms_sigma": cell.epsilon_ratio,
        "batches": len(truth.batches),
        "lr_measured": rate.value if rate else None,
        "lr_measured_standard_error": rate.standard_error if rate else None,
        "lr_measured_ci95": list(truth.interval) if truth.interval else None,
        "lr_measured_status": truth.status,
        "lr_line_search": line.learning_rate,
        "lr_line_search_ci95": list(line.interval) if line.interval else None,
        "line_search_status": line.status,
        "quadratic_agrees": agreement(truth.interval, line.interval),
        **_predicted(cell.predictions["correlated"], "correlated"),
        **_predicted(cell.predictions["independent"], "independent"),
        "lr_mean_field": field.learning_rates[study.batch_sizes.index(cell.batch_size)],
        "mean_field": {
            "c": SHAPE_CONSTANT,
            "kappa_squared": field.kappa_squared,
            "kappa_squared_kind": KAPPA_KIND,
            "status": field.status,
        },
        "lr_gaussian_simulated": None,
        "descent": plain(truth.descent),
        "signal_curvature": plain(truth.signal),
        "noise_curvature": plain(truth.noise),
        "kurtosis": study.found.tails.at(cell.batch_size),
        "gaussian": study.found.tails.allow(cell.batch_size),
    }


def _predicted(prediction: Prediction, name: str) -> Plain:
    rate = prediction.learning_rate
    return {
        f"lr_{name}": rate.value if rate else None,
        f"lr_{name}_standard_error": rate.standard_error if rate else None,
        f"lr_{name}_status": prediction.status,
        f"noise_curvature_{name}": plain(prediction.noise),
    }


def agreement(ratio: tuple[float, float] | None, line: tuple[float, float] | None) -> str:
    """Whether the ratio and the line search agree: yes, no, or cannot tell.

    "no" if their 95 % intervals are apart: the quadratic model fails there. "yes" if they
    overlap and are narrow enough together for that to mean something.
    """
    if ratio is None or line is None or min(*ratio, *line) <= 0:
        return "cannot tell"
    if ratio[1] < line[0] or line[1] < ratio[0]:
        return "no"
    width = np.hypot(log(ratio[1] / ratio[0]), log(line[1] / line[0])) / 2
    return "yes" if width <= DECISIVE else "cannot tell"


def summary_of(rows: list[Plain]) -> Plain:
    """|prediction / measurement - 1| of each theory: median and largest over B in 4 to 256."""
    return {name: _errors(rows, f"lr_{name}") for name in THEORIES}


def _errors(rows: list[Plain], key: str) -> Plain:
    errors = [
        abs(row[key] / row["lr_measured"] - 1)
        for row in rows
        if JUDGED[0] <= row["batch_size"] <= JUDGED[1] and row[key] and row["lr_measured"]
    ]
    return {
        "median_abs_rel_error": float(np.median(errors)) if errors else None,
        "max_abs_rel_error": max(errors, default=None),
        "cells": len(errors),
    }


def surges_of(rows: list[Plain], seed: int) -> list[Plain]:
    """The surge verdict at each epsilon for the measurement and for each theory."""
    found = []
    for ratio in sorted({row["epsilon_over_rms_sigma"] for row in rows}):
        here = [row for row in rows if row["epsilon_over_rms_sigma"] == ratio]
        found.append(
            {
                "epsilon": here[0]["epsilon"],
                "epsilon_over_rms_sigma": ratio,
                **{name: _surge(here, name, seed) for name in ("measured", *THEORIES)},
            }
        )
    return found


def _surge(rows: list[Plain], name: str, seed: int) -> Plain:
    known = [row for row in rows if row[f"lr_{name}"] is not None]
    rng = numpy_generator(seed, f"surge of {name} at {rows[0]['epsilon']!r}")
    try:
        verdict = surge_verdict(
            [row["batch_size"] for row in known],
            [row[f"lr_{name}"] for row in known],
            # the mean field is a formula: what it was fed with is not propagated
            [row.get(f"lr_{name}_standard_error", 0.0) for row in known],
            rng=rng,
        )
    except InputError as refused:
        return {
            "ratio": {"status": str(refused)},
            "peak_batch_size": None,
            "outcome": "cannot tell",
            "reason": str(refused),
        }
    return {
        "ratio": plain(verdict.ratio),
        "peak_batch_size": int(verdict.peak_batch),
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
    }


def statistics_of(study: Study) -> Plain:
    """The gradient statistics of a checkpoint."""
    found, noise, tails = study.found, study.found.whole, study.found.tails
    noise_batch, status = noise.simple.estimate, pool_status(noise)
    return {
        "parameters": found.parameters,
        "pool_sequences": found.samples,
        "gradient_norm_squared": plain(noise.gradient_norm_squared),
        "trace_covariance": plain(noise.trace_covariance),
        "simple_noise_batch": plain(noise_batch) if noise_batch else {"status": status},
        "rms_sigma": noise.rms_sigma,
        "trace_hessian": plain(study.trace),
        "zero_sigma_fraction": float((found.variance == 0).double().mean()),
        "pool_sufficient": status == "ok",
        "kurtosis": [
            {
                "batch_size": batch_size,
                "value": tails.at(batch_size),
                "gaussian": tails.allow(batch_size),
            }
            for batch_size in study.batch_sizes
        ],
    }
