"""Supported ranges in pyproject.toml, one exact environment in constraints.txt."""

from __future__ import annotations

import ast
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DIRECT = [
    Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
]
THIS = canonicalize_name(PROJECT["name"])
PINS = {
    canonicalize_name(name): pin
    for name, pin in (
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
}


# A build of torch for an accelerator brings that one's libraries in the versions it fixes itself.
BROUGHT_BY_TORCH = ("cuda-", "nvidia-", "triton")


def needed_here() -> set[NormalizedName]:
    """Every distribution that the direct ones bring on this platform, themselves included."""
    found: set[NormalizedName] = set()
    waiting = list(DIRECT)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        if name in found or name.startswith(BROUGHT_BY_TORCH):
            continue
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        children = [Requirement(line) for line in lines]
        waiting += [
            child
            for child in children
            if child.marker is None or any(child.marker.evaluate({"extra": e}) for e in extras)
        ]
    return found


def imported_by(*folders: str) -> set[NormalizedName]:
    """The distributions whose modules the Python files below `folders` name in an import."""
    modules: set[str] = set()
    for path in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    here = packages_distributions()
    return {canonicalize_name(name) for module in modules for name in here.get(module, ())}


def declared(lines: list[str]) -> set[NormalizedName]:
    return {canonicalize_name(Requirement(line).name) for line in lines} | {THIS}


def test_what_the_packages_import_is_declared() -> None:
    """Rung: another route (the imports in the source against dependencies and users' extras)."""
    extras = [
        line
        for name, lines in PROJECT["optional-dependencies"].items()
        if name != "dev"
        for line in lines
    ]
    assert imported_by("scaling_theory", "empirical") <= declared(PROJECT["dependencies"] + extras)


def test_what_the_tests_import_is_declared() -> None:
    """Rung: another route (as above; a folder of tests is no distribution)."""
    extra = PROJECT["optional-dependencies"]["dev"]
    assert imported_by("tests") <= declared(PROJECT["dependencies"] + extra)


def test_every_pin_lies_in_the_supported_range() -> None:
    """Rung: another library (packaging compares versions)."""
    outside = [r for r in DIRECT if not r.specifier.contains(PINS[canonicalize_name(r.name)])]
    assert not outside


def test_every_needed_distribution_is_pinned() -> None:
    """Rung: another library (the closure of the installed distributions' own metadata)."""
    assert needed_here() <= PINS.keys()


def test_the_pins_are_what_is_tested_here() -> None:
    """Rung: closed form (a local label such as +cpu names a build, not a version)."""
    other = {}
    for name in sorted(needed_here()):
        try:
            here = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
        if here != PINS[name]:
            other[name] = here
    assert not other


def test_torch_is_2_13_0_and_torchvision_is_nowhere() -> None:
    """Rung: closed form."""
    assert PINS[canonicalize_name("torch")] == "2.13.0"
    assert canonicalize_name("torchvision") not in PINS
    assert all(canonicalize_name(r.name) != "torchvision" for r in DIRECT)


def test_runtime_dependencies_have_an_upper_bound() -> None:
    """Rung: closed form (a range that is supported ends before the next major version)."""
    runtime = [Requirement(line) for line in PROJECT["dependencies"]]
    assert all(any(s.operator == "<" for s in r.specifier) for r in runtime)
