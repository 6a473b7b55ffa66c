"""Schema of ``report.json``, version 1: the whole record of one demo run, checked both ways.

`parse_report` checks a plain dict before it is written, `read_report` checks a stored file.
The pieces (estimates, rows, verdicts) and their units are in `records`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from empirical.errors import UsageError
from empirical.report.records import Answer, Estimate, Record, Row, Status, Summary, Surge

SCHEMA_VERSION = 1
KIND = "first_light"

Scalar = str | int | float | bool | None
Setting = Scalar | tuple[Scalar, ...]


class ReportError(UsageError):
    """A report that does not follow the schema: says where, and what was wanted."""


class Kurtosis(Record):
    """Excess kurtosis of the batch gradient, median over coordinates; 0 for a Gaussian."""

    batch_size: PositiveInt  # sequences
    value: float
    gaussian: bool


class Statistics(Record):
    """Gradient statistics of the pool at one checkpoint; sums run over all coordinates."""

    parameters: PositiveInt
    pool_sequences: PositiveInt
    gradient_norm_squared: Estimate  # ||g||^2, debiased (may be negative: pool too small)
    trace_covariance: Estimate  # sum of sigma^2, per sequence
    simple_noise_batch: Answer  # B_simple = trace covariance / ||g||^2, sequences
    rms_sigma: PositiveFloat  # over coordinates with sigma > 0, per sequence
    trace_hessian: Estimate
    zero_sigma_fraction: Annotated[float, Field(ge=0, le=1)]
    pool_sufficient: bool  # pool of at least 20 B_simple sequences
    kurtosis: tuple[Kurtosis, ...] = ()


class Checkpoint(Record):
    """Where training stood; losses in nats per byte."""

    step: NonNegativeInt
    training_loss: float
    heldout_loss: Estimate


class Earlier(Record):
    """The same measurement at an earlier checkpoint, to show the drift."""

    step: NonNegativeInt
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]
    statistics: Statistics
    surge: tuple[Surge, ...]
    training_loss: float | None = None
    heldout_loss: Estimate | None = None
    summary: Summary | None = None


class Model(Record):
    """The network: its configuration and the number of its parameters."""

    parameters: PositiveInt
    config: dict[str, Setting]


class Corpus(Record):
    """The text all numbers refer to."""

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: PositiveInt


class Versions(Record):
    """Software that made the numbers."""

    python: str
    torch: str
    numpy: str
    scipy: str
    package: str


class Hardware(Record):
    """Machine that made the numbers."""

    cpu: str
    cores: PositiveInt
    device: str


class WallSeconds(Record):
    """Elapsed seconds per stage, in the order they ran, and in all."""

    stages: dict[str, NonNegativeFloat]
    total: NonNegativeFloat


class Report(Record):
    """One demo run: `rows`, `surge` and `statistics` are those of the late checkpoint."""

    schema_version: Literal[1]
    kind: Literal["first_light"]
    checkpoint: Checkpoint
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]
    statistics: Statistics
    summary: Summary
    surge: tuple[Surge, ...]
    earlier: tuple[Earlier, ...]
    warnings: tuple[Status, ...]
    model: Model
    corpus: Corpus
    training: dict[str, Setting]
    seeds: dict[str, int]
    versions: Versions
    hardware: Hardware
    command: str
    wall_seconds: WallSeconds
    peak_memory_bytes: NonNegativeInt | None

    @model_validator(mode="after")
    def _one_row_per_cell(self) -> Self:
        for step, rows in (
            (self.checkpoint.step, self.rows),
            *((e.step, e.rows) for e in self.earlier),
        ):
            counts = Counter((row.batch_size, row.epsilon) for row in rows)
            (batch_size, epsilon), most = counts.most_common(1)[0]
            if most > 1:
                raise ValueError(
                    f"{most} rows for batch size {batch_size}, epsilon {epsilon} at step {step}; "
                    "wanted one"
                )
        return self


def parse_report(report: Mapping[str, object]) -> Report:
    """The validated form of a plain JSON-able report.

    Raises ReportError naming the offending places; NaN and infinity are among the offences.
    """
    # Through JSON text: strict types then mean JSON's types (lists for tuples), as on reading.
    return _validate(json.dumps(report), source="report")


def read_report(path: Path) -> Report:
    """The validated report stored at `path`; raises ReportError if it cannot be read as one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ReportError(f"{path}: cannot be read as a report ({problem})") from problem
    return _validate(text, source=str(path))


def _validate(text: str, source: str) -> Report:
    try:
        return Report.model_validate_json(text)
    except ValidationError as problem:
        errors = problem.errors(include_url=False, include_context=False)
        places = [f"{'.'.join(map(str, e['loc'])) or 'top'}: {e['msg']}" for e in errors[:3]]
        more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
        raise ReportError(
            f"{source}: does not follow report schema {SCHEMA_VERSION} ({'; '.join(places)}{more})"
        ) from problem
