"""Peak memory of measuring, in vectors of the parameter count, beside one micro-batch.

A process of its own poses and measures a network of more than 5M parameters with deviations on
disk. What counts is anonymous memory (pages of files can always be written back), sampled every
millisecond, above that of the network and its data at rest, less what a plain gradient of one
micro-batch takes (activations and the gradient it leaves).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from math import inf
from pathlib import Path

from empirical.bench.rows import BenchRow, allowed
from empirical.errors import UsageError

STATUS = Path("/proc/self/status")
TARGET = 6.0
MICRO_BATCH = 4
SEQUENCES = 48
BLOCKS = 12
CHUNK = 4
UNIT = "vectors of the parameter count"


def run() -> tuple[BenchRow, ...]:
    """Rows for the noise statistics with curvature, and for a cell of the surface."""
    if not STATUS.is_file():
        raise UsageError("memory is read from /proc, which this system lacks; run it on Linux")
    # every large tensor a mapping of its own, so that what is freed is seen to be free
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "empirical.bench.memory"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(answer.stdout)
    size = f"{found['parameters'] / 1e6:.3g}M parameters"
    return tuple(
        allowed(f"{what}, {size}, beside one micro-batch", found[key], TARGET, UNIT)
        for key, what in (
            ("noise", "noise statistics"),
            ("curvature", "noise statistics with SGD's curvature"),
            ("surface", "a cell of the surface"),
        )
    )


def anonymous() -> int:
    """Bytes of anonymous memory of this process now."""
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon:"):
            return 1024 * int(line.split()[1])
    raise UsageError("the kernel does not tell RssAnon; a newer one is wanted")


def peak(work: Callable[[], object]) -> int:
    """Largest anonymous memory while work runs, less that before, in bytes."""
    before = anonymous()
    seen = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append(anonymous())
            time.sleep(1e-3)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return max(seen) - before


def measure_peaks() -> dict[str, float]:
    """Peaks in vectors, beside one micro-batch."""
    from empirical.bench.gradient_cost import (
        Subject,
        mean_loss,
        plain_gradient,
        reference_subject,
    )
    from empirical.measure.measurement import Measurement, measure
    from empirical.measure.surface_terms import GridEffort, measure_grid

    def subject_of(sequences: int, tokens: int) -> Subject:
        whole = reference_subject(sequences, width=384, depth=3)
        return Subject(whole.network, whole.inputs[:, :tokens], whole.targets[:, :tokens])

    def measured(curvature: str) -> Measurement:
        return measure(
            subject.network,
            (subject.inputs, subject.targets),
            loss=mean_loss,
            curvature=curvature,
            blocks=BLOCKS,
            micro_batch=MICRO_BATCH,
            chunk=CHUNK,
            max_memory=1,
        )

    subject = subject_of(SEQUENCES, 32)
    micro = subject.first(MICRO_BATCH)
    parameters = sum(p.numel() for p in subject.network.parameters())
    vector = 4 * parameters
    plain_gradient(micro, CHUNK)
    beside = peak(lambda: plain_gradient(micro, CHUNK))
    found: dict[str, float] = {"parameters": parameters}
    for key, curvature in (("noise", "none"), ("curvature", "whole")):
        found[key] = (peak(partial(measured, curvature)) - beside) / vector
    before = anonymous()
    kept = measured("none")
    held = anonymous() - before
    effort = GridEffort(deviations=BLOCKS, probes=4, subset=MICRO_BATCH)
    sigma = kept.whole.rms_sigma

    def surface() -> None:
        measure_grid(kept, [4.0], [0.1 * sigma, inf], effort=effort, max_memory=1)

    found["surface"] = (held + peak(surface) - beside) / vector
    return found


if __name__ == "__main__":
    print(json.dumps(measure_peaks()))
