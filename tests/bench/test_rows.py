"""Rows of a benchmark: ratios, the file that keeps them, and the program around them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from empirical.bench import __main__ as program
from empirical.bench.rows import BenchRow, allowed, keep_rows
from empirical.errors import UsageError

FASTER = BenchRow("step", 2.0, 3.0, "other", "s")
MORE = BenchRow("steps", 6.0, 3.0, "other", "1/s", better="higher", target=7.0)


def test_ratio_is_above_one_where_ours_is_better() -> None:
    """Closed form: time and rate, each with its own direction."""
    assert FASTER.ratio == 1.5 and FASTER.met and FASTER.bound == ""
    assert MORE.ratio == 2.0 and not MORE.met and MORE.bound == "≥ 7"
    assert allowed("memory", 5.0, 6.0, "vectors").ratio == 1.2
    assert BenchRow("step", 2.0, None, "not installed", "s").ratio is None


def test_each_benchmark_replaces_its_own_rows(tmp_path: Path) -> None:
    """Closed form: rows of two benchmarks, one of them run twice."""
    path = tmp_path / "runs" / "bench.json"
    keep_rows(path, "first", [FASTER, MORE])
    keep_rows(path, "second", [FASTER])
    keep_rows(path, "first", [BenchRow("step", 1.0, None, "not installed", "s")])
    record = json.loads(path.read_text())
    assert [row["name"] for row in record["rows"]] == ["second/step", "first/step"]
    assert set(record["rows"][0]) == {"name", "ours", "peer", "peer_name", "ratio", "unit"}
    assert record["rows"][1]["peer"] is None and record["rows"][1]["ratio"] is None
    assert record["schema"] == "scaling-theory/bench" and record["schema_version"] == 1
    assert set(record["machine"]) == {"cpu", "cores", "threads"}
    assert {"python", "torch"} <= set(record["versions"])
    assert [entry.name for entry in path.parent.iterdir()] == ["bench.json"]  # nothing half-written


def test_what_is_no_row_is_refused(tmp_path: Path) -> None:
    """Closed form: numbers that are none, names given twice, another program's file."""
    path = tmp_path / "bench.json"
    for rows in ([BenchRow("x", float("nan"), 1.0, "", "s")], [BenchRow("x", 0.0, 1.0, "", "s")]):
        with pytest.raises(UsageError, match="above 0"):
            keep_rows(path, "first", rows)
    with pytest.raises(UsageError, match="one row per name"):
        keep_rows(path, "first", [FASTER, FASTER])
    path.write_text("{}")
    with pytest.raises(UsageError, match="schema"):
        keep_rows(path, "first", [FASTER])
    assert path.read_text() == "{}"


def planted(monkeypatch: pytest.MonkeyPatch, *rows: BenchRow) -> None:
    """One benchmark that works and one that fails."""

    def fails() -> tuple[BenchRow, ...]:
        raise RuntimeError("planted")

    modules = {"good": SimpleNamespace(run=lambda: rows), "bad": SimpleNamespace(run=fails)}
    monkeypatch.setattr(program, "BENCHMARKS", {name: name for name in modules})
    monkeypatch.setattr(program, "import_module", modules.__getitem__)


def test_exit_code_tells_what_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closed form: met, missed, failed (the other's rows are kept), and a name that is none."""
    out = ["--out", str(tmp_path / "bench.json")]
    planted(monkeypatch, FASTER)
    assert program.main(["good", *out]) == 0
    assert "every target met" in capsys.readouterr().out
    assert program.main(["bad", "good", *out]) == 1
    assert "planted" in capsys.readouterr().err
    assert json.loads((tmp_path / "bench.json").read_text())["rows"][0]["name"] == "good/step"
    planted(monkeypatch, MORE)
    assert program.main(["good", *out]) == 1
    assert "≥ 7 missed" in capsys.readouterr().out
    assert program.main(["nothing", *out]) == 2
    assert "no benchmark 'nothing'" in capsys.readouterr().err
