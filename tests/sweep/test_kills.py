"""SIGKILL at random moments: the sample of what `kill_many` does at length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_six_kills_lose_double_and_change_nothing() -> None:
    """Rung: another route to the same bytes (a sweep that nobody disturbed)."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.sweep.kill_many",
            *("--kills", "6", "--seed", "3", "--cells", "3", "--steps", "300"),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kills" in done.stdout
    assert "nothing lost, doubled or changed" in done.stdout
