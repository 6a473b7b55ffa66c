"""Costs in gradients, growth, and what is said where peers are missing: planted times."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from empirical.bench import gradient_cost, growth, measuring
from empirical.bench.peers import ENVIRONMENT, MISSING, Peers


def test_drift_of_the_machine_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: calls that take longer and longer; a case of twice the work costs two."""
    moments = count()
    work = {"gradient": 1.0, "case": 2.0}

    def slower_and_slower(case: object) -> float:
        return work[str(case)] * (1 + 0.1 * next(moments))

    monkeypatch.setattr(gradient_cost, "seconds", slower_and_slower)
    found = gradient_cost.round_costs({"case": "case"}, "gradient")  # type: ignore[dict-item,arg-type]  # names stand for calls
    assert found["case"] == pytest.approx(2.0, rel=1e-12)


def test_costs_are_medians_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: one interrupted round of three does not count, nor does the first call."""
    calls: list[str] = []
    answers = iter([1.0, 3.0, 1.0, 1.0, 90.0, 1.0, 1.0, 3.0, 1.0])
    monkeypatch.setattr(gradient_cost, "seconds", lambda case: next(answers))
    found = gradient_cost.costs(
        {"case": lambda: calls.append("case")}, lambda: calls.append("gradient"), 3
    )
    assert found == {"case": 3.0}
    assert calls == ["gradient", "case"]


def test_growth_recovers_its_exponent(tmp_path: Path) -> None:
    """Planted parameters: an exact power law, and one with scatter inside its interval."""
    sizes = [10**5, 3 * 10**5, 10**6, 10**7]
    exact = growth.fit_growth(sizes, [1e-7 * size**0.9 for size in sizes])
    assert exact.exponent == pytest.approx(0.9, rel=1e-12)
    assert exact.half_width < 1e-12
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        times = 1e-7 * np.array(sizes) * np.exp(0.1 * rng.standard_normal(4))
        found = growth.fit_growth(sizes, times.tolist())
        inside.append(abs(found.exponent - 1) <= found.half_width)
    # 95 % of 200 within 3.5 binomial errors
    assert 0.89 <= np.mean(inside) <= 1.0
    growth.draw(dict.fromkeys(growth.WHAT, exact), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_missing_peers_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed form: no environment, a process that dies, a peer that refuses, one that answers."""
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere" / "python"))
    with Peers() as peers:
        assert peers.round() == {}
    missing = measuring._row("x", 1.0, "Opacus", [{}], 1.15)
    assert missing.peer is None and missing.ratio is None and MISSING in missing.peer_name
    refused = measuring._row("x", 1.0, "Opacus", [{"Opacus": "TypeError: no"}], 1.15)
    assert refused.peer is None and "TypeError: no" in refused.peer_name
    answered = measuring._row("x", 1.0, "Opacus", [{"Opacus": 1.2}, {"Opacus": 1.4}], 1.15)
    assert answered.peer == pytest.approx(1.3) and answered.met

    script = tmp_path / "python"
    answer = "import sys\nfor _ in sys.stdin: print('{\"Opacus\": 1.5}', flush=True)\n"
    script.write_text(f"#!{sys.executable}\n{answer}")
    script.chmod(0o755)
    monkeypatch.setenv(ENVIRONMENT, str(script))
    with Peers() as peers:
        assert peers.round() == {"Opacus": 1.5} == peers.round()
    script.write_text(f"#!{sys.executable}\n")
    with Peers() as peers:
        assert peers.process is not None
        peers.process.wait()
        assert peers.round() == {}
