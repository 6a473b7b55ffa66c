"""The whole path in one command, on a network small enough for every run of the tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.conftest import PROGRAM, Program, cpu_seconds_of_children

ROOT = Path(__file__).parents[2]


def test_demo_writes_a_report_that_needs_nothing_else(program: Program, tmp_path: Path) -> None:
    """Rung: measurement (from text to report; each number is tested elsewhere)."""
    before = cpu_seconds_of_children()
    done = program("demo", "--preset", "tiny", "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    # Half a minute on two idle cores; waiting for a busy core does not count.
    assert cpu_seconds_of_children() - before < 60
    answer = json.loads(done.stdout)
    page = tmp_path / "runs" / "demo" / "report.html"
    assert (tmp_path / answer["report"]).resolve() == page.resolve()
    record = json.loads(page.with_name("report.json").read_text(encoding="utf-8"))
    assert answer["summary"] == record["summary"]
    cells = {(row["batch_size"], row["epsilon_over_rms_sigma"]) for row in record["rows"]}
    assert cells == {(size, ratio) for size in (1, 4, 16) for ratio in (0, 1)}
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"'](?!data:|#)[^\"']*", html)

    again = program("demo", "--preset", "tiny")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    """Rung: measurement (SIGINT in the middle of the training)."""
    # A shell that puts `make` in the background has it ignore interrupts; this process must not.
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    running = subprocess.Popen(
        [*PROGRAM[:2], listen + PROGRAM[2], "demo", "--preset", "tiny", "--steps", "1000000"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # Long enough for torch to load, short against a million steps.
        time.sleep(8)
        running.send_signal(signal.SIGINT)
        _, error = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, error
    assert error.rstrip("\n").splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
