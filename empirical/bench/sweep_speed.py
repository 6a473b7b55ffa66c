"""Cells of a sweep per hour: stacked replicas in a process per core against a plain loop.

A cell is a whole run: held-out loss before and after, the training steps between. The peer is
`plain_loop`; ours are units of stacked replicas as a sweep computes them, draws, readings and
evaluations included, by one process of one thread per core. Building the compiled kernels is
charged in full to every row. Both start with Python and its libraries loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch

from empirical.bench.plain_loop import PlainCell
from empirical.bench.rows import BenchRow
from empirical.sweep.cost import forward_flops_per_token
from empirical.train.configuration import NetworkConfig
from empirical.train.optimizer_configuration import AdamWConfig
from empirical.train.run_configuration import KernelPath, RunConfig, WorkUnit
from empirical.train.run_execution import Materials, execute_unit
from empirical.train.stacked.kernels.build import library_file
from empirical.train.text import load_text

REPEATS = 3
TEXT_BYTES = 2_000_000
LEARNING_RATE = 1e-3
SMALL = NetworkConfig()


@dataclass(frozen=True)
class Shape:
    """What is compared: the cell, the units of ours per process and replicas in each, the target.

    target: how many times the cells per hour of the peer.
    """

    name: str
    network: NetworkConfig
    batch_size: int
    steps: int
    heldout: int
    units: int
    replicas: int
    target: float
    path: KernelPath = "stacked-compiled"

    @property
    def flops(self) -> float:
        """Floating-point operations of one cell, the causal mask not deducted."""
        tokens = self.batch_size * self.steps * self.network.context
        evaluated = 2 * self.heldout * self.network.context
        return forward_flops_per_token(self.network) * (3 * tokens + evaluated)


LARGE = NetworkConfig(width=256, depth=4, heads=4, context=128)
# Stacks of the size that a plan measures as the best: replicas help where batches are small.
SHAPES = (
    Shape("1 sequence of 64 tokens", SMALL, 1, 1000, 256, 4, 4, 4.0),
    Shape("16 sequences of 64 tokens", SMALL, 16, 300, 256, 3, 1, 1.6),
    Shape("64 sequences of 64 tokens", SMALL, 64, 100, 256, 3, 1, 1.6),
    Shape("width 256, 16 sequences of 128 tokens", LARGE, 16, 40, 64, 2, 1, 1.15),
)


def run() -> tuple[BenchRow, ...]:
    """Rows of every shape: cells per hour, and the share of the matrix-product peak."""
    cores = os.cpu_count() or 1
    if (load := os.getloadavg()[0]) > cores:  # threads that wait for each other then wait for long
        print(f"the machine is busy (load {load:.1f}): these ratios are not to be relied on")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        text.write_bytes(load_text().train[:TEXT_BYTES].numpy().tobytes())
        began = time.perf_counter()
        library_file(False, Path(folder))
        build = time.perf_counter() - began
        with ProcessPoolExecutor(cores, get_context("spawn"), initializer=_one_thread) as pool:
            list(pool.map(_peak, range(cores)))  # Python and torch are loaded now
            compared = [_compare(shape, text, build, cores, pool) for shape in SHAPES]
    return tuple(row for pair in compared for row in pair)


def _compare(
    shape: Shape, text: Path, build: float, cores: int, pool: ProcessPoolExecutor
) -> tuple[BenchRow, BenchRow]:
    ours, peers, peaks = [], [], []
    cells = cores * shape.units * shape.replicas
    for repeat in range(REPEATS):  # in turn, so that a busy moment meets both
        peaks.append(sum(pool.map(_peak, range(cores))))
        ours.append((_seconds_of_ours(shape, text, cores, pool, repeat) + build) / cells)
        peers.append(_seconds_of_peer(shape, text))
    mine, peer, peak = median(ours), median(peers), median(peaks)
    return (
        BenchRow(
            f"{shape.name}: cells per hour",
            3600 / mine,
            3600 / peer,
            "plain loop",
            "cells/h",
            "higher",
            target=shape.target * 3600 / peer,
        ),
        BenchRow(
            f"{shape.name}: share of the matrix-product peak",
            shape.flops / mine / peak,
            shape.flops / peer / peak,
            "plain loop",
            f"of {peak / 1e9:.0f} GFLOP/s",
            "higher",
        ),
    )


def _seconds_of_ours(
    shape: Shape, text: Path, cores: int, pool: ProcessPoolExecutor, repeat: int
) -> float:
    text_hash = load_text([text]).sha256
    units = [
        _unit(shape, text_hash, seed=(repeat * cores * shape.units + number) * shape.replicas)
        for number in range(cores * shape.units)
    ]
    began = time.perf_counter()
    list(pool.map(_compute, [unit.model_dump_json() for unit in units], [text] * len(units)))
    return time.perf_counter() - began


def _seconds_of_peer(shape: Shape, text: Path) -> float:
    network = shape.network
    cell = PlainCell(
        network.width,
        network.depth,
        network.heads,
        network.context,
        shape.batch_size,
        shape.steps,
        shape.heldout,
        LEARNING_RATE,
        str(text),
    )
    default = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-m", "empirical.bench.plain_loop", cell.to_json()]
    done = subprocess.run(command, env=default, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["seconds"])


def _unit(shape: Shape, text_hash: str, seed: int) -> WorkUnit:
    """Cells that differ in learning rate; every unit has a seed of its own."""
    return WorkUnit(
        runs=tuple(
            RunConfig(
                network=shape.network,
                text_sha256=text_hash,
                optimizer=AdamWConfig(),
                learning_rate=LEARNING_RATE * 2 ** (-place / 4),
                batch_size=shape.batch_size,
                steps=shape.steps,
                seed=seed,
                heldout_sequences=shape.heldout,
            )
            for place in range(shape.replicas)
        ),
        path=shape.path,
    )


def _one_thread() -> None:
    torch.set_num_threads(1)


def _compute(unit: str, text: Path) -> None:
    execute_unit(WorkUnit.model_validate_json(unit), Materials((text,)))


def _peak(_: int) -> float:
    """FLOP/s of one thread in a product of 1024 x 1024 matrices, while the others do the same."""
    a = torch.randn(1024, 1024)
    out = torch.empty_like(a)
    torch.mm(a, a, out=out)
    rates = []
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(3):
            torch.mm(a, a, out=out)
        rates.append(3 * 2 * 1024**3 / (time.perf_counter() - began))
    return median(rates)
