"""Imports flow one way, and the contract that says so can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def verdict(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the two packages under `root`, with the contracts of this project."""
    return subprocess.run(
        [sys.executable, "-c", LINTER, "--no-cache", "--config", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    for package in ("scaling_theory", "empirical"):
        shutil.copytree(ROOT / package, root / package)
    return root


def test_contracts_hold(copy: Path) -> None:
    """Rung: another library (import-linter reads the imports of both packages)."""
    result = verdict(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("scaling_theory/planted.py", "import torch", "scaling_theory needs no tensors"),
        ("scaling_theory/planted.py", "import empirical.errors", "scaling_theory needs no tensors"),
        ("empirical/errors.py", "import empirical.settings", "one way"),
        ("empirical/train/planted.py", "import empirical.measure", "one way"),
        ("empirical/planted.py", "import math", "one way"),
        ("empirical/report/planted.py", "import torch", "torch is not installed"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    copy: Path, module: str, line: str, contract: str
) -> None:
    """Rung: negative control."""
    place = copy / module
    before = place.read_text(encoding="utf-8") if place.exists() else None
    place.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        result = verdict(copy)
    finally:
        if before is None:
            place.unlink()
        else:
            place.write_text(before, encoding="utf-8")
    assert result.returncode == 1, result.stderr
    broken = [text for text in result.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), result.stdout
