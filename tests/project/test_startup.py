"""The program answers at once: what is heavy is imported only by the verb that needs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from empirical.cli.app import VERBS
from tests.conftest import PROGRAM, Program, cpu_seconds_of_children, seconds_allowed

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "scipy.optimize", "matplotlib", "sympy", "jinja2", "safetensors")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def least_cpu_seconds(*arguments: str) -> float:
    """Least processor time of seven runs: a busy neighbour on the core can only add to it."""
    times = []
    for _ in range(7):
        before = cpu_seconds_of_children()
        subprocess.run(
            [*PROGRAM, *arguments],
            env=ENVIRONMENT,
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )
        times.append(cpu_seconds_of_children() - before)
    return min(times)


def modules_after(*arguments: str) -> set[str]:
    script = (
        "import sys\n"
        "from empirical.cli.app import run\n"
        f"assert run({arguments!r}) == 0\n"
        "print(*sorted(sys.modules), sep='\\n', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), *((verb, "--help") for verb in VERBS)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Rung: closed form (the list of modules that Python itself keeps)."""
    loaded = modules_after(*arguments)
    assert "empirical.cli.app" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_check_sees_a_heavy_import() -> None:
    """Rung: negative control (a program that imports matplotlib is caught)."""
    script = "import matplotlib, sys; print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert not set(out.stdout.split()).isdisjoint(HEAVY)


def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    """Rung: measurement. Two thirds of the time are spare on an idle core."""
    assert least_cpu_seconds("--help") < seconds_allowed(idle=0.3, bare=1.5)


TUNED = ("--from-lr", "3e-4", "--from-batch-size", "64seq", "--batch-size", "512seq")


def test_an_answer_from_a_tuned_point_comes_in_half_a_second() -> None:
    """Rung: measurement (processor time, and what was imported for the answer)."""
    assert modules_after("predict", *TUNED).isdisjoint({"torch", "sympy", "matplotlib"})
    assert least_cpu_seconds("predict", *TUNED) < seconds_allowed(idle=0.5, bare=4.0)


def test_every_verb_has_help_with_an_example(program: Program) -> None:
    """Rung: closed form (each verb's help names the program at least once more than usage)."""
    for name in VERBS:
        shown = program(name, "--help")
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.count(f"scaling-theory {name}") >= 2, f"{name} shows no example"
