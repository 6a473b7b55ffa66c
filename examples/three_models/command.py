"""Parsing, comparing, printing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from examples.three_models.comparison import compare
from examples.three_models.records import Row, Summary, lines_of, record_of, write_csv
from examples.three_models.subjects import (
    Plan,
    Subject,
    built_in_gpt,
    digits_mlp,
    hugging_face_gpt2,
)

DESCRIPTION = """\
Three models nobody tuned for: one-step learning rates predicted without a fit, and measured.

Trains a two-layer MLP on scikit-learn's digits, a Hugging Face GPT-2 and the built-in GPT of 10M
parameters with torch's default AdamW. Then, for each: SoftSignSGD's eta* at every batch size and
epsilon, predicted from what `measure` finds, against E[u]^T g / E[u^T H u] over real batches; and
the best learning rate of AdamW's real next step, predicted from its m and v, against a line search
of the loss. Exit code 0: all within the tolerance that was set before the first run; 1: not.
"""

DATA = Path(__file__).parents[2] / "notebooks" / "data" / "three_models.csv"

Case = tuple[Callable[[Plan, int], Subject], Plan]

CASES: dict[str, Case] = {
    "mlp": (
        digits_mlp,
        Plan(
            steps=200, train_batch=32, pool=1437, wide_pool=1437, batch_sizes=(4, 16, 64, 256),
            batches=(2048, 1024, 512, 256), epsilon_ratios=(0.0, 0.1, 1.0, 10.0),
            deviations=479, micro_batch=1, searches=256, search_samples=128,
        ),
    ),
    "gpt2": (
        hugging_face_gpt2,
        Plan(
            steps=200, train_batch=16, pool=384, wide_pool=2048, batch_sizes=(4, 16, 64),
            batches=(192, 96, 48), epsilon_ratios=(0.0, 1.0, 10.0),
            deviations=128, micro_batch=1, searches=48, search_samples=32,
        ),
    ),
    "gpt": (
        built_in_gpt,
        Plan(
            steps=200, train_batch=8, pool=256, wide_pool=2048, batch_sizes=(4, 16, 64),
            batches=(96, 64, 32), epsilon_ratios=(0.0, 3.0),
            deviations=96, micro_batch=1, searches=96, search_samples=32,
        ),
    ),
}  # fmt: skip

SMALL = Plan(
    steps=20, train_batch=8, pool=48, wide_pool=64, batch_sizes=(8,), batches=(12,),
    epsilon_ratios=(0.3,), deviations=12, micro_batch=1, searches=6, search_samples=16,
)  # fmt: skip

TINY: dict[str, Case] = {
    "mlp": (digits_mlp, SMALL),
    "gpt2": (partial(hugging_face_gpt2, layers=1, width=16), SMALL),
    "gpt": (partial(built_in_gpt, layers=1, width=16), SMALL),
}
"""All three paths in seconds; too little is measured to judge anything."""


def one(task: tuple[Callable[[Plan, int], Subject], Plan, int]) -> tuple[list[Row], Summary]:
    """One model, in a process of its own."""
    make, plan, seed = task

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return compare(partial(make, plan, seed), plan, seed, say)


def main() -> int:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.three_models",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=CASES, action="append", help="repeatable; default: all")
    parser.add_argument("--tiny", action="store_true", help="small enough for a test")
    parser.add_argument("--jobs", type=int, default=1, help="models at a time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="the record instead of the table")
    parser.add_argument("--csv", type=Path, help=f"default: {DATA.name} where the notebooks are")
    options = parser.parse_args()
    cases = TINY if options.tiny else CASES

    rows: list[Row] = []
    summaries: list[Summary] = []
    names = options.only or list(cases)
    # models do not wait for one another; torch and forked threads do not go together
    with ProcessPoolExecutor(max(1, options.jobs), mp_context=get_context("spawn")) as pool:
        for found, summary in pool.map(one, ((*cases[name], options.seed) for name in names)):
            rows += found
            summaries.append(summary)
            if not options.json:
                print("\n".join(lines_of(found, summary)), flush=True)
    if options.json:
        print(json.dumps(record_of(rows, summaries, options.seed), allow_nan=False))
    # part of the table must not take the place of the whole
    if options.csv or not (options.tiny or options.only):
        write_csv(rows, options.csv or DATA)
    return 0 if all(summary.passed for summary in summaries) else 1
