"""The league of laws as rows for the page: from the record that `fit` prints or keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empirical.report.numerals import plain
from empirical.statistics_files import read_record

SCHEMA, VERSION = "scaling-theory/fit", 1
SPLITS = {
    "batch size": "each batch size left out",
    "upward": "the larger half of batch sizes from the smaller",
    "group": "each group left out",
}


@dataclass(frozen=True)
class Bar:
    """A held-out error on a scale of 0 to 100: text, place, and the ends of its 95 % interval."""

    text: str
    regret: str
    place: float
    low: float
    high: float
    worse: bool


@dataclass(frozen=True)
class Line:
    """One law with one way of going from group to group. bars: by split, None: not predicted."""

    law: str
    horizon: str
    coefficients: str
    verdict: str
    bars: tuple[Bar | None, ...]
    failure: str


@dataclass(frozen=True)
class LeagueView:
    """The best form of each law and those that are not refuted; the others; what was judged.

    formulas: (law, formula, source) of each.
    """

    headings: tuple[str, ...]
    shown: tuple[Line, ...]
    others: tuple[Line, ...]
    formulas: tuple[tuple[str, str, str], ...]
    about: str


def read_fit(path: Path) -> dict[str, Any]:
    """The record that `fit --out DIR` keeps as fit.json, or that `fit --json` prints."""
    again = "write it with: scaling-theory fit TABLE --out DIR"
    return read_record(path, SCHEMA, VERSION, again)


def league_view(record: Mapping[str, Any]) -> LeagueView:
    """The record's league, best first; raises KeyError where it is none."""
    rows = record["league"]
    splits = [split for split in SPLITS if any(split in row["held_out"] for row in rows)]
    scales = {split: _scale(rows, split) for split in splits}
    lines = [
        (row, _line(row, tuple(_bar(row["held_out"].get(s), scales[s]) for s in splits)))
        for row in rows
    ]
    seen: set[str] = set()
    shown: list[Line] = []
    others: list[Line] = []
    for row, line in lines:
        first = row["law"] not in seen
        seen.add(row["law"])
        (shown if first or row["verdict"] in ("best", "tied") else others).append(line)
    table, optima = record["table"], record["optima"]
    return LeagueView(
        headings=tuple(SPLITS[split] for split in splits),
        shown=tuple(shown),
        others=tuple(others),
        formulas=tuple(dict.fromkeys((r["law"], r["formula"], r["source"]) for r in rows)),
        about=(
            f"{optima['inside']} best learning rates inside their grids and {optima['beyond']} "
            f"beyond them, in {table['groups']} group(s); intervals by a bootstrap over "
            f"{record['resampled']}"
        ),
    )


def _scale(rows: Sequence[Mapping[str, Any]], split: str) -> float:
    """The error at the right end: three times the best, or the worst where that is nearer."""
    errors = [row["held_out"][split]["rms_ln_eta"] for row in rows if split in row["held_out"]]
    known = [error for error in errors if error is not None]
    return float(min(3 * min(known), 1.1 * max(known))) if known else 1.0


def _bar(score: Mapping[str, Any] | None, scale: float) -> Bar | None:
    if score is None or score["rms_ln_eta"] is None:
        return None
    low, high = score["rms_interval95"]
    error, regret = score["rms_ln_eta"], score["regret_nats"]

    def place(value: float) -> float:
        return round(min(100 * value / scale, 100.0), 2) if scale else 0.0

    return Bar(
        text=f"{error:.3f}",
        regret="" if regret is None else f"costs {plain(1000 * regret, 2)} mnat",
        place=place(error),
        low=place(error if low is None else low),
        high=place(error if high is None else high),
        worse=bool(score["refuted"]),
    )


def _line(row: Mapping[str, Any], bars: tuple[Bar | None, ...]) -> Line:
    return Line(
        law=row["law"],
        horizon=row["horizon"],
        coefficients="–" if row["coefficients"] is None else str(row["coefficients"]),
        verdict=row["verdict"],
        bars=bars,
        failure=row["failure"],
    )
