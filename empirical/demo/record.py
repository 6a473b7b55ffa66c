"""From the studies of a demo run to the plain record that is stored and shown."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import torch

from empirical.demo.configuration import DemoConfig
from empirical.demo.rows import plain, rows_of, statistics_of, summary_of, surges_of
from empirical.measure.noise_report import pool_status
from empirical.measure.study import Study
from empirical.report.records import Plain
from empirical.report.schema import KIND, SCHEMA_VERSION
from empirical.train.text import Corpus
from scaling_theory import __version__
from scaling_theory.estimate import Estimate


@dataclass(frozen=True)
class Stage:
    """A checkpoint: the step, its training and held-out loss (nats per byte), and its study."""

    step: int
    training_loss: float
    heldout_loss: Estimate
    study: Study


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from."""

    corpus: Corpus
    device: str
    wall_seconds: dict[str, float]
    peak_memory: int


def build_record(config: DemoConfig, stages: Sequence[Stage], provenance: Provenance) -> Plain:
    """The record of a run; the last stage is the one it is about, the others came earlier."""
    *earlier, late = stages
    rows = [rows_of(stage.study) for stage in stages]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        **_late(late, rows[-1], config.seed),
        "earlier": [
            {"step": stage.step, **_results(stage, found, config.seed)}
            for stage, found in zip(earlier, rows[:-1], strict=True)
        ],
        "warnings": [
            text
            for stage, found in zip(stages, rows, strict=True)
            for text in warnings_of(stage, found)
        ],
        "model": {
            "parameters": late.study.found.parameters,
            "config": config.network_config().model_dump(mode="json"),
        },
        "corpus": {
            "name": provenance.corpus.name,
            "sha256": provenance.corpus.sha256,
            "bytes": provenance.corpus.byte_count,
        },
        "training": _flat(config.train_config().model_dump(mode="json")),
        "seeds": {"seed": config.seed},
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "package": __version__,
        },
        "hardware": {
            "cpu": processor_name(),
            "cores": os.cpu_count() or 1,
            "device": provenance.device,
        },
        "command": shlex.join(["scaling-theory", *sys.argv[1:]]),
        "wall_seconds": {
            "stages": provenance.wall_seconds,
            "total": sum(provenance.wall_seconds.values()),
        },
        "peak_memory_bytes": provenance.peak_memory,
    }


def provenance_of(record: Plain, step: int) -> Plain:
    """What saved statistics say of their origin."""
    names = ("model", "corpus", "seeds", "versions")
    return {"step": step} | {name: record[name] for name in names}


def _late(stage: Stage, rows: list[Plain], seed: int) -> Plain:
    results = _results(stage, rows, seed)
    return {
        "checkpoint": {
            "step": stage.step,
            "training_loss": results.pop("training_loss"),
            "heldout_loss": results.pop("heldout_loss"),
        },
        **results,
    }


def _results(stage: Stage, rows: list[Plain], seed: int) -> Plain:
    return {
        "training_loss": stage.training_loss,
        "heldout_loss": plain(stage.heldout_loss),
        "rows": rows,
        "statistics": statistics_of(stage.study),
        "summary": summary_of(rows),
        "surge": surges_of(rows, seed),
    }


def warnings_of(stage: Stage, rows: list[Plain]) -> list[str]:
    """What a reader has to know before believing the numbers of a checkpoint."""
    study, cells = stage.study, stage.study.cells
    tails, status = study.found.tails, pool_status(study.found.whole)
    found = []
    if status != "ok":
        found.append(f"noise batch: {status}")
    tailed = [b for b in study.batch_sizes if not tails.allow(b)]
    if tailed:
        listed = ", ".join(map(str, tailed))
        found.append(
            f"the batch gradient is not Gaussian at B = {listed} (excess kurtosis "
            f"{tails.at(min(tailed)):.1f} at B = {min(tailed)}): the predictions do "
            "not claim these"
        )
    failing = [
        f"B = {cell.batch_size}, epsilon = {cell.epsilon_ratio:g} rms sigma"
        for cell, row in zip(cells, rows, strict=True)
        if row["quadratic_agrees"] == "no"
    ]
    if failing:
        found.append(
            "the quadratic model fails (ratio and line search differ) in "
            f"{len(failing)} of {len(cells)} cells: {'; '.join(failing)}"
        )
    return [f"step {stage.step}: {text}" for text in found]


def _flat(settings: Plain) -> Plain:
    """Nested settings with dotted names."""
    flat: Plain = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": item for inner, item in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def processor_name() -> str:
    """What the machine calls its processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
