"""`scaling-theory validate` from the shell: verdicts, what is held fixed, files, refusals."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empirical.statistics_files import write_statistics
from tests.conftest import Shell
from tests.transfer.surfaces import saved

PUBLIC = Path(__file__).parents[2].parent / "shared" / "data"
OWN = Path(__file__).parents[2] / "notebooks" / "data" / "branch_tokens.csv"
HEADING = (
    "run_id", "group", "optimizer", "batch_size", "batch_unit", "seq_len", "lr", "eps", "loss",
    "diverged", "tokens", "steps", "source",
)  # fmt: skip
BATCHES = (4, 16, 64, 256)
TOKENS, STEPS = 64 * 1024, 50


def write_runs(path: Path, rate: Callable[[float, float], float], epsilons: Sequence[float]) -> str:
    """Runs at fixed tokens and at fixed steps, nine half-octaves each, noise 1e-4 nats."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADING)
        for group in ("tokens", "steps"):
            for eps in epsilons:
                for batch in BATCHES:
                    steps = TOKENS // (64 * batch) if group == "tokens" else STEPS
                    centre = rate(batch, eps)
                    for half in range(-4, 5):
                        lr = centre * 2 ** (half / 2 + 0.1)
                        loss = 3 + 0.05 * log(lr / centre) ** 2 + 1e-4 * rng.standard_normal()
                        name = f"{group}-{eps}-{batch}-{half}"
                        row = (name, f"softsignsgd {group}", "softsignsgd", batch, "sequences", 64)
                        writer.writerow(
                            (*row, lr, eps, loss, False, batch * steps * 64, steps, "start7")
                        )
    return str(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The square root rule at two epsilons."""
    path = tmp_path_factory.mktemp("runs") / "runs.csv"
    return write_runs(path, lambda batch, eps: 1e-3 * batch**0.5, (0.0, 0.01))


@pytest.fixture(scope="module")
def one_step(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Three times the greedy step of saved statistics, and their directory."""
    folder = tmp_path_factory.mktemp("stats")
    write_statistics(folder / "stats", saved())
    surface = saved().surface
    epsilons = tuple(float(each) for each in surface.epsilons[[0, 5]])

    def rate(batch: float, eps: float) -> float:
        return 3 * surface.eta1(batch, eps, "correlated").step.learning_rate.value

    return write_runs(folder / "runs.csv", rate, epsilons), str(folder / "stats")


def asked(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, out, err = shell("validate", *arguments, "--no-fits", "--json")
    assert (code, err) == (0, "")
    answer: dict[str, Any] = json.loads(out)
    return answer


def verdicts(record: dict[str, Any], held: str) -> dict[str, str]:
    (only,) = record["tables"]
    return {v["claim"]: v["verdict"] for v in only["verdicts"] if v["held_fixed"] == held}


def test_rules_are_judged_at_fixed_tokens_and_at_fixed_steps(shell: Shell, table: str) -> None:
    """Rung: planted truth. The square root rule agrees, linear and keep do not, in both kinds."""
    record = asked(shell, table)
    assert (record["schema"], record["schema_version"]) == ("scaling-theory/validate", 1)
    (only,) = record["tables"]
    assert [each["held_fixed"] for each in only["slices"]] == ["tokens"] * 2 + ["steps"] * 2
    for held in ("tokens", "steps"):
        found = verdicts(record, held)
        for ending in ("whole range", "neighbours"):
            assert found[f"square root rule, {ending}"] == "agrees"
            assert found[f"linear rule, {ending}"] == "disagrees"
            assert found[f"keep, {ending}"] == "disagrees"
        assert found["eta* falls at the largest batches"] == "disagrees"
        assert found["greedy step, correlated noise"] == "not judged"
    for verdict in only["verdicts"]:
        if verdict["verdict"] != "not judged":
            assert verdict["cells"] > 0 and verdict["source"] and verdict["statement"]
    rows = {v["claim"]: v for v in only["verdicts"] if v["held_fixed"] == "steps"}
    linear = rows["linear rule, whole range"]
    # Two slices of four cells, slope off by 1/2 over 2 octaves each: sd of 0, ln 2, ln 4, ln 8.
    assert linear["number"]["value"] == pytest.approx(2 ** np.sqrt(5 / 3), rel=0.02)
    assert linear["number"]["factor"] and linear["regret_nats"]["mean"] > 0.01
    assert len(linear["parts"]) == 2


def test_statistics_judge_the_one_step_theories(shell: Shell, one_step: tuple[str, str]) -> None:
    """Rung: planted truth. One factor agrees, the value itself does not; WORD= picks the runs."""
    runs, stats = one_step
    record = asked(shell, runs, "--stats", stats)
    for held in ("tokens", "steps"):
        found = verdicts(record, held)
        assert found["greedy step, correlated noise"] == "disagrees"
        assert found["greedy step, correlated noise, one factor"] == "agrees"
        assert found["greedy step, correlated noise, one factor over epsilon"] == "agrees"
        assert found["correlated nearer than independent"] in ("agrees", "cannot tell")
    predicted = record["tables"][0]["slices"][0]["predictions"]["greedy step, correlated noise"]
    measured = record["tables"][0]["slices"][0]["cells"]
    for there, here in zip(predicted, measured, strict=True):
        assert here["learning_rate"] == pytest.approx(3 * there["learning_rate"], rel=0.05)
    named = asked(shell, runs, "--stats", f"start7={stats}")
    assert named["tables"][0]["verdicts"] == record["tables"][0]["verdicts"]
    other = verdicts(asked(shell, runs, "--stats", f"start8={stats}"), "steps")
    assert other["greedy step, correlated noise"] == "not judged"


def test_files_are_written_and_text_is_aligned(
    shell: Shell, one_step: tuple[str, str], tmp_path: Path
) -> None:
    """Rung: closed form. Record, page, one figure per kind; the page's tables have equal rows."""
    runs, stats = one_step
    out = tmp_path / "validate"
    code, text, err = shell(
        "validate", runs, "--stats", stats, "--no-fits", "--out", str(out), "--all"
    )
    assert (code, err) == (0, "")
    names = {path.name for path in out.iterdir()}
    figures = {f"runs_{held}.{form}" for held in ("tokens", "steps") for form in ("png", "svg")}
    assert names == {"validate.json", "verdicts.md", *figures}
    assert (out / "runs_steps.png").read_bytes().startswith(b"\x89PNG")
    assert "fixed steps, softsignsgd, 2 slice(s)" in text
    assert "not judged, left out by --no-fits: fitted law" in text
    page = (out / "verdicts.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("|")]
    # The overview has a column per kind of slice, the others have five beside the claim.
    assert [line.count(" | ") for line in lines[:3]] == [2, 2, 2]
    assert {line.count(" | ") for line in lines} == {2, 5}
    assert "| fixed tokens, softsignsgd | fixed steps, softsignsgd |" in lines[0]
    assert "| **agrees** |" in page
    code, _, err = shell("validate", runs, "--no-fits", "--out", str(out))
    assert code == 2 and "--overwrite" in err


def test_laws_of_fit_are_judged_and_shown_in_short(
    shell: Shell, table: str, tmp_path: Path
) -> None:
    """Rung: planted truth. A law fitted to the runs is no test on them; on others it is one."""
    law = tmp_path / "law.json"
    code, _, _ = shell(
        "fit", table, "--law", "square root", "--choose", "square root [shared]",
        "--law-out", str(law),
    )  # fmt: skip
    assert code == 0
    record = asked(shell, table, "--law", str(law))
    held = {each["verdict"] for each in record["tables"][0]["verdicts"]
            if each["claim"] == "law file, intervals"}  # fmt: skip
    assert held == {"cannot tell", "not judged"}


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no table": (("missing.csv",), "missing.csv cannot be read"),
    "no sweep": (("FOLDER",), "without a sweep"),
    "no statistics": (("TABLE", "--stats", "nowhere"), "statistics.json does not exist"),
    "statistics twice": (("TABLE", "--stats", "STATS", "--stats", "STATS"), "came twice"),
    "no law": (("TABLE", "--law", "law.json"), "law.json does not exist"),
    "nothing to hold": (("TABLE", "--hold", "warmpu"), "--hold is 'warmpu', which no run has"),
    "column": (("TABLE", "--column", "lr"), "OURS=THEIRS"),
    "noise": (("TABLE", "--noise", "0"), "--noise is 0"),
    "preset": (("TABLE", "--preset", "comet"), "preset 'comet' is unknown"),
    "one name twice": (("TABLE", "TABLE", "--out", "out"), "two tables are called runs"),
    "nothing": ((), "TABLE"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(
    shell: Shell, one_step: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Rung: closed form. Exit code 2 and one line that says what to do."""
    words = {"TABLE": one_step[0], "STATS": one_step[1], "FOLDER": str(tmp_path)}
    code, out, err = shell("validate", *(words.get(each, each) for each in arguments))
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_help_says_that_a_verdict_is_no_failure(shell: Shell) -> None:
    """Rung: closed form."""
    code, out, _ = shell("validate", "--help")
    assert code == 0
    assert "Exit code 0 whatever the verdicts are" in re.sub(r"\s+", " ", out)


def test_own_runs_at_fixed_tokens(shell: Shell) -> None:
    """Rung: recovery in own data. 588 runs, eight slices at fixed tokens; the square root rule
    over the whole range is off by more than the tolerance, and nothing is called fixed steps.
    """
    record = asked(shell, str(OWN))
    (only,) = record["tables"]
    assert (only["runs"], len(only["slices"]), only["cells"]) == (588, 8, 40)
    assert {each["held_fixed"] for each in only["slices"]} == {"tokens"}
    found = {
        v["optimizer"]: v["verdict"]
        for v in only["verdicts"]
        if v["claim"] == "square root rule, whole range"
    }
    assert found == {"adamw": "disagrees", "softsignsgd": "disagrees"}


@pytest.mark.skipif(not PUBLIC.exists(), reason="public sweeps are not beside the checkout")
def test_public_mixture_of_experts_crosses_at_fixed_steps(shell: Shell) -> None:
    """Rung: recovery in public data. D of 2, 4 and 8 G tokens with batches of powers of two: slices
    at fixed steps come out of a table of fixed tokens, and are judged apart.
    """
    record = asked(shell, str(PUBLIC / "steplaw_moe.csv"))
    (only,) = record["tables"]
    kinds = [each["held_fixed"] for each in only["slices"]]
    assert kinds.count("tokens") == 16 and kinds.count("steps") >= 12
    assert verdicts(record, "tokens")["linear rule, whole range"] == "disagrees"
