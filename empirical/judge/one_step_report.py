"""Print B_noise of a table of one-step losses under every way of fitting.

python -m empirical.judge.one_step_report mnist_one_step_sgd.csv
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from empirical.errors import UsageError
from empirical.judge.fit_one_step import NoiseBatchFit, noise_batch_fits, step_curves
from empirical.judge.run_table import read_run_table

SMALLEST = (0.0, 16.0)


def lines_of(path: Path, smallest: Sequence[float] = SMALLEST) -> list[str]:
    """One line per fit and, per checkpoint, the span over them."""
    table = read_run_table(path)
    lines = []
    for group in table.groups:
        fits = noise_batch_fits(step_curves(table.where(group=group).runs), smallest=smallest)
        lines.append(f"{group}: eta*(B) = eta_max / (1 + B_noise/B)")
        lines += [f"  {fit.label}: {_found(fit)}" for fit in fits]
        middles = [fit.noise_batch.natural[0] for fit in fits]
        ends = [end for fit in fits for end in fit.noise_batch.natural[1:]]
        lines.append(
            f"  over all {len(fits)}: B_noise {min(middles):.0f} to {max(middles):.0f}, "
            f"intervals {min(ends):.0f} to {max(ends):.0f}"
        )
    return lines


def _found(fit: NoiseBatchFit) -> str:
    noise, rate = fit.noise_batch.natural, fit.eta_max.natural
    return (
        f"B_noise {noise[0]:.1f} ({noise[1]:.1f} to {noise[2]:.1f}), "
        f"eta_max {rate[0]:.3f} ({rate[1]:.3f} to {rate[2]:.3f}), "
        f"chi2 {fit.chi2:.1f} of {fit.freedom}, scatter {fit.scatter:.3f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m empirical.judge.one_step_report")
    parser.add_argument("table", type=Path, help="runs of one step with the column loss_se")
    try:
        print("\n".join(lines_of(parser.parse_args(arguments).table)))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
