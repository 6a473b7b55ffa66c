"""What `validate` found as plain JSON values: slices with their optima, verdicts with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite
from typing import Any

from empirical.judge.claims.claim import Known
from empirical.judge.claims.predictions import PREDICTIONS, Prediction, Silence
from empirical.judge.verdict import ERROR, TOLERANCE, Measured, Regret, Verdict
from empirical.judge.verdict_cells import Cell
from empirical.judge.verdict_slices import Slice
from empirical.judge.verdicts import Judged, TableVerdicts

SCHEMA, VERSION = "scaling-theory/validate", 1


def validate_record(found: Sequence[TableVerdicts], known: Known) -> dict[str, Any]:
    """The record of all tables; infinite ends of intervals are null."""
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "confidence": 1 - ERROR,
        "tolerance_factor": exp(TOLERANCE),
        "tables": [_table(each, known) for each in found],
    }


def _table(found: TableVerdicts, known: Known) -> dict[str, Any]:
    table = found.table
    return {
        "source": table.source,
        "sha256": table.sha256,
        "runs": len(table),
        "diverged": table.censored,
        "rejected": len(table.rejected),
        "why_rejected": table.why_rejected(),
        "unit": table.unit,
        "cells": len(found.cells),
        "cells_with_a_number": sum(cell.identified for cell in found.cells),
        "cells_with_too_few_learning_rates": found.sparse,
        "cells_in_no_slice": found.alone,
        "slices": [_slice(each, known) for each in found.slices],
        "verdicts": [_judged(each) for each in found.judged],
    }


def _slice(each: Slice, known: Known) -> dict[str, Any]:
    return {
        "name": each.label,
        "family": each.family,
        "optimizer": each.optimizer,
        "epsilon": each.epsilon,
        "held_fixed": each.held,
        "amount": each.amount,
        "amount_unit": each.unit,
        "cells": [_cell(cell) for cell in each.cells],
        "predictions": {
            prediction.name: [_predicted(cell, prediction, known) for cell in each.cells]
            for prediction in PREDICTIONS
            if prediction.reach != "rule" and not prediction.missing(known, each.held)
        },
    }


def _cell(cell: Cell) -> dict[str, Any]:
    optimum = cell.found.optimum
    return {
        "batch_size": cell.batch,
        "steps": cell.steps,
        "data": cell.data,
        "group": cell.group,
        "learning_rate": optimum.learning_rate,
        "interval95": [finite(end) for end in optimum.interval],
        "status": str(optimum.status),
        "runs": optimum.runs,
        "diverged": optimum.censored,
    }


def _predicted(cell: Cell, prediction: Prediction, known: Known) -> dict[str, Any]:
    answer = prediction.ln_eta(cell, known)
    if isinstance(answer, Silence):
        return {"learning_rate": None, "reason": answer.reason}
    low, high = answer.interval()
    return {"learning_rate": exp(answer.value), "interval95": [exp(low), exp(high)]}


def _judged(each: Judged) -> dict[str, Any]:
    return {
        "statement": each.claim.statement,
        "source": each.claim.source,
        "held_fixed": each.stratum.held,
        "optimizer": each.stratum.optimizer,
        "slices": len(each.stratum.slices),
        **_verdict(each.verdict),
        "parts": [{"slice": name, **_verdict(part)} for name, part in each.verdict.parts],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "claim": verdict.claim,
        "verdict": str(verdict.outcome),
        "reason": verdict.reason,
        "cells": verdict.cells,
        "number": None if verdict.measured is None else _measured(verdict.measured),
        "regret_nats": None if verdict.regret is None else _regret(verdict.regret),
    }


def _measured(measured: Measured) -> dict[str, Any]:
    """Factors as factors, not as their logarithms."""

    def shown(value: float) -> float | None:
        return finite(exp(value)) if measured.logarithm and isfinite(value) else finite(value)

    return {
        "what": measured.what,
        "factor": measured.logarithm,
        "value": shown(measured.value),
        "interval": [shown(end) for end in measured.interval],
        "confidence": measured.confidence,
        "predicted": [shown(end) for end in measured.region],
        "statistic": measured.statistic,
    }


def _regret(regret: Regret) -> dict[str, Any]:
    return {
        "mean": finite(regret.value),
        "interval95": [finite(end) for end in regret.interval],
        "cells": regret.cells,
    }


def finite(value: float) -> float | None:
    """The value, None where it is infinite or not a number: JSON has neither."""
    return float(value) if isfinite(value) else None
