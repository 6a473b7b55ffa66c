"""The bench of sweeps in miniature: whole cells of both sides, counted alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from empirical.bench import plain_loop, sweep_speed
from empirical.bench.plain_loop import PlainCell, train_cell
from empirical.bench.sweep_speed import Shape
from empirical.sweep.cost import forward_flops_per_token
from empirical.train.configuration import NetworkConfig

TINY = NetworkConfig(context=8, width=8, depth=1, heads=2)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    letters = np.random.default_rng(0).integers(97, 101, 20_000, dtype=np.uint8)
    path.write_bytes(letters.tobytes())
    return path


def cell(text: Path, steps: int) -> PlainCell:
    return PlainCell(8, 1, 2, 8, 4, steps, 32, 1e-2, str(text))


def test_the_plain_loop_learns_what_there_is_to_learn(text: Path) -> None:
    """Closed form: four letters at random cost ln 4 = 1.386 nats, an untrained network ln 256.

    The network is near its optimum after 300 steps of 32 tokens at this rate; a tenth of a nat
    covers what is left.
    """
    _, before = train_cell(cell(text, 0))
    seconds, after = train_cell(cell(text, 300))
    assert before == pytest.approx(np.log(256), abs=0.05)
    assert np.log(4) - 0.02 < after < np.log(4) + 0.1
    assert seconds > 0


def test_the_plain_loop_as_a_program(
    text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Closed form: JSON in, JSON out; a missing text is wrong use."""
    monkeypatch.setattr(sys, "argv", ["plain_loop", cell(text, 2).to_json()])
    assert plain_loop.main() == 0
    assert '"seconds"' in capsys.readouterr().out
    missing = cell(text.parent / "none", 2)
    monkeypatch.setattr(sys, "argv", ["plain_loop", missing.to_json()])
    assert plain_loop.main() == 2
    assert "no file" in capsys.readouterr().err


def test_a_cell_is_counted_by_hand() -> None:
    """Closed form: three forward passes per trained token, one per evaluated token and side."""
    shape = Shape("tiny", TINY, 2, 10, 4, 1, 1, 1.0)
    assert shape.flops == forward_flops_per_token(TINY) * (3 * 2 * 10 * 8 + 2 * 4 * 8)


@pytest.mark.slow
def test_rows_of_a_tiny_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brute force: the bench runs whole, and both of its rows tell one story."""
    shapes: Sequence[Shape] = (Shape("tiny", TINY, 2, 20, 16, 1, 2, 0.0),)
    monkeypatch.setattr(sweep_speed, "SHAPES", shapes)
    monkeypatch.setattr(sweep_speed, "REPEATS", 1)
    cells, share = sweep_speed.run()
    assert cells.ratio == pytest.approx(share.ratio)
    assert cells.met
    assert 0 < share.ours < 1
