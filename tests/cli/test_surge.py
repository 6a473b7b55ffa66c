"""`scaling-theory surge` from the shell: verdicts, figures, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical.report.surge_files import NAMES
from empirical.statistics_files import write_statistics
from scaling_theory.grid_quantity import GridQuantity
from tests.conftest import Shell
from tests.transfer.surfaces import saved

ROOT = Path(__file__).parents[2]
PURE = ("surge", "--signal-to-noise", "0.05", "--curvature-ratio", "20")


@pytest.fixture
def stats(tmp_path: Path) -> str:
    write_statistics(tmp_path / "stats", saved())
    return str(tmp_path / "stats")


def asked(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, out, err = shell(*arguments, "--json")
    assert (code, err) == (0, "")
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_pure_numbers_show_the_surge_and_where_it_ends(shell: Shell) -> None:
    """Rung: planted. Independent noise and Q/T = 20 surge at small epsilon and not at large."""
    answer = asked(shell, *PURE)
    outcomes = {c["epsilon_over_rms_sigma"]: c["outcome"] for c in answer["curves"]}
    assert outcomes[0.0] == "yes"
    assert outcomes[1.0] == "no"
    low, high = answer["surge_vanishes_between_epsilons"]
    assert low <= answer["surge_vanishes_at_epsilon"] <= high
    ridge = [point for point in answer["ridge"] if point["outcome"] == "yes"]
    assert max(point["epsilon"] for point in ridge) == low
    # The peak moves to larger batches as epsilon grows.
    places = [point["peak_batch"] for point in ridge]
    assert places == sorted(places)
    assert answer["files"] == []


def test_noise_correlation_removes_the_surge(shell: Shell) -> None:
    """Rung: planted. The same network with strongly correlated noise has none."""
    answer = asked(shell, *PURE, "--noise-correlation", "300")
    assert {curve["outcome"] for curve in answer["curves"]} == {"no"}
    assert answer["surge_vanishes_at_epsilon"] is None


def test_statistics_at_the_epsilons_asked_for(shell: Shell, stats: str) -> None:
    """Rung: closed form. One curve per epsilon, ratio 1 at the largest measured batch."""
    answer = asked(shell, "surge", "--stats", stats, "--epsilon", "0", "--epsilon", "0.5")
    assert [curve["epsilon"] for curve in answer["curves"]] == [0.0, 0.5]
    for curve in answer["curves"]:
        assert curve["batch_sizes"][-1] == 1024
        assert curve["ratio_of_batch_size"][-1] == pytest.approx(1.0)
        assert curve["outcome"] in ("yes", "no", "cannot tell")
    independent = asked(shell, "surge", "--stats", stats, "--closure", "independent")
    assert "independent noise" in independent["source"]


@pytest.mark.parametrize("source", ["pure", "stats"])
def test_figures_are_written_once_and_replaced_when_asked(
    shell: Shell, stats: str, tmp_path: Path, source: str
) -> None:
    """Rung: closed form. Five files with the right first bytes; other files stay."""
    options = PURE if source == "pure" else ("surge", "--stats", stats)
    out = tmp_path / "figures"
    code, text, err = shell(*options, "--out", str(out))
    assert (code, err) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    for name in ("surge_curves", "surge_phase_map"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (out / f"{name}.svg").read_bytes()
    assert "surge?" in text
    (out / "mine.txt").write_text("kept")
    code, _, err = shell(*options, "--out", str(out))
    assert code == 2
    assert "add --overwrite" in err
    assert shell(*options, "--out", str(out), "--overwrite")[0] == 0
    assert (out / "mine.txt").read_text() == "kept"


def test_curves_without_a_minimum_are_named(shell: Shell, tmp_path: Path) -> None:
    """Rung: closed form. Some epsilons without a minimum say so, all of them refuse."""
    whole = saved().surface
    some = whole.signal.value.copy()
    some[:, 0] = -1e4
    for name, signal, expected in (("some", some, 0), ("all", np.full_like(some, -1e4), 2)):
        grid = replace(whole, signal=GridQuantity(signal, np.zeros_like(signal)))
        write_statistics(tmp_path / name, replace(saved(), surface=grid))
        # A mixed sign forbids logarithms: only measured cells are asked for.
        epsilons = [
            option for e in whole.epsilons[[0, 8]] for option in ("--epsilon", repr(float(e)))
        ]
        code, out, err = shell("surge", "--stats", str(tmp_path / name), "--json", *epsilons)
        assert code == expected
        if expected:
            assert "no minimum along this direction" in err
        else:
            first = json.loads(out)["curves"][0]
            assert first["outcome"] == "no minimum"
            assert "no minimum along this direction" in first["reason"]


STATS = "STATS"
REFUSED: dict[str, tuple[Sequence[str], str]] = {
    "nothing": (("surge",), "nothing to draw"),
    "half of it": (("surge", "--signal-to-noise", "0.1"), "nothing to draw"),
    "both": ((*PURE, "--stats", STATS), "one or the other"),
    "no square": (
        ("surge", "--signal-to-noise", "1e-300", "--curvature-ratio", "1"),
        "a number from 1e-50 to 1e+50 is wanted",
    ),
    "seed": ((*PURE, "--seed", "-1"), "--seed"),
    "negative curvature": (
        ("surge", "--signal-to-noise", "0.1", "--curvature-ratio", "-1"),
        "no minimum along this direction",
    ),
    "zero signal": (
        ("surge", "--signal-to-noise", "0", "--curvature-ratio", "1"),
        "signal-to-noise",
    ),
    "endless signal": (
        ("surge", "--signal-to-noise", "1e200", "--curvature-ratio", "1"),
        "from 1e-50 to 1e+50",
    ),
    "no signal to speak of": (
        ("surge", "--signal-to-noise", "1e-200", "--curvature-ratio", "1"),
        "from 1e-50 to 1e+50",
    ),
    "negative seed": ((*PURE, "--seed", "-1"), "--seed"),
    "negative epsilon": ((*PURE, "--epsilon", "-1"), "at least 0"),
    "nan epsilon": ((*PURE, "--epsilon", "nan"), "at least 0"),
    "infinite epsilon": ((*PURE, "--epsilon", "inf"), "finite"),
    "unknown spread": ((*PURE, "--signal-spread", "lumpy"), "lumpy"),
    "unknown closure": (("surge", "--stats", STATS, "--closure", "none"), "--closure is 'none'"),
    "missing statistics": (("surge", "--stats", "nowhere"), "does not exist"),
    "below a file": ((*PURE, "--out", "stats/statistics.json/out"), "cannot be written"),
    "on a file": ((*PURE, "--out", "stats/statistics.json"), "is a file"),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_use_is_refused_in_one_line(
    shell: Shell, stats: str, arguments: Sequence[str], words: str
) -> None:
    """Rung: closed form. Exit code 2, one line on stderr, nothing written."""
    code, out, err = shell(*(stats if part == STATS else part for part in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err
    assert not Path("runs").exists()


def test_numbers_alone_need_no_plotting_library(stats: str) -> None:
    """Rung: closed form (Python's own list of modules): --json without --out draws nothing."""
    script = (
        "import sys\n"
        "from empirical.cli.app import run\n"
        f"assert run({[*PURE, '--json']!r}) == 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert not {"matplotlib", "torch", "sympy"} & set(done.stderr.split())


def test_help_shows_an_example(shell: Shell) -> None:
    """Rung: closed form. --help ends well and shows a whole command."""
    code, out, _ = shell("surge", "--help")
    assert code == 0
    assert "scaling-theory surge --signal-to-noise" in out
