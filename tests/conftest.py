"""What every test shares: reproducible hypothesis, plots without a screen, the program."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from empirical.cli.app import run

os.environ.setdefault("MPLBACKEND", "Agg")

# The same examples in every run, and no deadline: a busy machine is not a failure.
settings.register_profile("reproducible", derandomize=True, deadline=None)
settings.load_profile("reproducible")

PROGRAM = (sys.executable, "-c", "from empirical.cli.app import main; main()")

Program = Callable[..., subprocess.CompletedProcess[str]]
Shell = Callable[..., tuple[int, str, str]]


def cpu_seconds_of_children() -> float:
    """Processor time of all finished child processes; waiting for a core is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@cache
def seconds_allowed(idle: float, bare: float) -> float:
    """Processor seconds for an answer: `idle`, or so many times a bare start where that is slow.

    A core that is shared runs everything slower; a start that only imports numpy and typer, least
    of seven, tells by how much.
    """
    times = []
    for _ in range(7):
        before = cpu_seconds_of_children()
        subprocess.run([sys.executable, "-c", "import numpy, typer"], check=True, timeout=60)
        times.append(cpu_seconds_of_children() - before)
    return max(idle, bare * min(times))


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Run the program in a process of its own, in an empty directory: program("predict", ...)."""

    def start(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return start


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Run the program in this process, in an empty directory: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def start(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return start
