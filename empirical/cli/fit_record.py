"""What `fit` found as plain JSON values: optima, league, parameters of the best law."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from empirical.judge.fit_table import TableForFit
from empirical.judge.heldout import Split
from empirical.judge.league import League, Row, Score
from empirical.judge.profile import Interval
from empirical.judge.run_table import RunTable

SCHEMA, VERSION = "scaling-theory/fit", 1


def fit_record(
    table: RunTable,
    found: TableForFit,
    league: League,
    chosen: Row,
    intervals: list[Interval],
    widened: float,
) -> dict[str, Any]:
    """The record; intervals are those of the law that was chosen, widened by that factor."""
    # The best of one is no best: a split counts where it judges two laws.
    compared = [s for s in league.best if sum(s in row.scores for row in league.rows) > 1]
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "table": {
            "source": table.source,
            "sha256": table.sha256,
            "runs": len(table),
            "rejected": len(table.rejected),
            "why_rejected": table.why_rejected(),
            "diverged": table.censored,
            "groups": len(found.optima.groups),
            "held_fixed": found.held_fixed,
            "held_note": found.held_note,
            "unit": found.unit,
            "sequence_length": found.sequence_length,
        },
        "optima": {
            "inside": int(found.optima.measured.sum()),
            "beyond": int((~found.optima.measured).sum()),
            "unused": [
                {"grid": each.grid.label, "reason": each.optimum.describe()}
                for each in found.unused
            ],
        },
        "resampled": league.resampled,
        "best": {split: league.best[split] for split in compared},
        "league": [_row(row, compared) for row in league.rows],
        "chosen": {
            "law": chosen.entry.name,
            "horizon": chosen.entry.horizon,
            "formula": chosen.entry.form.formula,
            "source": chosen.entry.form.source,
            "scatter": None if chosen.fit is None else chosen.fit.scatter,
            "references": {} if chosen.fit is None else dict(chosen.fit.references),
            "parameters": [_parameter(each) for each in intervals],
            "at_bound": [] if chosen.fit is None else list(chosen.fit.at_bound),
            "intervals_widened": widened,
            "given": _given(chosen),
        },
    }


def _row(row: Row, compared: Sequence[Split]) -> dict[str, Any]:
    fit = row.fit
    alone = bool(row.scores) and not any(split in compared for split in row.scores)
    return {
        "law": row.entry.name,
        "horizon": row.entry.horizon,
        "formula": row.entry.form.formula,
        "source": row.entry.form.source,
        "coefficients": None if fit is None else len(fit.coefficients),
        "scatter": None if fit is None else fit.scatter,
        "aicc": None if fit is None else finite(fit.aicc),
        "at_bound": [] if fit is None else list(fit.at_bound),
        "failure": row.failure,
        "held_out": {split: _score(score) for split, score in row.scores.items()},
        "not_predicted": {
            split: held.failure for split, held in row.held_out.items() if held.failure
        },
        "verdict": "not compared" if alone else row.verdict,
        "refuted_by": list(row.refuted_by),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "rms_ln_eta": finite(score.rms),
        "rms_interval95": [finite(end) for end in score.rms_interval],
        "regret_nats": finite(score.regret),
        "regret_interval95": [finite(end) for end in score.regret_interval],
        "excess_over_best": finite(score.excess),
        "excess_interval95": [finite(end) for end in score.excess_interval],
        "covered_by_interval95": finite(score.covered),
        "optima": score.optima,
        "refuted": score.refuted,
    }


def _parameter(interval: Interval) -> dict[str, Any]:
    value, low, high = interval.natural
    return {"name": interval.name, "value": value, "interval95": [finite(low), finite(high)]}


def _given(row: Row) -> dict[str, float]:
    """What was not fitted: values, where every covariate is 1, and powers."""
    ties = row.entry.ties.items()
    values = {parameter: tie.value for parameter, tie in ties if tie.value is not None}
    powers = {
        f"{parameter} {covariate}": power
        for parameter, tie in ties
        for covariate, power in tie.fixed_powers.items()
    }
    return {**values, **powers}


def finite(value: float) -> float | None:
    """The value, None where it is infinite or not a number: JSON has neither."""
    return float(value) if isfinite(value) else None
