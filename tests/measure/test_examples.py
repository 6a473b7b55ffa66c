"""The examples run as a reader would run them, but for warnings, which are errors."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_example(name: str, *arguments: str) -> str:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_a_plain_training_script() -> None:
    """Rung: another program (the script trains, is measured, and both learning rates agree)."""
    out = run_example("nanogpt_style.py")
    assert "Dropout switched to evaluation" in out
    assert "simple noise scale" in out and "tokens" in out
    direct = float(out.split("best next step: lr ")[1].split()[0])
    searched = float(out.split("by line search: lr ")[1].split(",")[0])
    # one is told from the measured pool, one from held-out halves: each within about 15 %
    assert direct == pytest.approx(searched, rel=0.5)


@pytest.mark.skipif(
    find_spec("transformers") is None, reason="transformers is not installed: no dependency of ours"
)
def test_a_transformers_gpt2() -> None:
    """Rung: another library (its model, its dict batches, its tied head, its padding)."""
    out = run_example("gpt2_transformers.py")
    assert "192 sequences" in out
    assert "tokens per sample: deviations are those of the ratio of sums" in out
    assert "transformer.wte" in out and "transformer.h.1" in out
