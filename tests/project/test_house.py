"""Rules of the house that a program can check: size of modules, honest markers, make targets."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("scaling_theory", "empirical")
LARGEST_MODULE = 250
LARGEST_MEDIAN = 120
MODULES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_module_is_large(record_property: Callable[[str, object], None]) -> None:
    """Rung: closed form (a count). The median is reported with the test results."""
    sizes = {str(path.relative_to(ROOT)): lines(path) for path in MODULES}
    median = statistics.median(sizes.values())
    record_property("median lines per module", median)
    large = {name: size for name, size in sizes.items() if size > LARGEST_MODULE}
    assert not large
    assert median <= LARGEST_MEDIAN


def test_modules_have_names_of_concepts() -> None:
    """Rung: closed form (names that would gather anything)."""
    vague = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in MODULES + TESTS if path.stem in vague]


def test_every_module_says_what_it_is() -> None:
    """Rung: closed form (the first character of each file)."""
    assert not [path for path in MODULES + TESTS if not path.read_text().startswith(('"', 'r"'))]


def test_nothing_is_left_for_later() -> None:
    """Rung: closed form (a search for markers of unfinished work)."""
    markers = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    assert not [path for path in MODULES + TESTS if markers.search(path.read_text())]


def test_silenced_checkers_give_a_reason() -> None:
    """Rung: closed form (a second comment follows, or a comment line stands above)."""
    silenced = re.compile(r"# (?:type: ignore|noqa|pragma: no cover)[^#]*(# .*)?$")
    bare = []
    for path in MODULES + TESTS:
        above = ""
        for line in path.read_text().splitlines() if path != Path(__file__) else ():
            found = silenced.search(line)
            if found and not found[1] and not above.lstrip().startswith("#"):
                bare.append(f"{path.relative_to(ROOT)}: {line.strip()}")
            above = line
    assert not bare


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ("demo", ("scaling-theory demo --overwrite", "report.html")),
        ("test", ("ruff check", "ruff format --check", "mypy --strict", "lint-imports", "pytest")),
        ("test-slow", ("pytest -m slow",)),
        ("clean", ("rm -rf .venv",)),
        ("bench", ("-m empirical.bench",)),
        ("evidence", ("-m examples.three_models",)),
    ],
)
def test_make_targets_do_what_they_promise(target: str, wanted: tuple[str, ...]) -> None:
    """Rung: another program (make itself lists the commands, without running them)."""
    listed = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert all(command in listed.stdout for command in wanted)


def test_continuous_integration_runs_both_test_targets() -> None:
    """Rung: another program (bash parses the script)."""
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=60)
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert "for target in test test-slow" in text
