"""The horizon experiment: which rule predicts the learning rate of a whole run?

    scaling-theory measure ...                     # the starts: heads of the .toml files
    scaling-theory sweep run examples/horizon/step1000.toml    # and step100, fresh, prose
    scaling-theory sweep export runs/horizon/step1000
    python -m examples.horizon measure             # spectra where the runs branch off
    python -m examples.horizon collect             # tables and measurements into notebooks/data
    python -m examples.horizon judge               # the leagues, from notebooks/data alone
    python -m examples.horizon figure              # docs/figures/run_law.png, from notebooks/data
    python -m examples.horizon remeasure           # eta_1 again along runs: horizon_along_runs.csv

Whole-run optima over 5 batch sizes x 4 numbers of steps x 3 epsilons, SoftSignSGD and AdamW, from
three starts with a linear decay, and over 5 batch sizes x 4 epsilons from one start at a constant
learning rate; afterwards another text, network and schedule (`--start prose`). Every rule has at
most one fitted number and is judged on cells that it did not see.
"""

from __future__ import annotations

import argparse
import sys
from math import inf

from empirical.errors import UsageError
from empirical.judge.horizon_league import cells_of, judge_starts
from examples.horizon.data import (
    DATA,
    EXPERIMENT,
    PLACES,
    collect,
    constant_starts,
    start_of,
    sweep_of,
)
from examples.horizon.writing import league_text, write_cells


def main() -> int:
    """Measure, collect, judge or measure again along runs, as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.horizon",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=("measure", "collect", "judge", "figure", "remeasure"))
    parser.add_argument("--start", choices=PLACES, action="append", help="repeatable; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--largest-epsilon", type=float, default=inf, metavar="RATIO", help="judge: over rms sigma"
    )
    options = parser.parse_args()
    try:
        if options.what == "judge":
            judge(options.seed, options.largest_epsilon, options.start)
        else:
            act(options.what, options.start or list(PLACES), options.seed)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def judge(seed: int, largest_epsilon: float, places: list[str] | None) -> None:
    """The leagues as text; the cells of all places and epsilons as a table."""
    leagues = {} if places else {"constant": constant_starts()}
    leagues["falling"] = tuple(start_of(place) for place in places or EXPERIMENT)
    for schedule, starts in leagues.items():
        league = judge_starts(starts, seed, largest_epsilon=largest_epsilon)
        print(f"learning rate: {schedule}; {league_text(league)}\n")
        if largest_epsilon == inf and not places:
            write_cells(league.cells.identified, DATA / f"horizon_cells_{schedule}.csv")


def act(what: str, places: list[str], seed: int) -> None:
    """Collect, measure or measure again along runs."""
    if what == "collect":
        for place in places:
            print(collect(place))
    elif what == "figure":
        from examples.horizon.drawing import draw_figure

        print(draw_figure())
    # torch is wanted for nothing else here
    elif what == "measure":
        from empirical.measure.branch_point import Effort
        from examples.horizon.measuring import measure_start

        for place in places:
            print(measure_start(sweep_of(place), Effort(), seed))
    else:
        from examples.horizon.remeasuring import along_runs, best_rates, write_places

        path = DATA / "horizon_along_runs.csv"
        start = start_of("step1000")
        rates = best_rates(cells_of(start).identified)
        write_places(list(along_runs(sweep_of(start.name), rates, seed)), path)
        print(path)


if __name__ == "__main__":
    sys.exit(main())
