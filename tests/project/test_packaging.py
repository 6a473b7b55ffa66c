"""What is built and installed elsewhere is complete: both packages, their data, the program."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# Nothing of this checkout may reach the other environment.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def call(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A source distribution of this checkout, and the wheel built from it (not from here)."""
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' directory of a new environment that holds the wheel and what it needs."""
    home = tmp_path_factory.mktemp("elsewhere") / "env"
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    call(
        *(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("-c", ROOT / "constraints.txt", built[1]),
        cwd=home,
    )
    return programs


def test_the_wheel_holds_both_packages_and_nothing_else(built: tuple[Path, Path]) -> None:
    """Rung: another library (zipfile against the tree of this checkout)."""
    with zipfile.ZipFile(built[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("scaling_theory", "empirical")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == wanted
    assert {"scaling_theory/py.typed", "empirical/py.typed"} <= names
    assert any(name.startswith("empirical/report/templates/") for name in names)


def test_the_source_distribution_can_be_tested(built: tuple[Path, Path]) -> None:
    """Rung: another library (tarfile)."""
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {"tests/conftest.py", "Makefile", "constraints.txt", "LICENSE", "CHANGELOG.md"}
    assert wanted <= names


def test_the_program_runs_where_this_checkout_is_not(installed: Path, tmp_path: Path) -> None:
    """Rung: measurement (another environment, another directory)."""
    program = installed / "scaling-theory"
    place = "import empirical, scaling_theory as s; print(empirical.__file__, s.__file__)"
    found = call(installed / "python", "-c", place, cwd=tmp_path)
    assert found.count(str(installed.parent)) == 2
    assert call(program, "--version", cwd=tmp_path).startswith("scaling-theory ")
    assert "demo" in call(program, "--help", cwd=tmp_path)


def test_the_demo_runs_there(installed: Path, tmp_path: Path) -> None:
    """Rung: measurement (needs the data files of the package)."""
    call(installed / "scaling-theory", "demo", "--preset", "tiny", cwd=tmp_path)
    written = {path.name for path in (tmp_path / "runs" / "demo").iterdir()}
    assert {"report.json", "report.html"} <= written
