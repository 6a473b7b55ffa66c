"""Results and curves as files: written by whoever computed them, checked by whoever reads them.

    results/<unit>.json   {"body": {...}, "sha256": of the canonical JSON of the body}
    curves/<run>.csv      step, loss; its SHA-256 stands in the result

A file is believed only if its hash fits, so that a torn write or a flipped byte is seen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from pydantic import ValidationError

from empirical.sweep.folder import SweepFolder
from empirical.train.run_configuration import RESULTS_VERSION, WorkUnit, canonical_json
from scaling_theory.estimate import Estimate

SCHEMA = "scaling-theory/sweep-result"
VERSION = 1


class Ended(Protocol):
    """A run as the training loop leaves it."""

    @property
    def diverged_at(self) -> int | None: ...
    @property
    def heldout_loss(self) -> Estimate | None: ...
    @property
    def start_loss(self) -> Estimate: ...
    @property
    def loss_drop(self) -> Estimate | None: ...
    @property
    def curve(self) -> tuple[tuple[int, float], ...]: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True)
class UnitResult:
    """A result file that was believed: the unit, and one JSON text per run."""

    unit: WorkUnit
    results: tuple[str, ...]


@cache
def keys_of(unit: WorkUnit) -> tuple[str, tuple[str, ...]]:
    """The key of the unit and those of its runs; a driver asks for them again and again."""
    return unit.key, tuple(unit.run_key(index) for index in range(len(unit.runs)))


def result_of(run: Ended) -> str:
    """One run's result as JSON; its curve goes by its hash."""
    return canonical_json(
        {
            "diverged_at": run.diverged_at,
            "heldout_loss": _estimate(run.heldout_loss),
            "start_loss": _estimate(run.start_loss),
            "loss_drop": _estimate(run.loss_drop),
            "curve_sha256": hashlib.sha256(curve_csv(run.curve)).hexdigest(),
            "seconds": run.seconds,
        }
    )


def curve_csv(curve: Sequence[tuple[int, float]]) -> bytes:
    """A training curve as CSV; the numbers come back exactly."""
    return "".join(["step,loss\n", *(f"{step},{loss!r}\n" for step, loss in curve)]).encode()


def encode_result(unit: WorkUnit, results: Sequence[str]) -> str:
    """The text of a result file."""
    body = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "results_version": RESULTS_VERSION,
        "unit": unit.model_dump(mode="json"),
        "key": keys_of(unit)[0],
        "results": [json.loads(result) for result in results],
    }
    return canonical_json({"body": body, "sha256": _digest(body)}) + "\n"


def decode_result(text: str | bytes) -> UnitResult | None:
    """The result, or None for one made by another version of the code.

    Raises ValueError where the text cannot be believed.
    """
    try:
        record = json.loads(text)
        body: Mapping[str, Any] = record["body"]
        if record["sha256"] != _digest(body):
            raise ValueError("its hash does not fit")
        if body["schema_version"] != VERSION or body["results_version"] != RESULTS_VERSION:
            return None
        unit = WorkUnit.model_validate(body["unit"])
        if unit.key != body["key"]:
            raise ValueError("its key is not that of its runs")
    except (KeyError, TypeError, ValidationError) as error:
        raise ValueError("it is no result") from error
    return UnitResult(unit, tuple(canonical_json(result) for result in body["results"]))


def read_curve(folder: SweepFolder, run: str, sha256: str) -> tuple[tuple[int, float], ...] | None:
    """(step, mean training loss since the reading before), or None where it is lost or damaged."""
    try:
        data = folder.curve(run).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != sha256:
        return None
    rows = (line.split(",") for line in data.decode().splitlines()[1:])
    return tuple((int(step), float(loss)) for step, loss in rows)


def _estimate(estimate: Estimate | None) -> list[float] | None:
    if estimate is None:
        return None
    return [estimate.value, estimate.standard_error, estimate.samples]


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()
