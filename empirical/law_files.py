"""`law.json`: a fitted law on disk, read without torch or a fitting library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from empirical.atomic_files import refusals, write_atomically
from empirical.errors import UsageError
from empirical.statistics_files import read_record
from scaling_theory.errors import InputError
from scaling_theory.fitted_law import FittedLaw

SCHEMA = "scaling-theory/law"
VERSION = 2
AGAIN = "write it with: scaling-theory fit"


def check_place(path: Path) -> None:
    """Refuse a place where a law would take that of another file; an earlier law gives way.

    Asked before the fit, which may take a minute.
    """
    if path.is_dir():
        raise UsageError(f"--law-out {path} is a directory; a file is wanted, such as law.json")
    if not path.exists():
        return
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise UsageError(f"--law-out {path} is there and holds no law: name another file")


def write_law(path: Path, law: FittedLaw) -> None:
    """Write `law` in one step; `UsageError` where the file cannot be written."""
    record = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "name": law.form,
        "parameters": law.parameters,
        "covariance": law.covariance.tolist(),
        "held_fixed": law.held_fixed,
        "scatter": law.scatter,
        "at_bound": list(law.at_bound),
        "covariates": {
            name: {"reference": value, "span": list(law.spans[name])}
            for name, value in law.references.items()
        },
        "domain": {
            "batch_size": [law.smallest, law.largest],
            "unit": law.unit,
            "sequence_length": law.sequence_length,
        },
        "data_sha256": law.data_sha256,
    }
    with refusals(path):
        write_atomically(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())


def read_law(path: Path) -> FittedLaw:
    """Read and check a law; `UsageError` says what is missing or wrong."""
    record = read_record(path, SCHEMA, VERSION, AGAIN)
    try:
        return _law(record)
    except KeyError as error:
        raise UsageError(f"{path} lacks {error}: {AGAIN}") from error
    except (AttributeError, TypeError, ValueError, InputError) as error:
        raise UsageError(f"{path} does not hold a law ({error}): {AGAIN}") from error


def _law(record: dict[str, Any]) -> FittedLaw:
    domain = record["domain"]
    smallest, largest = map(float, domain["batch_size"])
    covariates = record["covariates"]
    values = {name: float(value) for name, value in record["parameters"].items()}
    return FittedLaw(
        form=record["name"],
        parameters=values,
        covariance=np.array(record["covariance"], dtype=float),
        held_fixed=record["held_fixed"],
        smallest=smallest,
        largest=largest,
        unit=domain["unit"],
        sequence_length=domain["sequence_length"],
        data_sha256=str(record["data_sha256"]),
        references={name: float(each["reference"]) for name, each in covariates.items()},
        spans={name: _span(each["span"]) for name, each in covariates.items()},
        scatter=float(record["scatter"]),
        # Files of earlier versions do not say it.
        at_bound=tuple(map(str, record.get("at_bound", []))),
    )


def _span(ends: list[float]) -> tuple[float, float]:
    low, high = map(float, ends)
    return low, high
