"""What runs meet where they branch off, as `spectra.json` beside the statistics of that place.

    schema, schema_version, provenance
    points   rule, batch_size (sequences), epsilon (a number or "inf"), descent, curvature,
             signal and noise: nodes and weights of a spectral measure

Plain JSON, read without torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from empirical.atomic_files import refusals, write_atomically
from empirical.errors import UsageError
from empirical.statistics_files import read_record
from scaling_theory.branch_point import RULES, BranchPoint, Rule
from scaling_theory.spectral_measure import SpectralMeasure

SCHEMA = "scaling-theory/spectra"
VERSION = 1
NAME = "spectra.json"
AGAIN = "measure again with: python -m examples.horizon measure"


@dataclass(frozen=True)
class SavedSpectra:
    """All that was measured at one place. provenance: as in its statistics, plain JSON."""

    points: tuple[BranchPoint, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def at(self, rule: Rule, batch_size: float, epsilon: float) -> BranchPoint | None:
        """The point measured there; epsilons agree to 1e-4, None where there is none."""
        for point in self.points:
            close = abs(point.epsilon - epsilon) <= 1e-4 * max(point.epsilon, epsilon)
            if point.rule == rule and point.batch_size == batch_size and close:
                return point
        return None


def write_spectra(directory: Path, points: Sequence[BranchPoint], provenance: Any) -> Path:
    """Write `spectra.json`, in place of one that is there. Raises UsageError if it cannot be."""
    record = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "provenance": provenance,
        "points": [_as_json(point) for point in points],
    }
    path = directory / NAME
    with refusals(directory):
        write_atomically(path, (json.dumps(record, allow_nan=False) + "\n").encode())
    return path


def read_spectra(directory: Path) -> SavedSpectra:
    """Read and check `spectra.json`; `UsageError` says what is missing or wrong."""
    path = directory / NAME
    record = read_record(path, SCHEMA, VERSION, AGAIN)
    try:
        return SavedSpectra(tuple(map(_point, record["points"])), record.get("provenance", {}))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path} does not hold spectra ({error}): {AGAIN}") from error


def _as_json(point: BranchPoint) -> dict[str, Any]:
    return {
        "rule": point.rule,
        "batch_size": point.batch_size,
        "epsilon": point.epsilon if isfinite(point.epsilon) else "inf",
        "descent": point.descent,
        "curvature": point.curvature,
        **{name: _measure_as_json(getattr(point, name)) for name in ("signal", "noise")},
    }


def _measure_as_json(measure: SpectralMeasure) -> dict[str, list[float]]:
    # eight digits are far below what two draws of the noise are known to
    return {
        name: [float(f"{x:.8g}") for x in getattr(measure, name)] for name in ("nodes", "weights")
    }


def _point(value: Mapping[str, Any]) -> BranchPoint:
    def measure(part: Mapping[str, Any]) -> SpectralMeasure:
        nodes, weights = (np.array(part[name], dtype=np.float64) for name in ("nodes", "weights"))
        if nodes.ndim != 1 or nodes.shape != weights.shape or not nodes.size:
            raise ValueError(f"nodes of shape {nodes.shape}, weights of {weights.shape}")
        if not (np.isfinite(nodes).all() and np.isfinite(weights).all()):
            raise ValueError("a node or weight is not a number")
        return SpectralMeasure(nodes, weights)

    rule: Rule | None = next((r for r in RULES if r == value["rule"]), None)
    if rule is None:
        raise ValueError(f"rule {value['rule']!r}, {' or '.join(RULES)} was wanted")
    return BranchPoint(
        rule=rule,
        batch_size=float(value["batch_size"]),
        epsilon=inf if value["epsilon"] == "inf" else float(value["epsilon"]),
        descent=float(value["descent"]),
        curvature=float(value["curvature"]),
        signal=measure(value["signal"]),
        noise=measure(value["noise"]),
    )
