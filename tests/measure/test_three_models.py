"""The table of three models: all three paths, small."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    find_spec("transformers") is None or find_spec("sklearn") is None,
    reason="transformers or scikit-learn is not installed: no dependencies of ours",
)


def test_all_three_paths(tmp_path: Path) -> None:
    """Another library twice: digits and GPT-2 go the whole way; warnings are errors."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    table = tmp_path / "table.csv"
    found = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-m", "examples.three_models"),
            *("--tiny", "--json", "--csv", str(table)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # 12 batches judge nothing: whether it passed is left open, whether it ran is not
    assert found.returncode in (0, 1), found.stderr
    record = json.loads(found.stdout)
    names = ["MLP on digits", "Hugging Face GPT-2", "built-in GPT"]
    assert [model["model"] for model in record["models"]] == names
    assert (found.returncode == 0) == all(model["passed"] for model in record["models"])
    rules = [row["rule"] for row in record["rows"]]
    assert rules == ["softsign", "adamw: line search", "adamw: ratio"] * 3
    softsign = [row for row in record["rows"] if row["rule"] == "softsign"]
    assert all(row["measured"] > 0 and row["correlated"] > 0 for row in softsign)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [name for name in names for _ in range(3)]
    for row, told in zip(rows, record["rows"], strict=True):
        assert (row["measured"] == "") == (told["measured"] is None)
        if told["measured"]:
            assert float(row["measured"]) == pytest.approx(told["measured"], rel=1e-5)


def test_a_cell_without_an_answer_is_no_success() -> None:
    """Closed form: the verdict of a summary."""
    from dataclasses import replace

    from examples.three_models.records import Summary

    good = Summary(
        "model", 10, 10, 200, 1.0, 0.5, None, 0.0, 0.05, 0.3, 5.0, 0, -0.08, 1.0, 1.0, ()
    )
    assert good.passed
    for change in ({"median": 0.11}, {"adamw": -0.2}, {"adamw": None}, {"unanswered": 1}):
        assert not replace(good, **change).passed
