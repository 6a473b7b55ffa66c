"""Rows of text turned into runs, each rejected one with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from empirical.judge.columns import NUMBERS
from empirical.judge.run_record import RejectedRow, Run
from scaling_theory.errors import InputError
from scaling_theory.units import BatchSize, Unit, parse_batch_size

TRUE = {"true", "1", "1.0", "yes", "t"}
FALSE = {"false", "0", "0.0", "no", "f", ""}
NOT_FINITE = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
EXPLODED = 1e12
"""A loss beyond this is a divergence that was still a number; beside it no digit of the others is
left when losses are compared."""

UNFINISHED = {"running", "pending", "scheduled", "queued", "status_running", "preempted"}
BROKEN = {"failed", "crashed", "killed", "failure", "status_failure"}


class _RejectedError(Exception):
    """A row that is no run; the message is the reason."""


def read_run(
    cells: Mapping[str, str],
    columns: Mapping[str, str],
    row: int,
    unit: Unit | None,
    sequence_length: int | None,
) -> Run | RejectedRow:
    """One row as a run, or the reason why not.

    Args:
        cells: the row as text. columns: where ours are, {ours: theirs}.
        unit: of batch sizes that carry none; sequence_length: where the table states none.
    """
    got = {ours: cells.get(theirs, "") for ours, theirs in columns.items()}
    try:
        numbers = {name: _number(name, got.get(name, "")) for name in NUMBERS}
        lr = _positive("lr", got["lr"])
        length = _length(got.get("seq_len", ""), sequence_length)
        batch = _batch(got["batch_size"], got.get("batch_unit", ""), unit, length)
        loss, diverged = _loss(got["loss"], got.get("diverged", ""), got.get("state", ""))
    except _RejectedError as reason:
        return RejectedRow(row, got.get("run_id", ""), str(reason))
    used = set(columns.values())
    return Run(
        run_id=got.get("run_id", ""),
        row=row,
        group=got.get("group", "") or _group(got),
        batch=batch,
        lr=lr,
        loss=loss,
        diverged=diverged,
        seed=got.get("seed", ""),
        model=got.get("model", ""),
        optimizer=got.get("optimizer", ""),
        n_params=numbers["n_params"],
        eps=numbers["eps"],
        beta1=numbers["beta1"],
        beta2=numbers["beta2"],
        weight_decay=numbers["weight_decay"],
        tokens=numbers["tokens"],
        steps=numbers["steps"],
        tokens_or_steps=numbers["tokens_or_steps"],
        loss_kind=got.get("loss_kind", ""),
        loss_raw=numbers["loss_raw"],
        loss_standard_error=numbers["loss_se"],
        n_seeds=numbers["n_seeds"],
        source=got.get("source", ""),
        note=got.get("note", ""),
        extras={name: text for name, text in cells.items() if name not in used and text},
    )


def in_one_unit(run: Run, unit: Unit) -> Run | RejectedRow:
    """The run with its batch size in `unit`, or why it has no such unit."""
    if run.batch.unit == unit:
        return run
    try:
        batch = BatchSize(run.batch.to(unit), unit, run.batch.sequence_length)
    except InputError as error:
        reason = f"mixed units, the other batch sizes count '{unit}': {error}"
        return RejectedRow(run.row, run.run_id, reason)
    return replace(run, batch=batch)


def _loss(text: str, diverged: str, state: str) -> tuple[float | None, bool]:
    flag, condition = diverged.lower(), state.lower()
    if flag not in TRUE | FALSE:
        raise _RejectedError(f"diverged is '{diverged}'; true or false is wanted")
    if condition in UNFINISHED:
        raise _RejectedError(f"the run is '{state}': its loss is not final")
    if text.lower() in NOT_FINITE:
        return None, True
    loss = _number("loss", text)
    if loss is not None and abs(loss) > EXPLODED:
        return None, True
    if loss is None and flag in FALSE:
        raise _RejectedError("no loss, and not marked as diverged")
    if condition in BROKEN and flag in FALSE:
        raise _RejectedError(f"the run '{state}' with a finite loss: not known to have diverged")
    return loss, flag in TRUE


def _batch(text: str, word: str, unit: Unit | None, length: int | None) -> BatchSize:
    if not text:
        raise _RejectedError("no batch size")
    try:
        batch = parse_batch_size(f"{text} {word}".strip() if word else text, length)
        if batch.unit == "bare":
            batch = parse_batch_size(f"{text}{unit or ''}", length)
    except InputError as error:
        raise _RejectedError(str(error)) from error
    if batch.unit == "bare":
        raise _RejectedError(
            f"batch size {text} has no unit: add a batch_unit column or state the unit of all"
        )
    return batch


def _length(text: str, default: int | None) -> int | None:
    value = _number("seq_len", text)
    if value is None:
        return default
    if value < 1 or value % 1:
        raise _RejectedError(f"seq_len is {text}; a whole number of tokens is wanted")
    return int(value)


def _positive(name: str, text: str) -> float:
    value = _number(name, text)
    if value is None or not value > 0:
        raise _RejectedError(f"{name} is '{text}'; a number above 0 is wanted")
    return value


def _number(name: str, text: str) -> float | None:
    if not text or text.lower() in ("none", "null", "na", "n/a"):
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise _RejectedError(f"{name} is '{text}'; a number is wanted") from error
    if not math.isfinite(value):
        if name in ("lr", "loss", "seq_len"):
            raise _RejectedError(f"{name} is '{text}'; a finite number is wanted")
        return None
    return value


def _group(got: Mapping[str, str]) -> str:
    named = [got.get(name, "") for name in ("model", "optimizer")]
    return " ".join(part for part in named if part) or "all runs"
