"""Two processes under torchrun find what one finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from empirical.errors import UsageError
from empirical.measure.distributed import measure_distributed
from empirical.measure.measurement import measure
from tests.measure.distributed_worker import OPTIONS, model_and_share, numbers_of
from tests.measure.plain import next_token_loss

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes with gloo have written."""
    place = tmp_path_factory.mktemp("two processes")
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    settings = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "tests.measure.distributed_worker", str(place)),
        ],
        env={**os.environ, **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return place


@pytest.mark.parametrize("name", OPTIONS)
def test_two_processes_find_what_one_finds(folder: Path, name: str) -> None:
    """Another route: gradient, variance, every deviation and every noise scale, to rounding."""
    model, first = model_and_share(0)
    everything = [*first, *model_and_share(1)[1]]
    alone = numbers_of(measure(model, everything, loss=next_token_loss, **OPTIONS[name]))
    shares = [load_file(folder / f"{name} {rank}.safetensors") for rank in (0, 1)]
    for key, wanted in alone.items():
        # float64 sums of 43 terms in another order: 1e-14 of the largest; second differences
        # (numbers 11 on, the SGD scale) divide rounding of the loss by h^2 v^T H v, 1e-6
        rtol = 1e-5 if key == "numbers" else 1e-10
        for share in shares:
            torch.testing.assert_close(share[key], wanted, rtol=rtol, atol=1e-13)
        assert not torch.allclose(shares[0][key], 1.01 * wanted, rtol=1e-3)  # a planted 1 % error
        assert torch.equal(shares[0][key], shares[1][key])


def test_half_of_the_samples_is_another_result(folder: Path) -> None:
    """Negative control: the first process alone would have found something else."""
    model, share = model_and_share(0)
    name = "single samples"
    half = measure(model, share, loss=next_token_loss, **OPTIONS[name])
    together = load_file(folder / f"{name} 0.safetensors")
    assert not torch.allclose(half.gradient, together["gradient"], rtol=0.05)


def test_all_processes_are_told_of_one_processs_trouble(folder: Path) -> None:
    """Closed form: no batches in one process, other parameters in one process."""
    for rank in (0, 1):
        first, second = (folder / f"refusals {rank}.txt").read_text().splitlines()
        assert first.startswith("process 1: the batches hold 0 samples")
        assert "process 1 holds other parameters" in second


def test_without_a_process_group() -> None:
    """Closed form: one line that says what to do."""
    model, share = model_and_share(0)
    with pytest.raises(UsageError, match="init_process_group"):
        measure_distributed(model, share, loss=next_token_loss)
