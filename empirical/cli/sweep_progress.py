"""What `sweep` prints of the units that are being computed."""

from __future__ import annotations

import time
from typing import Any

from empirical.cli.sweep_units import duration, si
from empirical.sweep.at_work import UnitAtWork

MOST_LINES = 8

STALE = 120.0
"""Seconds after which a reader wants to know how old a number is."""


def unit_record(unit: UnitAtWork) -> dict[str, Any]:
    """A unit at work as plain JSON; None where it has not said how far it is."""
    seen = unit.progress
    return {
        "unit": unit.unit,
        "runs": unit.runs,
        "tokens": unit.tokens,
        "step": None if seen is None else seen.step,
        "steps": None if seen is None else seen.steps,
        "tokens_per_second": None if seen is None else seen.tokens_per_second,
        "seconds_left": unit.seconds_left,
        "seconds_ago": None if seen is None else max(time.time() - seen.written, 0.0),
    }


def unit_words(record: dict[str, Any]) -> str:
    """How far one unit is, in words."""
    together = f"{record['runs']} runs together, " if record["runs"] > 1 else ""
    words = f"{together}step {record['step']} of {record['steps']}"
    words += f" ({record['step'] / record['steps']:.0%})"
    if record["tokens_per_second"]:
        words += f", {si(record['tokens_per_second'])} tokens/s"
    if record["seconds_left"] is not None:
        words += f", {duration(record['seconds_left'])} left"
    return words


def at_work_lines(records: list[dict[str, Any]], driver: bool) -> list[str]:
    """Lines of `status`: the units that say how far they are, and how many do not."""
    known = [record for record in records if record["step"] is not None]
    verb = "at work" if driver else "was at work"
    lines = []
    for record in known[:MOST_LINES]:
        ago = record["seconds_ago"]
        old = f", said {duration(ago)} ago" if ago > STALE else ""
        lines.append(f"{verb}: {record['unit'][:8]}, {unit_words(record)}{old}")
    more = len(records) - len(lines)
    if more:
        other = "other units" if lines else "units"
        lines.append(f"{verb}, or waiting for their turn: {more} {other}")
    return lines
