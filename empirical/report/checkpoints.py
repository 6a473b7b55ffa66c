"""Checkpoints side by side: their statistics, and how the optimal learning rate drifts."""

from __future__ import annotations

from empirical.report.answer import quoted_row
from empirical.report.grid import panel_key
from empirical.report.numerals import (
    answer_text,
    batch,
    factor,
    percent,
    plain,
    scientific,
    times_sigma,
    uncertain,
)
from empirical.report.records import Estimate, Row, Summary
from empirical.report.schema import Report, Statistics


def statistics_table(report: Report) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Column names (one per checkpoint) and rows (name, texts) of measured statistics."""
    earlier = sorted(report.earlier, key=lambda each: each.step)
    late = report.checkpoint
    heads = [f"step {step:,}" for step in (*(e.step for e in earlier), late.step)]
    training = [*(e.training_loss for e in earlier), late.training_loss]
    heldout = [*(e.heldout_loss for e in earlier), late.heldout_loss]
    summaries = [*(e.summary for e in earlier), report.summary]
    every = [*(e.statistics for e in earlier), report.statistics]
    columns = [_texts(statistics) for statistics in every]
    rows = [
        ("training loss (nats per byte)", [_number(loss) for loss in training]),
        ("held-out loss (nats per byte)", [_estimate(loss) for loss in heldout]),
        *((name, [column[name] for column in columns]) for name in columns[0]),
        ("error of the correlated prediction (median)", [_median(each) for each in summaries]),
    ]
    return heads, rows


def drift_text(report: Report) -> str:
    """One sentence: the quoted cell at the earliest checkpoint and at the late one."""
    late = quoted_row(report.rows)
    if not report.earlier:
        return "Only one checkpoint was measured, so nothing is known about the drift."
    first = min(report.earlier, key=lambda each: each.step)
    early = None if late is None else _same_cell(first.rows, late)
    if late is None or early is None or not late.lr_measured or not early.lr_measured:
        return "No cell was measured at both checkpoints, so the drift cannot be given as a number."
    ratio = late.lr_measured / early.lr_measured
    return (
        f"From step {first.step:,} to step {report.checkpoint.step:,} the measured optimum at "
        f"{batch(late.batch_size)} and {times_sigma(late.epsilon_over_rms_sigma)} went from "
        f"{scientific(early.lr_measured)} to {scientific(late.lr_measured)}, "
        f"a factor of {factor(ratio)}."
    )


def _same_cell(rows: tuple[Row, ...], wanted: Row) -> Row | None:
    key = panel_key(wanted.epsilon_over_rms_sigma)
    for row in rows:
        if row.batch_size == wanted.batch_size and panel_key(row.epsilon_over_rms_sigma) == key:
            return row
    return None


def _texts(statistics: Statistics) -> dict[str, str]:
    enough = "yes" if statistics.pool_sufficient else "no: it identifies nothing reliably"
    return {
        "pool (sequences)": f"{statistics.pool_sequences:,}",
        "‖g‖², squared norm of the gradient (debiased)": uncertain(
            statistics.gradient_norm_squared
        ),
        "tr Σ, variance of one sequence's gradient": uncertain(statistics.trace_covariance),
        "B_simple = tr Σ / ‖g‖² (sequences)": answer_text(statistics.simple_noise_batch),
        "pool at least 20 B_simple": enough,
        "rms σ per coordinate, where σ > 0": plain(statistics.rms_sigma),
        "coordinates without noise (σ = 0)": percent(statistics.zero_sigma_fraction),
        "tr H, trace of the Hessian": uncertain(statistics.trace_hessian),
    }


def _number(value: float | None) -> str:
    return "not recorded" if value is None else plain(value, 4)


def _estimate(estimate: Estimate | None) -> str:
    return "not recorded" if estimate is None else uncertain(estimate)


def _median(summary: Summary | None) -> str:
    error = None if summary is None else summary.correlated.median_abs_rel_error
    return "not recorded" if error is None else percent(error)
