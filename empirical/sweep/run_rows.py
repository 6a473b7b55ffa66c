"""From units and their results to rows of the store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from empirical.sweep.result_files import UnitResult, encode_result, keys_of
from empirical.sweep.schema import DIVERGED, FINISHED, PLANNED, RunRow
from empirical.train.run_configuration import RESULTS_VERSION, WorkUnit, canonical_json


def planned_rows(unit: WorkUnit, now: float) -> list[RunRow]:
    """Rows of a unit that has not been computed."""
    key, run_keys = keys_of(unit)
    return [
        RunRow(
            key=run_key,
            unit=key,
            place=place,
            path=unit.path,
            config=canonical_json(run.model_dump(mode="json")),
            results_version=RESULTS_VERSION,
            state=PLANNED,
            failures=0,
            error="",
            result="",
            planned=now,
            ended=0.0,
        )
        for place, (run_key, run) in enumerate(zip(run_keys, unit.runs, strict=True))
    ]


def ended_rows(result: UnitResult, known: Mapping[str, RunRow], now: float) -> list[RunRow]:
    """Rows of a unit that has been computed; failures and times are those of the known rows."""
    rows = []
    for fresh, text in zip(planned_rows(result.unit, now), result.results, strict=True):
        before = known.get(fresh.key, fresh)
        diverged = json.loads(text)["diverged_at"] is not None
        rows.append(
            RunRow(
                **{
                    **vars(before),
                    "state": DIVERGED if diverged else FINISHED,
                    "error": "",
                    "result": text,
                    "ended": now,
                }
            )
        )
    return rows


def result_of_rows(rows: Iterable[RunRow]) -> str | None:
    """The text of the result file of a unit, from its rows; None where they are not all there."""
    ordered = sorted(rows, key=lambda row: row.place)
    if not ordered or not all(row.result for row in ordered):
        return None
    try:
        unit = WorkUnit.model_validate(
            {"runs": [json.loads(row.config) for row in ordered], "path": ordered[0].path}
        )
    except ValueError:
        return None
    if keys_of(unit)[0] != ordered[0].unit:
        return None
    return encode_result(unit, [row.result for row in ordered])
