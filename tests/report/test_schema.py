"""The record of a run: what is accepted, what is refused and with which words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from empirical.errors import UsageError
from empirical.report.schema import ReportError, parse_report, read_report
from tests.report.synthetic import odd_report, synthetic_report


@pytest.mark.parametrize("make", [synthetic_report, odd_report], ids=["whole", "odd"])
def test_a_record_survives_json_unchanged(make: Callable[[], dict[str, Any]]) -> None:
    """Closed form: parse, dump and parse again is the identity."""
    record = parse_report(make())
    assert parse_report(record.model_dump(mode="json")) == record
    json.dumps(record.model_dump(mode="json"), allow_nan=False)


def test_a_record_is_frozen() -> None:
    """Closed form: assignment is an error, so that what was checked stays checked."""
    record = parse_report(synthetic_report(earlier=False))
    with pytest.raises(ValidationError, match="frozen"):
        record.kind = "first_light"


def _with(path: str, value: object) -> dict[str, Any]:
    report = synthetic_report()
    *parents, last = path.split(".")
    place: Any = report
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return report


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("surprise", 1, "surprise: Extra inputs"),
        ("rows.0.surprise", 1, "rows.0.surprise: Extra inputs"),
        ("schema_version", 2, "schema_version: Input should be 1"),
        ("kind", "sweep", "kind: Input should be 'first_light'"),
        ("rows", [], "rows: Tuple should have at least 1 item"),
        ("rows.3.lr_measured", float("nan"), "rows.3.lr_measured: Input should be a finite"),
        ("rows.3.lr_measured", float("inf"), "rows.3.lr_measured: Input should be a finite"),
        ("rows.3.lr_measured", None, "lr_measured is null while its status says 'ok'"),
        ("rows.3.lr_line_search", None, "lr_line_search is null while its status says 'ok'"),
        ("rows.3.lr_mean_field", None, "lr_mean_field is null while its status says 'ok'"),
        ("rows.3.lr_measured", "3e-4", "rows.3.lr_measured: Input should be a valid number"),
        ("rows.3.lr_measured_ci95", [2.0, 1.0], "upside down"),
        ("rows.3.batch_size", 0, "rows.3.batch_size: Input should be greater than 0"),
        ("rows.3.epsilon", -0.1, "rows.3.epsilon: Input should be greater than or equal to 0"),
        ("rows.3.batch_size", 1, "2 rows for batch size 1, epsilon 0.0 at step 1000"),
        ("earlier.0.rows.3.batch_size", 1, "2 rows for batch size 1, epsilon 0.0 at step 100"),
        ("surge.0.measured.outcome", "maybe", "surge.0.measured.outcome: Input should be 'yes'"),
        ("summary.correlated.cells", 0, "null when cells = 0"),
        ("summary.correlated.max_abs_rel_error", None, "numbers when cells > 0"),
        ("corpus.sha256", "abc", "corpus.sha256: String should match pattern"),
        ("statistics.zero_sigma_fraction", 1.1, "less than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, words: str) -> None:
    """Closed form: one planted fault, one line that names its place."""
    with pytest.raises(ReportError) as caught:
        parse_report(_with(path, value))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_number_needs_only_a_reason() -> None:
    """Closed form: null with a status is a result, not a fault."""
    report = _with("rows.3.lr_correlated", None)
    report["rows"][3]["lr_correlated_status"] = "no minimum: curvature -2 <= 0"
    assert parse_report(report).rows[3].lr_correlated is None


def test_a_stored_record_is_read_back(tmp_path: Path) -> None:
    """Closed form: what was stored is what is read."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(synthetic_report()), encoding="utf-8")
    assert read_report(path) == parse_report(synthetic_report())


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff\xfe"])
def test_a_broken_file_is_the_users_to_mend(tmp_path: Path, content: bytes | None) -> None:
    """Closed form: absent, empty, cut, of another kind, not text: one line with the path."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"report\.json: ") as caught:
        read_report(path)
    assert "\n" not in str(caught.value)
