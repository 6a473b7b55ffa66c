"""The verb measure: trains or reads a network, and leaves what the other verbs read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Shell

TINY = ("--context", "8", "--width", "8", "--depth", "1", "--heads", "2", "--train-batch-size", "4")
SIZES = ("2", "8", "32", "128")
GRID = (*(word for size in SIZES for word in ("--batch-size", size)), "--epsilon-ratio", "0.3")


def test_trained_measured_saved_and_used(shell: Shell, tmp_path: Path) -> None:
    """Rung: another program (predict, surge and audit-eps read what measure wrote)."""
    (tmp_path / "prose.txt").write_text("It is a truth universally acknowledged. " * 400)
    run = ("measure", "--text", "prose.txt", "--pool", "96", "--out", "first", *GRID, "--json")
    code, out, _ = shell(*run, "--steps", "300", *TINY, "--save-checkpoint", "net.safetensors")
    assert code == 0
    record = json.loads(out)
    assert record["sequences"] == 96 and record["tokens_per_sequence"] == 8
    assert set(record["noise_scales"]) == {"simple", "sgd", "sign", "adam"}

    again = ("measure", "--text", "prose.txt", "--pool", "96", "--out", "second", *GRID)
    code, out, _ = shell(*again, "--checkpoint", "net.safetensors", "--json")
    assert code == 0
    assert json.loads(out) == {**record, "statistics": "second"}
    where = ("--epsilon", "1e-4", "--batch-size", "8seq")
    assert shell("audit-eps", "--stats", "first", *where)[0] == 0
    asked = ("--batch-size", "16seq", "--from-lr", "1e-3", "--from-batch-size", "8seq")
    code, _, error = shell("predict", "--stats", "second", *asked, "--epsilon", "1e-3", "--json")
    assert code == 0, error
    assert shell("surge", "--stats", "second", "--json")[0] == 0

    code, out, _ = shell(*again[:-1], "0.5", "--out", "third", "--checkpoint", "net.safetensors")
    assert code == 0 and "95 % interval" in out and "status:" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--out"),
        (("--out", "full"), "already holds"),
        (("--out", "x", "--checkpoint", "none.safetensors"), "is no file"),
        (("--out", "x", "--checkpoint", "a", "--steps", "3"), "trained already"),
        (("--out", "x", "--heads", "3", "--steps", "1"), "divisor"),
        (("--out", "x", "--pool", "1"), "--pool"),
        (("--out", "x", "--epsilon-ratio", "-1"), "--epsilon-ratio"),
        (("--out", "x", "--epsilon-ratio", "nan"), "--epsilon-ratio is nan"),
        (("--out", "x", "--batch-size", "0"), "--batch-size is 0"),
        (("--out", "x", "--batch-size", "inf"), "--batch-size is inf"),
        (("--out", "x", "--micro-batch", "0"), "micro_batch is 0"),
        (("--out", "x", "--micro-batch", "500"), "make 3 blocks"),
        (("--out", "full/statistics.json"), "cannot be written"),
        (("--out", "full/statistics.json/x"), "cannot be written"),
        (("--out", "x", "--save-checkpoint", "full"), "is a folder"),
        (("--out", "x", "--save-checkpoint", "full/statistics.json/x"), "cannot be written"),
        (("--out", "x", "--max-memory", "lots"), "2GB"),
        (("--out", "x", "--text", "none.txt", "--steps", "1"), "does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_use_is_one_line(
    arguments: tuple[str, ...], words: str, shell: Shell, tmp_path: Path
) -> None:
    """Rung: closed form (a table of wrong uses and what their refusal says)."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "statistics.json").write_text("{}")
    code, out, error = shell("measure", *arguments)
    assert code == 2 and out == ""
    assert "training" not in error or "--steps" in arguments  # before any work
    last = error.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last
    assert not (tmp_path / "x").exists()
