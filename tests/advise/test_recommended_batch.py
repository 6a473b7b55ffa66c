"""Is the batch that `recommend` names as fast as it says? Timed apart from it, in turn.

    python -m tests.advise.test_recommended_batch       # on an idle machine, two minutes

Shares with `recommend` the network and nothing else: the steps, the optimizer, the data and the
clock here are plain torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.nn import functional

from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network

ROOT = Path(__file__).parents[2]
WITHIN = 0.9
"""Share of the best throughput that the recommended batch has to reach."""

SECONDS = 90.0
"""That `recommend` may take for the built-in network on two cores."""

ROUNDS = 9
SAMPLE = 0.1
"""Seconds that one sample lasts at least."""


@dataclass(frozen=True)
class Check:
    """One check.

    seconds: of `recommend`. sizes: a quarter of the recommended batch to eight times it. share:
    throughput of the recommended batch over that of the best of `sizes`, median of the ratios
    within rounds, and the quartiles of these ratios.
    """

    seconds: float
    recommended: int
    best: int
    sizes: tuple[int, ...]
    share: float
    quartiles: tuple[float, float]


def plain_step(sequences: int) -> Callable[[], None]:
    """One step of torch's AdamW on random bytes."""
    config = NetworkConfig()
    model = build_network(config, 0).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-9)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(256, (sequences, config.context + 1), generator=generator)

    def step() -> None:
        scores = model(tokens[:, :-1])
        loss = functional.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def throughputs(sizes: tuple[int, ...]) -> list[dict[int, float]]:
    """Sequences per second of every size, one after the other in each of ROUNDS rounds."""
    steps = {size: plain_step(size) for size in sizes}
    repeats = {}
    for size, step in steps.items():
        step()
        began = time.perf_counter()
        step()
        repeats[size] = max(1, round(SAMPLE / (time.perf_counter() - began)))
    found = []
    for _ in range(ROUNDS):
        rates = {}
        for size, step in steps.items():
            began = time.perf_counter()
            for _ in range(repeats[size]):
                step()
            rates[size] = size * repeats[size] / (time.perf_counter() - began)
        found.append(rates)
    return found


def check() -> Check:
    """Run `recommend` in a process of its own, then time what it names."""
    command = "from empirical.cli.app import run; raise SystemExit(run(['recommend', '--json']))"
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - began
    record = json.loads(done.stdout)
    chosen = int(record["batch_size"]["sequences"])
    # far beyond what was recommended: that it stopped in time is part of the question
    sizes = tuple(sorted({max(1, chosen >> 2), *(chosen << doubling for doubling in range(4))}))
    rounds = throughputs(sizes)
    best = max(sizes, key=lambda size: median(rates[size] for rates in rounds))
    ratios = sorted(rates[chosen] / rates[best] for rates in rounds)
    quarter = len(ratios) // 4
    return Check(
        seconds, chosen, best, sizes, median(ratios), (ratios[quarter], ratios[-1 - quarter])
    )


@pytest.mark.slow
def test_the_recommended_batch_is_fast_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """Another program: plain torch steps, in turn; within a tenth of the best, and in time."""
    if os.getloadavg()[0] > 0.8 * (os.cpu_count() or 1):
        pytest.skip("the machine is busy: times would say nothing")
    found = check()
    with capsys.disabled():
        print(f"\n{found}")
    assert found.share >= WITHIN
    assert found.seconds < SECONDS


if __name__ == "__main__":
    result = check()
    low, high = result.quartiles
    print(
        f"recommend took {result.seconds:.0f} s and names {result.recommended} sequences; of "
        f"{', '.join(map(str, result.sizes))} the fastest is {result.best}; the recommended batch "
        f"has {result.share:.1%} of its throughput (quartiles {low:.1%} to {high:.1%}), wanted "
        f"{WITHIN:.0%}"
    )
    sys.exit(0 if result.share >= WITHIN and result.seconds < SECONDS else 1)
