"""Rows of a benchmark and the file that keeps them: `runs/bench.json`.

    {schema, schema_version, machine {cpu, cores, threads}, versions {...},
     rows: [{name, ours, peer, peer_name, ratio, unit}]}

A row's name begins with its benchmark, "memory/...": a benchmark that runs again replaces its own
rows and leaves the others. `ratio` is above 1 wherever ours is better.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from empirical.atomic_files import refusals, write_atomically
from empirical.errors import UsageError
from empirical.statistics_files import read_record

SCHEMA = "scaling-theory/bench"
VERSION = 1
AGAIN = "delete it and run the benchmarks again: python -m empirical.bench"
SHOWN = ("torch", "numpy", "scipy")
ALLOWED = "allowed"
"""peer_name of a row without a peer: ours is set against what is allowed."""


@dataclass(frozen=True)
class BenchRow:
    """One comparison.

    name: what was measured, without the benchmark's name. ours, peer: in `unit`; peer None: it
    was not measured, and peer_name says why. better: which way is better. target: what ours should
    reach, None where nothing was promised.
    """

    name: str
    ours: float
    peer: float | None
    peer_name: str
    unit: str
    better: Literal["lower", "higher"] = "lower"
    target: float | None = None

    @property
    def ratio(self) -> float | None:
        """peer / ours, or ours / peer where higher is better: above 1 where ours is better."""
        if self.peer is None:
            return None
        return self.peer / self.ours if self.better == "lower" else self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether ours reaches the target; True where there is none."""
        if self.target is None:
            return True
        return self.ours <= self.target if self.better == "lower" else self.ours >= self.target

    @property
    def bound(self) -> str:
        """The target in words, "" where there is none."""
        if self.target is None:
            return ""
        return f"{'≤' if self.better == 'lower' else '≥'} {self.target:g}"


def allowed(
    name: str, ours: float, limit: float, unit: str, better: Literal["lower", "higher"] = "lower"
) -> BenchRow:
    """A row without a peer: ours against what is allowed."""
    return BenchRow(name, ours, limit, ALLOWED, unit, better, target=limit)


def keep_rows(path: Path, benchmark: str, rows: Sequence[BenchRow]) -> None:
    """Put a benchmark's rows into the file in place of its old ones, in one step.

    Raises UsageError for numbers that are not finite and above 0, for two rows of one name, and
    for a file that holds something else or cannot be written.
    """
    for row in rows:
        numbers = [row.ours] if row.peer is None else [row.ours, row.peer]
        if not all(isfinite(number) and number > 0 for number in numbers):
            raise UsageError(f"row {row.name!r} holds {numbers}; finite numbers above 0 are wanted")
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise UsageError(f"{benchmark} gave rows {names}; one row per name is wanted")
    others: list[Mapping[str, Any]] = []
    if path.exists():
        record = read_record(path, SCHEMA, VERSION, AGAIN)
        others = [r for r in record["rows"] if not r["name"].startswith(f"{benchmark}/")]
    mine = [
        {
            "name": f"{benchmark}/{row.name}",
            "ours": row.ours,
            "peer": row.peer,
            "peer_name": row.peer_name,
            "ratio": row.ratio,
            "unit": row.unit,
        }
        for row in rows
    ]
    record = {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "machine": machine(),
        "versions": versions(),
        "rows": [*others, *mine],
    }
    with refusals(path):
        write_atomically(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())


def machine() -> dict[str, Any]:
    """Model of the CPU, its cores, and the threads that the benchmarks use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = named[0] if named else model
    threads = os.environ.get("OMP_NUM_THREADS")
    return {
        "cpu": model,
        "cores": os.cpu_count() or 1,
        "threads": int(threads) if threads else None,
    }


def versions() -> dict[str, str]:
    """Python and the libraries that the times depend on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in SHOWN}}
