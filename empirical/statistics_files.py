"""Saved statistics of a checkpoint: a directory with `statistics.json` and, often, vectors.

    statistics.json      numbers with standard errors, units and provenance (read without torch)
    vectors.safetensors  optional: gradient and sigma per coordinate (float32 or float64), [P]

Batch sizes in sequences; sigma per sequence; in JSON an infinite epsilon is the string "inf".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.atomic_files import refusals, replacing, write_atomically
from empirical.errors import UsageError
from scaling_theory.checkpoint import CheckpointScalars
from scaling_theory.errors import InputError
from scaling_theory.estimate import Estimate
from scaling_theory.grid_quantity import GridQuantity
from scaling_theory.surface import SurfaceStatistics

SCHEMA = "scaling-theory/statistics"
VERSION = 1
NUMBERS = "statistics.json"
VECTORS = "vectors.safetensors"
GRIDS = ("descent", "signal", "noise_correlated", "noise_independent")
AGAIN = "measure again with: scaling-theory measure"

Vector = NDArray[np.floating]


@dataclass(frozen=True)
class SavedStatistics:
    """One checkpoint's statistics. provenance: model, corpus hash, seeds, versions, plain JSON."""

    scalars: CheckpointScalars
    surface: SurfaceStatistics
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Vectors:
    """gradient: g, [P]. sigma: standard deviation of one sequence's gradient, [P]."""

    gradient: Vector
    sigma: Vector


def write_statistics(
    directory: Path, statistics: SavedStatistics, vectors: Vectors | None = None
) -> None:
    """Write the directory's files, the numbers last: a directory without them is unfinished.

    Raises `UsageError` if it exists with statistics in it or cannot be written.
    """
    if (directory / NUMBERS).exists():
        raise UsageError(f"{directory} already holds statistics: name another directory")
    with refusals(directory):
        if vectors is not None:
            from safetensors.numpy import save_file

            arrays = {"gradient": vectors.gradient, "sigma": vectors.sigma}
            with replacing(directory / VECTORS) as part:
                save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, part)
        text = json.dumps(to_json(statistics), indent=1, allow_nan=False) + "\n"
        write_atomically(directory / NUMBERS, text.encode())


def read_statistics(directory: Path) -> SavedStatistics:
    """Read and check `statistics.json`; `UsageError` says what is missing or wrong."""
    path = directory / NUMBERS
    record = read_record(path, SCHEMA, VERSION, AGAIN)
    try:
        return from_json(record)
    except KeyError as error:
        raise UsageError(f"{path} lacks {error}: {AGAIN}") from error
    except (TypeError, ValueError, InputError) as error:
        raise UsageError(f"{path} does not hold statistics ({error}): {AGAIN}") from error


def read_vectors(directory: Path) -> Vectors:
    """Read `vectors.safetensors`; `UsageError` where it is missing, torn or does not fit."""
    path = directory / VECTORS
    if not path.is_file():
        raise UsageError(f"{directory} has no {VECTORS}: {AGAIN}, keeping the vectors")
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
        vectors = Vectors(arrays["gradient"], arrays["sigma"])
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is torn or no safetensors file ({error}): {AGAIN}") from error
    except KeyError as error:
        raise UsageError(f"{path} lacks the vector {error}: {AGAIN}") from error
    shapes = vectors.gradient.shape, vectors.sigma.shape
    if shapes[0] != shapes[1] or len(shapes[0]) != 1 or not shapes[0][0]:
        raise UsageError(f"{path} holds shapes {shapes[0]} and {shapes[1]}; two alike [P]: {AGAIN}")
    return vectors


def read_record(path: Path, schema: str, version: int, advice: str) -> dict[str, Any]:
    """A JSON object of the given schema and version; `UsageError` ends with `advice`."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist: {advice}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): {advice}") from error
    except ValueError as error:
        raise UsageError(f"{path} is torn or no JSON ({error}): {advice}") from error
    if not isinstance(record, dict) or record.get("schema") != schema:
        raise UsageError(f"{path} is not a file of schema '{schema}': {advice}")
    if record.get("schema_version") != version:
        found = record.get("schema_version")
        raise UsageError(f"{path} has schema version {found}, {version} was wanted: {advice}")
    return record


def to_json(statistics: SavedStatistics) -> dict[str, Any]:
    """The record as plain JSON values."""
    surface = statistics.surface
    scalars: dict[str, Any] = {}
    for entry in fields(CheckpointScalars):
        value = getattr(statistics.scalars, entry.name)
        scalars[entry.name] = _estimate_json(value) if isinstance(value, Estimate) else value
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "units": {"batch_sizes": "seq", "epsilons": "gradient", "sigma": "per sequence"},
        "scalars": scalars,
        "surface": {
            "batch_sizes": surface.batch_sizes.tolist(),
            "epsilons": [e if isfinite(e) else "inf" for e in surface.epsilons.tolist()],
            "rms_gradient": surface.rms_gradient,
            "rms_sigma": surface.rms_sigma,
            "samples": surface.samples,
            "moments": surface.moments,
            **{name: _grid_json(getattr(surface, name)) for name in GRIDS},
        },
        "provenance": dict(statistics.provenance),
    }


def from_json(record: Mapping[str, Any]) -> SavedStatistics:
    """The inverse of `to_json`; raises KeyError, TypeError or ValueError on anything else."""
    raw, grid = record["scalars"], record["surface"]
    known = {entry.name for entry in fields(CheckpointScalars)}
    if unknown := sorted(set(raw) - known):
        raise ValueError(f"unknown scalars {', '.join(unknown)}")
    scalars: dict[str, Any] = {
        name: Estimate(**value) if isinstance(value, Mapping) else value
        for name, value in raw.items()
    }
    surface = SurfaceStatistics(
        batch_sizes=np.array(grid["batch_sizes"], dtype=float),
        epsilons=np.array([inf if e == "inf" else e for e in grid["epsilons"]], dtype=float),
        rms_gradient=float(grid["rms_gradient"]),
        rms_sigma=float(grid["rms_sigma"]),
        samples=int(grid["samples"]),
        moments=str(grid["moments"]),
        **{name: _grid(grid[name]) for name in GRIDS},
    )
    return SavedStatistics(CheckpointScalars(**scalars), surface, dict(record["provenance"]))


def _estimate_json(estimate: Estimate) -> dict[str, float]:
    return {
        "value": estimate.value,
        "standard_error": estimate.standard_error,
        "samples": estimate.samples,
    }


def _grid_json(grid: GridQuantity) -> dict[str, Any]:
    return {"value": grid.value.tolist(), "standard_error": grid.standard_error.tolist()}


def _grid(raw: Mapping[str, Any]) -> GridQuantity:
    return GridQuantity(
        np.array(raw["value"], dtype=float), np.array(raw["standard_error"], dtype=float)
    )
