"""Run benchmarks one after another, print their rows and keep them in a file.

    python -m empirical.bench [names] [--out runs/bench.json]

Every benchmark's rows are written when it ends, so that an interrupted run loses only the one
under way. Exit code 0: every target met; 1: one missed, or a benchmark failed; 2: wrong use.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from empirical.bench.rows import BenchRow, keep_rows
from empirical.errors import UsageError

BENCHMARKS = {
    "measuring": "empirical.bench.measuring",
    "surface": "empirical.bench.surface",
    "memory": "empirical.bench.memory",
    "growth": "empirical.bench.growth",
    "sweep": "empirical.bench.sweep_speed",
}
"""Name -> module with run() -> tuple[BenchRow, ...], imported when its turn comes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named on the command line, all of them without a name."""
    parser = argparse.ArgumentParser(
        prog="python -m empirical.bench", description="Run benchmarks and keep their rows."
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--out", type=Path, default=Path("runs/bench.json"))
    given = parser.parse_args(arguments)
    names = list(dict.fromkeys(given.names)) or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"error: no benchmark {unknown[0]!r}; give {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    # two threads on busy cores are many times slower than one; read before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    met = True
    for name in names:
        print(f"\n{name}", flush=True)
        try:
            rows = benchmark(name)()
        except Exception:
            # one that fails is reported and must not cost the others their rows
            traceback.print_exc()
            met = False
            continue
        print(table(rows), flush=True)
        met = met and all(row.met for row in rows)
        try:
            keep_rows(given.out, name, rows)
        except UsageError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    print(f"\n{'every target met' if met else 'a target was missed'}; rows are in {given.out}")
    return 0 if met else 1


def benchmark(name: str) -> Callable[[], tuple[BenchRow, ...]]:
    """The function that runs a benchmark."""
    run: Callable[[], tuple[BenchRow, ...]] = import_module(BENCHMARKS[name]).run
    return run


def table(rows: Sequence[BenchRow]) -> str:
    """Rows as aligned columns; a missed target is marked."""
    head = ("", "ours", "peer", "ratio", "unit", "target", "peer's name")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place in (0, 4, 6) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: BenchRow) -> tuple[str, ...]:
    peer = "none" if row.peer is None else f"{row.peer:.3g}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    bound = row.bound if row.met else f"{row.bound} missed"
    return row.name, f"{row.ours:.3g}", peer, ratio, row.unit, bound, row.peer_name


if __name__ == "__main__":
    sys.exit(main())
