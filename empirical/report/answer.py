"""The answer of a run in three sentences, computed from the record: what, how far, does it surge.

Nothing here is judged again: intervals, errors and verdicts are those of the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from empirical.report.grid import by_epsilon, panels
from empirical.report.numerals import (
    NBSP,
    batch,
    enumerate_words,
    interval_text,
    miss,
    plain,
    scientific,
    times_sigma,
    uncertain,
)
from empirical.report.records import Estimate, Row, Surge, TheoryError
from empirical.report.schema import Report

# A batch size most readers can picture; the nearest one measured is quoted.
QUOTED_BATCH_SIZE = 64

THEORIES = {
    "correlated": "correlated noise",
    "independent": "independent noise",
    "mean_field": "the article's mean field",
    "gaussian_simulated": "simulated Gaussian noise",
}


def answer(report: Report) -> tuple[str, str, str]:
    """What the best learning rate is, how far each theory is from it, whether it surges."""
    return _what(report), _how_far(report), _does_it_surge(by_epsilon(report.surge))


def quoted_row(rows: Sequence[Row]) -> Row | None:
    """The measured cell to quote: smallest epsilon, batch size nearest to 64."""
    for group in panels(rows).values():
        measured = [row for row in group if row.lr_measured is not None and row.lr_measured > 0]
        if measured:
            return min(measured, key=lambda r: abs(math.log(r.batch_size / QUOTED_BATCH_SIZE)))
    return None


def _what(report: Report) -> str:
    row = quoted_row(report.rows)
    if row is None or row.lr_measured is None:
        reason = report.rows[0].lr_measured_status
        return f"No optimal learning rate could be measured at this checkpoint ({reason})."
    interval = (
        f" (95 % interval {interval_text(row.lr_measured_ci95)})" if row.lr_measured_ci95 else ""
    )
    return (
        f"At step {report.checkpoint.step:,}, with batches of {_sequences(row.batch_size)} and "
        f"{times_sigma(row.epsilon_over_rms_sigma)}, the learning rate that lowers the loss most "
        f"in one step is {scientific(row.lr_measured)}{interval}{_range(report.rows, row)}."
    )


def _range(rows: Sequence[Row], quoted: Row) -> str:
    group = [row for row in rows if row.epsilon == quoted.epsilon and row.lr_measured is not None]
    group.sort(key=lambda row: row.batch_size)
    first, last = group[0], group[-1]
    if first is last or first.lr_measured is None or last.lr_measured is None:
        return ""
    return (
        f"; it goes from {scientific(first.lr_measured)} at {batch(first.batch_size)} "
        f"to {scientific(last.lr_measured)} at {batch(last.batch_size)}"
    )


def _how_far(report: Report) -> str:
    errors = {name: _error(getattr(report.summary, name)) for name in THEORIES}
    best = errors.pop("correlated")
    if best is None:
        return (
            "The prediction with correlated noise could not be compared with a measurement "
            "over B in 4…256."
        )
    cells = report.summary.correlated.cells
    text = (
        "Computed from gradient statistics alone, with nothing fitted, the prediction with "
        f"correlated noise is off by {best} over the {cells} "
        f"{'cell' if cells == 1 else 'cells'} with B in 4…256"
    )
    others = [f"{THEORIES[name]} by {found}" for name, found in errors.items() if found]
    return f"{text}; {enumerate_words(others)}." if others else f"{text}."


def _error(error: TheoryError | None) -> str | None:
    """The median error, the worst in brackets."""
    if error is None or error.median_abs_rel_error is None or error.max_abs_rel_error is None:
        return None
    return f"{miss(error.median_abs_rel_error)} (worst: {miss(error.max_abs_rel_error)})"


def _does_it_surge(surges: Sequence[Surge]) -> str:
    if not surges:
        return "Whether the learning rate surges with the batch size was not examined."
    yes, no, unknown = (
        [surge for surge in surges if surge.measured.outcome == outcome]
        for outcome in ("yes", "no", "cannot tell")
    )
    shown = [f"one at {enumerate_words([_peak(surge) for surge in yes])}"] if yes else []
    shown += [f"none at {_epsilons(no)}"] if no else []
    said = [f"shows {enumerate_words(shown)}"] if shown else []
    said += [f"cannot tell at {_epsilons(unknown)}"] if unknown else []
    surprises = [
        *_disagreements(no, "yes", "predict", "is not there"),
        *_disagreements(yes, "no", "miss", "is there"),
    ]
    text = (
        "Surge, a peak after which the best learning rate falls as the batch grows: "
        f"the measurement {enumerate_words(said)}"
    )
    return "; ".join([text, *surprises]) + "."


def _peak(surge: Surge) -> str:
    source = surge.measured
    remarks = [f"peak at {batch(source.peak_batch_size)}"] if source.peak_batch_size else []
    if isinstance(source.ratio, Estimate):
        remarks.append(f"{uncertain(source.ratio)} times the large-batch value")
    where = times_sigma(surge.epsilon_over_rms_sigma)
    return f"{where} ({', '.join(remarks)})" if remarks else where


def _disagreements(surges: Sequence[Surge], outcome: str, verb: str, truth: str) -> list[str]:
    """What theories say against the measurement; theories that say the same in one clause."""
    names: dict[str, list[str]] = {}
    for name in ("correlated", "independent", "mean_field"):
        wrong = [surge for surge in surges if getattr(surge, name).outcome == outcome]
        if wrong:
            names.setdefault(_epsilons(wrong), []).append(THEORIES[name])
    return [
        f"{enumerate_words(who)} {_conjugated(verb, len(who))} one at {where} that {truth}"
        for where, who in names.items()
    ]


def _conjugated(verb: str, subjects: int) -> str:
    if subjects > 1:
        return verb
    return f"{verb}es" if verb.endswith("s") else f"{verb}s"


def _epsilons(surges: Sequence[Surge]) -> str:
    ratios = [surge.epsilon_over_rms_sigma for surge in surges]
    unit = f"{NBSP}rms{NBSP}σ" if any(ratios) else ""
    return f"ε{NBSP}={NBSP}{enumerate_words([plain(ratio) for ratio in ratios])}{unit}"


def _sequences(count: int) -> str:
    return f"{count:,} sequence" if count == 1 else f"{count:,} sequences"
