"""The horizon experiment: which rule predicts the learning rate of a whole run?

    scaling-theory measure ...                     # the three starts: heads of the .toml files
    scaling-theory sweep run examples/horizon/step1000.toml    # and step100, fresh
    python -m examples.horizon measure             # spectra where the runs branch off
    scaling-theory sweep export runs/horizon/step1000          # and step100, fresh
    python -m examples.horizon judge               # the league, and notebooks/data/horizon.csv
    python -m examples.horizon remeasure           # eta_1 again along runs: horizon_along_runs.csv

Whole-run optima over 5 batch sizes x 4 numbers of steps x 3 epsilons, SoftSignSGD and AdamW, from
three starts; every rule has at most one fitted number and is judged on cells that it did not see.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from empirical.errors import UsageError
from empirical.sweep.sweep_file import read_sweep
from examples.horizon.judging import judge_starts
from examples.horizon.writing import league_text, write_cells

HERE = Path(__file__).parent
STARTS = ("fresh", "step100", "step1000")
CELLS = HERE.parents[1] / "notebooks" / "data" / "horizon.csv"
ALONG = CELLS.with_name("horizon_along_runs.csv")


def main() -> int:
    """Measure or judge, as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.horizon",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("measure", "judge", "remeasure"))
    parser.add_argument("--start", choices=STARTS, action="append", help="repeatable; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, default=CELLS, help="where `judge` keeps the cells")
    options = parser.parse_args()
    sweeps = {name: read_sweep(HERE / f"{name}.toml") for name in options.start or STARTS}
    try:
        if options.what == "measure":
            # torch is wanted for nothing else here
            from empirical.measure.branch_point import Effort
            from examples.horizon.measuring import measure_start

            for sweep in sweeps.values():
                print(measure_start(sweep, Effort(), options.seed))
            return 0
        if options.what == "remeasure":
            from examples.horizon.remeasuring import along_runs, write_places

            places = list(along_runs(sweeps["step1000"], options.seed))
            write_places(places, ALONG)
            print(f"places: {ALONG}")
            return 0
        tables = [(name, sweep, sweep.out / "table.csv") for name, sweep in sweeps.items()]
        league = judge_starts(tables, options.seed)
        print(league_text(league))
        write_cells(league.cells.identified, options.csv)
        print(f"cells: {options.csv}")
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
