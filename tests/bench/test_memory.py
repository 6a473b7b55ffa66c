"""Peak memory of measuring under a real limit of the operating system."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from empirical.bench import memory

LIMITED = """
    import resource, sys
    from pathlib import Path
    import torch
    from torch import nn
    from empirical.measure.measurement import measure
    from empirical.measure.surface_terms import GridEffort, measure_grid

    torch.set_num_threads(1)
    inputs, targets = torch.randn(48, 1600), torch.randint(10, (48,))

    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def work(model):
        found = measure(
            model, (inputs, targets), loss=loss, blocks=12, micro_batch=4, chunk=4,
            max_memory=MEMORY,
        )
        effort = GridEffort(deviations=12, probes=2, subset=4)
        measure_grid(found, [4.0], [0.1 * found.whole.rms_sigma], effort=effort, max_memory=1)
        return found

    # what is set up once (threads, libraries, their buffers) comes before the limit
    work(nn.Linear(1600, 10).eval())
    model = nn.Sequential(
        nn.Linear(1600, 1600), nn.Tanh(), nn.Linear(1600, 1600), nn.Tanh(), nn.Linear(1600, 10)
    ).eval()
    torch.autograd.grad(loss(model, (inputs[:4], targets[:4])), list(model.parameters()))
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    now = 1024 * int(status["VmData"].split()[0])
    vector = 4 * sum(p.numel() for p in model.parameters())
    # one micro-batch: the gradient that it leaves, one more vector; 16 MiB for small things
    limit = now + int((float(sys.argv[1]) + 1) * vector) + 2**24
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    found = work(model)
    print(len(found.deviations), "; ".join(found.notes))
"""


def limited(vectors: float, max_memory: str) -> subprocess.CompletedProcess[str]:
    """Measure 5.1M parameters where only so many vectors may be allocated."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(LIMITED).replace("MEMORY", max_memory, 1),
            str(vectors),
        ],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="limits are read from /proc")
def test_six_vectors_are_enough() -> None:
    """Rung: the operating system. Gradient, noise, SGD's curvature and a cell of the surface run
    where six vectors and a micro-batch may be allocated, and do not where three may.

    Without max_memory the deviations do not fit, and go to disk by themselves.
    """
    found = limited(memory.TARGET, "1")
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.startswith("12 ") and "on disk" in found.stdout
    by_itself = limited(memory.TARGET, "None")
    assert by_itself.returncode == 0, by_itself.stderr[-2000:]
    assert "on disk: memory is short" in by_itself.stdout
    assert limited(3, "1").returncode != 0
