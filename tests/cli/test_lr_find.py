"""The verb lr-find: an interval for the built-in network, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Shell

TINY = ("--context", "8", "--width", "8", "--depth", "1", "--heads", "2")


@pytest.fixture(autouse=True)
def prose(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("It is a truth universally acknowledged. " * 400)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "softsignsgd"])
def test_an_answer_with_an_interval(optimizer: str, shell: Shell) -> None:
    """Rung: closed form (what the record holds)."""
    epsilon = ("--optimizer-epsilon", "1e-3") if optimizer == "softsignsgd" else ()
    run = ("lr-find", "--text", "prose.txt", "--steps", "150", *TINY, "--batch-size", "8")
    code, out, _ = shell(*run, "--pool", "256", "--optimizer", optimizer, *epsilon, "--json")
    record = json.loads(out)
    assert record["batch_tokens"] == 64
    assert code == (0 if record["status"] == "ok" else 1)
    assert (record["status"] == "ok") == (record["interval"] is not None)
    if record["interval"] is not None:
        low, high = record["interval"]
        assert low < record["learning_rate"] < high
        assert len(record["tried"]) == 5


def test_not_identified_is_exit_code_1(shell: Shell) -> None:
    """Rung: closed form (four updates of eight sequences cannot tell)."""
    run = ("lr-find", "--text", "prose.txt", "--steps", "400", *TINY, "--batch-size", "1")
    code, out, _ = shell(*run, "--pool", "8", "--updates", "4", "--optimizer", "sgd")
    assert code == 1
    assert "not identified" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--batch-size"),
        (("--batch-size", "0"), "at least 1"),
        (("--batch-size", "9999"), "more samples"),
        (("--batch-size", "4", "--optimizer", "adamx"), "adamw"),
        (("--batch-size", "4", "--optimizer", "softsignsgd"), "epsilon"),
        (("--batch-size", "4", "--checkpoint", "none"), "is no file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], words: str, shell: Shell) -> None:
    """Rung: closed form (a table of wrong uses and what their refusal says)."""
    network = () if "--checkpoint" in arguments else ("--steps", "1", *TINY)
    code, out, error = shell("lr-find", "--text", "prose.txt", *network, *arguments)
    assert code == 2 and out == ""
    last = error.strip().splitlines()[-1]
    assert last.startswith("error: ") and words in last


@pytest.mark.parametrize(
    "wrong", [("--batch-size", "0"), ("--batch-size", "600"), ("--updates", "3")], ids=" ".join
)
def test_wrong_numbers_are_refused_before_the_training(
    wrong: tuple[str, str], shell: Shell
) -> None:
    """Rung: closed form (no word of a training in what is said)."""
    given = {"--batch-size": "4", **dict([wrong])}
    asked = [word for pair in given.items() for word in pair]
    code, out, error = shell("lr-find", "--text", "prose.txt", "--steps", "1", *TINY, *asked)
    assert (code, out) == (2, "")
    assert "training" not in error and error.count("\n") == 1
