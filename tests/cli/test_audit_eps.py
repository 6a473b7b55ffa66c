"""`scaling-theory audit-eps` from the shell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical.statistics_files import Vectors, write_statistics
from tests.conftest import Shell
from tests.transfer.surfaces import checkpoint, saved

PURE = ("audit-eps", "--gradient-over-epsilon", "0.02", "--sigma-over-epsilon", "30")


@pytest.fixture
def stats(tmp_path: Path) -> str:
    statistics, _ = checkpoint()
    vectors = Vectors(statistics.gradient, np.sqrt(statistics.variance))
    write_statistics(tmp_path / "stats", saved(), vectors)
    write_statistics(tmp_path / "bare", saved())
    return str(tmp_path / "stats")


def asked(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, out, err = shell(*arguments, "--json")
    assert (code, err) == (0, "")
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_vectors_at_every_batch_and_model_size(shell: Shell, stats: str) -> None:
    """Rung: brute force. Shares counted over the saved coordinates."""
    statistics, _ = checkpoint()
    answer = asked(
        shell,
        *("audit-eps", "--stats", stats, "--epsilon", "0.5"),
        *("--batch-size", "1seq", "--batch-size", "4096tok"),
        *("--model-scale", "1", "--model-scale", "100"),
    )
    assert len(answer["places"]) == 4
    for place in answer["places"]:
        v = (statistics.gradient**2 + statistics.variance / place["batch_size"]) / place[
            "model_scale"
        ]
        assert place["fraction_root_v_below_epsilon"] == pytest.approx(np.mean(np.sqrt(v) < 0.5))
    # 4096 tokens are 64 sequences of the statistics' 64 tokens.
    assert {place["batch_size"] for place in answer["places"]} == {1.0, 64.0}
    assert answer["epsilon_batch"] == pytest.approx(np.mean(statistics.variance) / 0.25)


def test_pure_numbers(shell: Shell) -> None:
    """Rung: closed form. One sigma: B_eps = 900, sign-like below it and SGD-like above."""
    answer = asked(shell, *PURE, "--batch-size", "9seq", "--batch-size", "90000seq")
    assert answer["epsilon_batch"] == pytest.approx(900)
    assert [place["regime"] for place in answer["places"]] == ["sign-like", "SGD-like"]
    # g/epsilon of 0.02 moves the edge by 4e-4 relatively, at most 9 times that in the tail.
    assert answer["sign_like_up_to_batch"] == pytest.approx(900, rel=4e-3)


@pytest.mark.parametrize(("regime", "code"), [("sign-like", 0), ("SGD-like", 1)])
def test_an_expectation_sets_the_exit_code(shell: Shell, regime: str, code: int) -> None:
    """Rung: closed form. 1 where the regime is not the one expected, and still the answer."""
    found, out, err = shell(*PURE, "--batch-size", "9seq", "--expect", regime)
    assert (found, err) == (code, "")
    assert "sign-like" in out


def test_zero_epsilon_never_acts(shell: Shell, stats: str) -> None:
    """Rung: closed form. Infinity is a word in JSON and in the text."""
    options = ("audit-eps", "--stats", stats, "--epsilon", "0", "--batch-size", "64seq")
    answer = asked(shell, *options)
    assert answer["epsilon_batch"] == "inf"
    assert answer["places"][0]["regime"] == "sign-like"
    assert "infinity" in shell(*options)[1]


STATS = "STATS"
HUGE = ("audit-eps", "--batch-size", "4seq", "--gradient-over-epsilon")
REFUSED: dict[str, tuple[Sequence[str], str]] = {
    "nothing": (("audit-eps", "--batch-size", "4seq"), "nothing to audit"),
    "no batch": (PURE, "no batch size"),
    "no epsilon": (("audit-eps", "--stats", STATS, "--batch-size", "4seq"), "no epsilon"),
    "both": ((*PURE, "--stats", STATS, "--batch-size", "4seq"), "one or the other"),
    "epsilon twice": ((*PURE, "--epsilon", "1", "--batch-size", "4seq"), "--stats"),
    "tokens without a length": ((*PURE, "--batch-size", "65536tok"), "--seq-len"),
    "no vectors": (
        ("audit-eps", "--stats", "bare", "--epsilon", "1", "--batch-size", "4seq"),
        "no vectors.safetensors",
    ),
    "bare batch": (
        ("audit-eps", "--stats", STATS, "--epsilon", "1", "--batch-size", "4"),
        "write 4seq",
    ),
    "bare among united": ((*PURE, "--batch-size", "4seq", "--batch-size", "5"), "no unit"),
    "zero batch": ((*PURE, "--batch-size", "0seq"), "above 0"),
    "negative epsilon": (
        ("audit-eps", "--stats", STATS, "--epsilon", "-1", "--batch-size", "4seq"),
        "epsilon is -1",
    ),
    "nan epsilon": (
        ("audit-eps", "--stats", STATS, "--epsilon", "nan", "--batch-size", "4seq"),
        "epsilon is nan",
    ),
    "zero scale": ((*PURE, "--batch-size", "4seq", "--model-scale", "0"), "model scale"),
    "huge gradient": ((*HUGE, "1e300", "--sigma-over-epsilon", "1"), "rms gradient is 1e+300; at"),
    "huge sigma": ((*HUGE, "1", "--sigma-over-epsilon", "1e300"), "rms sigma is 1e+300; at most"),
    "huge spread": (
        (*PURE, "--batch-size", "4seq", "--sigma-spread", "1e9"),
        "sigma spread is 1e+09; at most 10",
    ),
    "huge epsilon": (
        ("audit-eps", "--stats", STATS, "--epsilon", "1e300", "--batch-size", "4seq"),
        "epsilon is 1e+300; at most",
    ),
    "huge scale": ((*PURE, "--batch-size", "4seq", "--model-scale", "1e308"), "model scale is"),
    "tiny batch": ((*PURE, "--batch-size", "1e-308seq"), "batch size is 1e-308; 1e-30 to 1e+30"),
    "unknown regime": ((*PURE, "--batch-size", "4seq", "--expect", "odd"), "--expect is 'odd'"),
    "another length": (
        ("audit-eps", "--stats", STATS, "--epsilon", "1", "--batch-size", "4seq", "--seq-len", "8"),
        "leave --seq-len out",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_use_is_refused_in_one_line(
    shell: Shell, stats: str, arguments: Sequence[str], words: str
) -> None:
    """Rung: closed form. Exit code 2, one line on stderr, nothing on stdout."""
    code, out, err = shell(*(stats if part == STATS else part for part in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err


def test_help_shows_an_example(shell: Shell) -> None:
    """Rung: closed form. --help ends well and shows a whole command."""
    code, out, _ = shell("audit-eps", "--help")
    assert code == 0
    assert "scaling-theory audit-eps --stats" in out


def test_tokens_are_the_sequences_that_they_make(shell: Shell) -> None:
    """Rung: closed form. 65,536 tokens in sequences of 1,024 are 64 sequences: same regime."""
    asked = [("64seq",), ("65536tok", "--seq-len", "1024")]
    found = [json.loads(shell(*PURE, "--json", "--batch-size", *each)[1]) for each in asked]
    places = [{**each["places"][0], "batch_size_text": ""} for each in found]
    assert places[0] == places[1]
