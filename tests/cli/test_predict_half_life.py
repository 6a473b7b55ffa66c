"""`scaling-theory predict` with half-lives in tokens for betas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Shell

TUNED = ("--from-lr", "3e-4", "--from-batch-size", "16seq", "--batch-size", "1seq")
LONG = ("--seq-len", "512")


def _answer(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, out, err = shell("predict", *TUNED, *LONG, "--json", *arguments)
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def test_a_half_life_is_the_beta_of_the_tuned_batch(shell: Shell) -> None:
    """Closed form: 10 million tokens at 16 sequences of 512 are 2^(-8192/10^7)."""
    beta = 2 ** (-16 * 512 / 10e6)
    by_half_life = _answer(shell, "--beta2-half-life", "10Mtok", "--beta1", "0.9")
    by_beta = _answer(shell, "--beta2", repr(beta), "--beta1", "0.9")
    assert by_half_life == by_beta
    # Negative control: another half-life, another answer; the published digits at one sequence.
    assert _answer(shell, "--beta2-half-life", "9Mtok", "--beta1", "0.9") != by_beta
    assert "0.99996" in json.dumps(by_half_life)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            (*TUNED, *LONG, "--beta2", "0.95", "--beta2-half-life", "10Mtok"),
            "--beta2 and --beta2-half-life came",
        ),
        ((*TUNED, "--beta1-half-life", "10Mtok"), "without a sequence length"),
        ((*TUNED, *LONG, "--beta1-half-life", "20seq"), "in 'seq'; tokens are wanted"),
        ((*TUNED, *LONG, "--beta1-half-life", "0"), "not above 0"),
    ],
)
def test_wrong_use_is_one_line(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    """Closed form: exit code 2 and a line that says what came and what was wanted."""
    code, out, err = shell("predict", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err
