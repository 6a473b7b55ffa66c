"""The page's script computes what the toolkit computes: shared vectors, evaluated by both."""

from __future__ import annotations

import json
import shutil
import subprocess
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, PackageLoader

from empirical.report.explorer.formulas import FORMULAS
from empirical.report.explorer.page import FORMULA_SCRIPTS, script_of
from scaling_theory.laws.table import LAW_FORMS
from tests.report.explorer_vectors import shared_vectors

FILE = Path(__file__).parent / "explorer_vectors.json"

# What the page promises. Both sides do the same operations in double precision; the learning
# rates agree to 1e-14 and the standard errors of laws, differences of nearby values, to 1e-11.
PROMISED = 1e-9


def differences(found: Any, wanted: Any, tolerance: float, where: str = "") -> list[str]:
    """Places where two JSON values differ; numbers relatively."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if found.keys() != wanted.keys():
            return [f"{where}: {sorted(found)} for {sorted(wanted)}"]
        return [
            d for k in wanted for d in differences(found[k], wanted[k], tolerance, f"{where}.{k}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [d for i, (f, w) in pairs for d in differences(f, w, tolerance, f"{where}[{i}]")]
    if isinstance(wanted, float | int) and isinstance(found, float | int):
        # Errors of interpolation are relative already: 1e-15 of a learning rate is nothing.
        close = isclose(found, wanted, rel_tol=tolerance, abs_tol=1e-15)
        return [] if close else [f"{where}: {found!r} for {wanted!r}"]
    return [] if found == wanted else [f"{where}: {found!r} for {wanted!r}"]


def by_script(vectors: dict[str, Any]) -> list[Any]:
    """What the page's scripts answer, in node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the PATH; the browser test asks the same of the page")
    environment = Environment(loader=PackageLoader("empirical.report", "templates"))
    # The scope of the scripts has no way out but what the page leaves open.
    script = script_of(environment, FORMULA_SCRIPTS).replace(
        "})();", "globalThis.FORMULAS = FORMULAS;\n})();"
    )
    ask = (
        "const { sources, vectors } = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "process.stdout.write(JSON.stringify(vectors.map((v) => FORMULAS[v.formula][v.way]"
        "(sources[v.source], v.at))));"
    )
    done = subprocess.run(
        [node, "-e", script + ask],
        input=json.dumps(vectors),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def test_the_file_is_current(stored: dict[str, Any]) -> None:
    """Closed form: made again, the file is the same but for the last digits of other machines.

    Write it with: python -m tests.report.explorer_vectors tests/report/explorer_vectors.json
    """
    fresh = json.loads(json.dumps(shared_vectors()))
    assert not differences(fresh["sources"], stored["sources"], 1e-12)
    assert not differences(fresh["vectors"], stored["vectors"], 1e-10)


def test_every_formula_law_and_outcome_is_asked(stored: dict[str, Any]) -> None:
    """Closed form: no formula, no way, no form of law and no kind of failure is left out."""
    vectors = stored["vectors"]
    asked = {(vector["formula"], vector["way"]) for vector in vectors}
    ways = {
        (name, way)
        for name, f in FORMULAS.items()
        for way in ("alone", "carried")
        if getattr(f, way)
    }
    assert asked == ways
    forms = {source["form"] for source in stored["sources"].values() if "form" in source}
    assert forms == set(LAW_FORMS)
    failures = {"no minimum", "no claim", "no such run"}
    assert {vector["answer"]["status"] for vector in vectors} == {"ok", *failures}
    outside = {name for vector in vectors for name in vector["answer"]["outside"]}
    assert {"batch size", "epsilon", "tokens"} <= outside
    assert sum(vector["answer"]["interpolation_error"] > 0 for vector in vectors) > 50


def test_the_script_agrees(stored: dict[str, Any]) -> None:
    """Another language: node, on the scripts as the page has them."""
    found = by_script(stored)
    wanted = [vector["answer"] for vector in stored["vectors"]]
    assert not differences(found, wanted, PROMISED)


def test_a_planted_error_is_seen(stored: dict[str, Any]) -> None:
    """Negative control: one batch size moved by 1e-8 is found, and nothing else."""
    moved = json.loads(json.dumps(stored))
    moved["vectors"][0]["at"]["batch_size"] *= 1 + 1e-8
    found = by_script(moved)
    wanted = [vector["answer"] for vector in stored["vectors"]]
    places = differences(found, wanted, PROMISED)
    assert places and all(place.startswith("[0]") for place in places)
