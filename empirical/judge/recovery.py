"""Do the intervals of the fits hold what was planted, and is a wrong law refuted?

    python -m empirical.judge.recovery --simulations 300 --out recovery.json

For every law, tables of optima are simulated with known parameters, errors, scatter and edges
(`planted`), fitted as a user's table is, and every coefficient is asked whether its 95 % profile
interval holds the planted value. Then pairs of a true and a wrong law play the league.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from empirical.judge.fit import fit_law
from empirical.judge.league import play
from empirical.judge.planted import VALUES, drawn, planted
from empirical.judge.profile import profile
from empirical.judge.profile_widening import SIMULATIONS, widening

PAIRS = (
    ("surge", "square root"),
    ("linear saturating", "surge"),
    ("canonical", "linear saturating"),
    ("square root", "constant"),
    ("noise and curvature", "linear saturating"),
    ("power", "square root saturating"),
)
"""True law, and one that is wrong there."""


@dataclass(frozen=True)
class Coverage:
    """How often each coefficient of one law was covered, and how it was estimated on average.

    covered: share of simulations, [k]. bias: mean of (estimate - planted) over its standard
    deviation, [k]. open: share of intervals with an open end, [k].
    """

    law: str
    names: tuple[str, ...]
    simulations: int
    covered: tuple[float, ...]
    bias: tuple[float, ...]
    open: tuple[float, ...]

    @property
    def pooled(self) -> float:
        """Over all coefficients."""
        return float(np.mean(self.covered))


def coverage(name: str, simulations: int, seed: int, widen: int = SIMULATIONS) -> Coverage:
    """Simulate, fit and profile law `name` so many times.

    widen: simulations of their own by which intervals are widened (`profile_widening`); 0: none.
    """
    law = planted(name)
    rng = np.random.default_rng([seed, sorted(VALUES).index(name)])
    covered, estimates, open_ends = [], [], []
    for _ in range(simulations):
        data = drawn(law, rng)
        fit = fit_law(law.entry.form, law.entry.ties, data)
        found = profile(fit, data, widening(fit, data, rng, widen))
        covered.append([i.covers(t) for i, t in zip(found, law.coefficients, strict=True)])
        open_ends.append([not np.isfinite([i.low, i.high]).all() for i in found])
        estimates.append(fit.coefficients)
    values = np.array(estimates)
    bias = (values.mean(axis=0) - law.coefficients) / values.std(axis=0, ddof=1)
    return Coverage(
        law=name,
        names=law.names,
        simulations=simulations,
        covered=tuple(np.mean(covered, axis=0).tolist()),
        bias=tuple(bias.tolist()),
        open=tuple(np.mean(open_ends, axis=0).tolist()),
    )


def refutations(true: str, wrong: str, simulations: int, seed: int) -> tuple[float, float]:
    """How often the wrong law is refuted, and how often the true one is, where `true` holds."""
    law, other = planted(true), planted(wrong)
    rng = np.random.default_rng([seed, sorted(VALUES).index(true), sorted(VALUES).index(wrong)])
    verdicts = []
    for _ in range(simulations):
        league = play([law.entry, other.entry], drawn(law, rng), rng)
        verdicts.append([league.row(name).verdict == "refuted" for name in (wrong, true)])
    wrong_refuted, true_refuted = np.mean(verdicts, axis=0)
    return float(wrong_refuted), float(true_refuted)


def report(
    laws: Sequence[str], simulations: int, games: int, seed: int, widen: int
) -> dict[str, Any]:
    """All of it as plain JSON values, printed as it comes."""
    rows: list[dict[str, Any]] = []
    every: list[float] = []
    for name in laws:
        found = coverage(name, simulations, seed, widen)
        every += found.covered
        for place, parameter in enumerate(found.names):
            share = found.covered[place]
            rows.append(
                {
                    "law": name,
                    "coefficient": parameter,
                    "covered": share,
                    "bias": found.bias[place],
                    "open": found.open[place],
                }
            )
            print(
                f"{name:24s} {parameter:28s} covered {share:6.1%}  "
                f"bias {found.bias[place]:+.2f} sd  open {found.open[place]:.1%}",
                flush=True,
            )
    pooled = float(np.mean(every))
    error = sqrt(pooled * (1 - pooled) / (len(every) * simulations))
    print(f"pooled over {len(every)} coefficients: {pooled:.2%} (binomial error {error:.2%})")
    matches = []
    for true, wrong in PAIRS if games else ():
        wrong_refuted, true_refuted = refutations(true, wrong, games, seed)
        matches.append(
            {"true": true, "wrong": wrong, "refuted": wrong_refuted, "true_refuted": true_refuted}
        )
        print(
            f"where '{true}' holds: '{wrong}' refuted in {wrong_refuted:.0%} of {games}, "
            f"'{true}' itself in {true_refuted:.0%}",
            flush=True,
        )
    return {
        "simulations": simulations,
        "seed": seed,
        "widen": widen,
        "pooled": pooled,
        "coefficients": rows,
        "games": games,
        "matches": matches,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m empirical.judge.recovery")
    parser.add_argument("--simulations", type=int, default=300)
    parser.add_argument("--games", type=int, default=50, help="per pair of a true and a wrong law")
    parser.add_argument("--law", action="append", choices=sorted(VALUES), help="all by default")
    parser.add_argument("--widen", type=int, default=SIMULATIONS, help="tables per fit; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    laws = chosen.law or list(VALUES)
    found = report(laws, chosen.simulations, chosen.games, chosen.seed, chosen.widen)
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
