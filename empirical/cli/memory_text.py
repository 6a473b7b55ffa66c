"""The answer of `memory` as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill
from typing import Any

GIB = 2**30


def text_of(record: dict[str, Any]) -> str:
    """Every model's rows in GiB, what is not known as a dash with its reason below."""
    lines = []
    for _, rows in groupby(record["rows"], key=lambda row: row["model"]):
        lines += [*_model(list(rows), record), ""]
    notes = [fill(note, 100) for note in record["notes"]]
    return "\n".join([*lines, *notes]).rstrip()


def _model(rows: list[dict[str, Any]], record: dict[str, Any]) -> list[str]:
    first = rows[0]
    paper = any(row["paper_state_gib"] is not None for row in rows)
    active = any(row["activations"] != 0 for row in rows)
    head = ["GiB", "parameters", "gradients", "state"]
    head += ["(paper)"] * paper + ["activations"] * active + ["total"]
    head += ["fits"] * (record["limit"] is not None)
    table = [head]
    for row in rows:
        line = [row["optimizer"]]
        line += [_gib(row[part]) for part in ("parameters", "gradients", "state")]
        if paper:
            value = row["paper_state_gib"]
            line.append("" if value is None else f"({value:.2f})")
        if active:
            line.append(_gib(row["activations"]))
        line.append(_gib(row["total"]))
        if record["limit"] is not None:
            line.append("yes" if row["fits"] else "no" if row["total"] is not None else "-")
        table.append(line)
    types = record["dtype"]
    if record["state_dtype"] != record["dtype"]:
        types += f", state in {record['state_dtype']}"
    unknown = dict.fromkeys(row["unknown"] for row in rows if row["unknown"])
    title = f"{first['model']}: {first['parameter_count']:,} parameters in {types}"
    return [title, *_aligned(table), *(f"-: {reason}" for reason in unknown)]


def _gib(value: int | None) -> str:
    if value is None:
        return "-"
    gib = value / GIB
    return f"{gib:.2f}" if gib >= 0.095 or gib == 0 else f"{gib:.2g}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
