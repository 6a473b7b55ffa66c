"""Wrong use of `demo`: one line on stderr, exit code 2, nothing written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Shell


@dataclass(frozen=True)
class Case:
    """A command line and the words that its one line of refusal must hold, in order."""

    name: str
    arguments: tuple[str, ...]
    words: tuple[str, ...]


TINY = ("demo", "--preset", "tiny")

# Refused by what was typed alone, or by a look at --out.
AT_THE_EDGE = (
    Case("unknown verb", ("dmeo",), ("No such command 'dmeo'", "'demo'")),
    Case("no verb", (), ("Missing command", "--help")),
    Case("unknown option", ("demo", "--batchsize", "4"), ("No such option", "--batch-size")),
    Case("not a number", ("demo", "--steps", "many"), ("--steps", "integer")),
    Case("option without value", ("demo", "--steps"), ("--steps", "requires an argument")),
    Case("unknown key", ("demo", "--config", "typo.toml"), ("'epsilonratio'", "epsilon_ratio")),
    Case("no settings", ("demo", "--config", "none.toml"), ("none.toml", "name a TOML file")),
    Case("settings not TOML", ("demo", "--config", "prose.txt"), ("prose.txt", "not TOML")),
    Case("unknown preset", ("demo", "--preset", "huge"), ("'huge'", "'default' or 'tiny'")),
    Case("B = 0", ("demo", "--batch-size", "0"), ("got 0", "--batch-size", "equal to 1")),
    Case("B = -4", ("demo", "--batch-size", "-4"), ("got -4", "--batch-size")),
    Case("negative epsilon", ("demo", "--epsilon-ratio", "-0.1"), ("got -0.1", "equal to 0")),
    Case("infinite epsilon", ("demo", "--epsilon-ratio", "inf"), ("got inf", "finite")),
    Case("NaN epsilon", ("demo", "--epsilon-ratio", "nan"), ("--epsilon-ratio",)),
    Case("zero rate", ("demo", "--lr", "0"), ("--lr", "greater than 0")),
    Case("heads", ("demo", "--heads", "3"), ("3 heads", "divisor of the width")),
    Case("late early step", (*TINY, "--early-step", "60"), ("early_step 60", "lower")),
    Case("no context", ("demo", "--context", "0"), ("--context", "equal to 1")),
    Case("pool of five", ("demo", "--pool", "5"), ("--pool", "equal to 6")),
    Case("memory", ("demo", "--max-memory", "lots"), ("'lots'", "2GB")),
    Case("optimizer", ("demo", "--optimizer", "adam"), ("'adam'", "'adamw'")),
    Case(
        "out below a file", (*TINY, "--out", "prose.txt/run"), ("prose.txt", "is a file", "--out")
    ),
    Case("out is a file", (*TINY, "--out", "prose.txt"), ("prose.txt", "is a file", "--out")),
    Case("out where nothing can be made", (*TINY, "--out", "/proc/x/run"), ("/proc", "--out")),
    Case("out holds other files", (*TINY, "--out", "other", "--overwrite"), ("other", "--out")),
    Case("existing out", (*TINY, "--out", "other"), ("other", "--overwrite")),
)

# Refused once the text is read, the device is asked for, or the training has failed.
IN_THE_WORK = (
    Case("missing text", (*TINY, "--text", "none.txt"), ("none.txt", "does not exist", "name")),
    Case("empty text", (*TINY, "--text", "empty.txt"), ("empty.txt", "empty", "name")),
    Case("text is a directory", (*TINY, "--text", "other"), ("directory", "other", "name")),
    Case("too short a text", (*TINY, "--text", "short.txt"), ("bytes", "context", "longer text")),
    Case(
        "context longer than the text",
        (*TINY, "--text", "prose.txt", "--context", "5000"),
        ("bytes", "context of 5000", "shorter context"),
    ),
    Case("loss is NaN", (*TINY, "--lr", "1e30", "--warmup-steps", "0"), ("loss", "lower")),
)


@pytest.fixture(autouse=True)
def things_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "prose.txt").write_text("It is a truth universally acknowledged. " * 100)
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "typo.toml").write_text("epsilonratio = 0.1\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious.txt").write_text("not ours")


def snapshot(directory: Path) -> dict[str, bytes | None]:
    """Every path below `directory` with its content."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def check_refusal(case: Case, shell: Shell, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    code, _, error = shell(*case.arguments)
    assert code == 2, error
    last = error.rstrip("\n").splitlines()[-1]
    assert last.startswith("error: ")
    assert "Traceback" not in error
    assert re.search(".*".join(map(re.escape, case.words)), last), last
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("case", AT_THE_EDGE, ids=lambda case: case.name)
def test_what_was_typed_is_refused(case: Case, shell: Shell, tmp_path: Path) -> None:
    """Rung: closed form (a table of wrong uses and what their refusal says)."""
    check_refusal(case, shell, tmp_path)


def test_the_refusal_is_the_only_line(shell: Shell) -> None:
    """Rung: closed form (stdout stays empty, stderr has one line)."""
    for case in AT_THE_EDGE:
        _, out, error = shell(*case.arguments)
        assert (out, error.count("\n")) == ("", 1), case.name


@pytest.mark.parametrize("case", IN_THE_WORK, ids=lambda case: case.name)
def test_what_was_given_is_refused(case: Case, shell: Shell, tmp_path: Path) -> None:
    """Rung: closed form (as above; the pipeline finds these)."""
    check_refusal(case, shell, tmp_path)


def test_a_device_that_is_not_here_is_refused(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rung: closed form (a machine without an accelerator, whatever machine this is)."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    case = Case("no cuda", (*TINY, "--device", "cuda"), ("cuda", "not available", "cpu"))
    check_refusal(case, shell, tmp_path)
