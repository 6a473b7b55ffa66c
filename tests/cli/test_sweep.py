"""`sweep` from the shell: plan, run, status, resume, retry and export, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from empirical.train.checkpoint_files import write_checkpoint
from empirical.train.configuration import NetworkConfig
from empirical.train.network import build_network
from tests.conftest import Shell

NETWORK = "[network]\ncontext = 8\nwidth = 8\ndepth = 1\nheads = 2\n"
TOP = """\
text = ["text.txt"]
out = "runs/tiny"
batch_sizes = [2, 4]
seeds = 2
heldout_sequences = 16
replicas = "off"
"""
GRID = """\
[budget]
tokens = 640
[[optimizers]]
name = "softsignsgd"
epsilon = [0.0, 1e-3]
[learning_rates.grid]
from = 0.01
to = 0.02
per_octave = 1
[executor]
workers = 1
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A grid of 2 batch sizes, 2 epsilons, 2 learning rates and 2 seeds, in an empty directory."""
    text = "".join(f"line {n}: {n * n % 97} and so on\n" for n in range(300))
    (tmp_path / "text.txt").write_text(text)
    path = tmp_path / "sweep.toml"
    path.write_text(TOP + NETWORK + GRID)
    return path


def test_a_sweep_from_plan_to_table(shell: Shell, sweep: Path, tmp_path: Path) -> None:
    """Closed form: 16 runs are planned, computed once, found again and exported."""
    code, out, err = shell("sweep", "plan", "sweep.toml", "--json")
    assert code == 0, err
    planned = json.loads(out)
    assert planned["cost"]["expected"]["runs"] == 16
    assert planned["cost"]["expected"]["tokens"] == 16 * 640
    assert [cell["steps"] for cell in planned["cells"]] == [40, 40, 20, 20]
    assert not (tmp_path / "runs/tiny/store.sqlite").exists()

    code, out, err = shell("sweep", "run", "sweep.toml")
    assert code == 0, err
    assert "4 of 4 cells have ended" in out
    assert "next: scaling-theory sweep export runs/tiny" in out

    # Begun once, it is gone on with: nothing is computed again, by either name.
    first = (tmp_path / "runs/tiny/store.sqlite").read_bytes()
    assert shell("sweep", "run", "sweep.toml")[0] == 0
    code, out, err = shell("sweep", "resume", "runs/tiny", "--json")
    assert code == 0, err
    assert json.loads(out)["runs"] == 16
    assert len(first) == len((tmp_path / "runs/tiny/store.sqlite").read_bytes())

    code, out, _ = shell("sweep", "status", "sweep.toml", "--json")
    status = json.loads(out)
    assert (code, status["complete"], status["failed"]) == (0, True, [])
    assert status["states"] == {"finished": 16}
    assert len(status["optima"]) == 4

    code, out, _ = shell("sweep", "retry", "runs/tiny")
    assert (code, out) == (0, "nothing had failed\n")

    code, out, _ = shell("sweep", "export", "runs/tiny", "--out", "table.csv", "--json")
    assert (code, json.loads(out)) == (0, {"table": "table.csv", "rows": 16})
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["group"] for row in rows} == {"softsignsgd tokens=640"}
    assert {(row["batch_size"], row["eps"], row["lr"], row["seed"]) for row in rows} == {
        (batch, epsilon, rate, seed)
        for batch in ("2", "4")
        for epsilon in ("0.0", "0.001")
        for rate in ("0.01", "0.02")
        for seed in ("0", "1")
    }


def test_failed_runs_are_named_and_tried_again(shell: Shell, sweep: Path, tmp_path: Path) -> None:
    """Closed form: the text is lost after planning; back again, everything is computed."""
    assert shell("sweep", "plan", "sweep.toml")[0] == 0
    text = (tmp_path / "text.txt").read_text()
    (tmp_path / "text.txt").unlink()
    code, out, _ = shell("sweep", "run", "sweep.toml")
    assert code == 1
    assert "failed, 16 runs: the text " in out
    assert "text.txt does not exist" in out
    assert "next: scaling-theory sweep retry runs/tiny" in out
    code, out, _ = shell("sweep", "status", "runs/tiny", "--json")
    assert (code, len(json.loads(out)["failed"])) == (0, 16)
    (tmp_path / "text.txt").write_text(text)
    assert shell("sweep", "resume", "runs/tiny")[0] == 1
    code, out, _ = shell("sweep", "retry", "runs/tiny", "--json")
    assert (code, json.loads(out)) == (0, {"retried_units": 16})
    code, out, err = shell("sweep", "resume", "runs/tiny")
    assert code == 0, err
    assert "runs: 16 finished" in out


def test_a_folder_takes_one_sweep(shell: Shell, sweep: Path, tmp_path: Path) -> None:
    """Closed form: another sweep into a begun folder is refused, another executor is not."""
    (tmp_path / "runs/tiny").mkdir(parents=True)
    assert shell("sweep", "plan", "sweep.toml")[0] == 0
    (tmp_path / "runs/tiny/results").mkdir()
    sweep.write_text((TOP + NETWORK + GRID).replace("workers = 1", "workers = 2"))
    assert shell("sweep", "plan", "sweep.toml")[0] == 0
    sweep.write_text((TOP + NETWORK + GRID).replace("seeds = 2", "seeds = 3"))
    code, _, err = shell("sweep", "run", "sweep.toml")
    assert code == 2
    assert "runs/tiny holds another sweep than sweep.toml asks for" in err


REFUSED: dict[str, tuple[tuple[str, str], str]] = {
    "a batch larger than the text": (
        ("[2, 4]", "[2, 1280]"),
        "got a batch size of 1280 sequences of 8 tokens, 10240 in all, from a text with",
    ),
    "tokens that are no whole steps": (("[2, 4]", "[2, 3]"), "26.67 steps of 3 sequences"),
    "more held-out sequences than there are": (
        ("heldout_sequences = 16", "heldout_sequences = 5000"),
        "got 5000 held-out sequences, the text has",
    ),
    "a text that is not there": (("text.txt", "no.txt"), "the text no.txt does not exist"),
    "statistics that are not there": (
        ("seeds = 2", 'seeds = 2\nstatistics = "none"'),
        "none/statistics.json does not exist",
    ),
    "a checkpoint of another network": (
        ("seeds = 2", 'seeds = 2\nstart = { checkpoint = "model.safetensors" }'),
        "the checkpoint model.safetensors holds the network",
    ),
    "an unknown optimizer": (("softsignsgd", "softsign"), "perhaps 'softsignsgd' was meant"),
    "a learning rate of 0": (("from = 0.01", "from = 0"), "got 0 for learning_rates.grid.from"),
    "an option of no engine": (
        ("workers = 1", 'options = { partition = "gpu" }'),
        "got the option partition for the executor local",
    ),
    "a slip in an option of Slurm": (
        ("workers = 1", 'name = "slurm"\noptions = { partiton = "gpu" }'),
        "perhaps 'partition' was meant",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_at_plan(
    name: str, shell: Shell, sweep: Path, tmp_path: Path
) -> None:
    """Closed form: exit code 2, one line, and nothing is written."""
    (old, new), message = REFUSED[name]
    text = TOP + NETWORK + GRID
    assert old in text
    sweep.write_text(text.replace(old, new))
    other = build_network(NetworkConfig(context=8, width=16, depth=1, heads=2), 0)
    write_checkpoint(tmp_path / "model.safetensors", other, {})
    code, out, err = shell("sweep", "plan", "sweep.toml")
    assert (code, out) == (2, "")
    last = err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert not (tmp_path / "runs").exists()


def test_why_nothing_is_compiled_is_said(
    shell: Shell, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed form: no compiler, no kernels; the plan goes on and says why, in text and JSON."""
    from empirical.train.stacked.kernels.build import library

    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.cache_clear()
    sweep.write_text((TOP + NETWORK + GRID).replace('replicas = "off"', "replicas = 2"))
    code, out, err = shell("sweep", "plan", "sweep.toml", "--json")
    library.cache_clear()
    assert code == 0, err
    planned = json.loads(out)
    assert "no-such-compiler is not installed" in planned["compiled_missing"]
    ways = planned["computing"].values()
    assert all(way["compiled_missing"] == planned["compiled_missing"] for way in ways)
    assert all(way["path"] == "stacked" for way in ways)
    (tmp_path / "runs/tiny/results").mkdir()  # begun: the same plan is told again
    code, out, err = shell("sweep", "plan", "sweep.toml")
    assert code == 0, err
    assert "no compiled stacks were tried: the path stacked-compiled wants a C compiler" in out


def test_a_plan_of_another_planner_is_said(
    shell: Shell, sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed form: not begun, it is planned anew; begun, it goes on and says what may differ."""
    from empirical.sweep import planned

    def version() -> int:
        plan = json.loads((tmp_path / "runs/tiny/plan.json").read_text())
        return int(plan["plan"]["planner_version"])

    assert shell("sweep", "run", "sweep.toml")[0] == 0
    assert version() == planned.PLANNER_VERSION
    monkeypatch.setattr(planned, "PLANNER_VERSION", planned.PLANNER_VERSION + 1)
    words = "was made for version 1 of the planner, this program has version 2"
    code, out, err = shell("sweep", "status", "runs/tiny")
    assert code == 0, err
    assert words in out
    code, _, err = shell("sweep", "resume", "runs/tiny")
    assert code == 0, err
    assert words in err
    assert version() == 1


@pytest.mark.slow
def test_the_shipped_sweep_in_its_tiny_form(shell: Shell, tmp_path: Path) -> None:
    """Closed form: the commands of the example, adaptive, from plan to verdicts."""
    example = str(Path(__file__).parents[2] / "examples" / "sweep_tiny.toml")
    code, out, err = shell("sweep", "plan", example)
    assert code == 0, err
    assert "cost expected: 40 runs" in out
    code, out, err = shell("sweep", "run", example, "--json")
    assert code == 0, err
    ended = json.loads(out)
    assert ended["complete"]
    assert ended["cells_ended"] == 4
    assert shell("sweep", "export", "runs/sweep_tiny")[0] == 0
    table = tmp_path / "runs/sweep_tiny/table.csv"
    assert len(table.read_text().splitlines()) == ended["runs"] + 1
    code, _, err = shell("fit", str(table))
    assert code == 2 and "measure at least 3 batch sizes" in err
    assert shell("fit", str(table), "--choose", "square root")[0] == 0
    code, out, err = shell("validate", "runs/sweep_tiny", "--no-fits", "--json")
    assert code == 0, err
    judged = json.loads(out)["tables"]
    assert judged[0]["runs"] == ended["runs"]


def test_folders_that_are_no_sweeps_are_refused(shell: Shell, tmp_path: Path) -> None:
    """Closed form: exit code 2 and the next command."""
    for verb in ("resume", "status", "retry", "export"):
        code, _, err = shell("sweep", verb, "nowhere")
        assert code == 2
        assert "nowhere is no folder of a sweep" in err
        (tmp_path / "empty").mkdir(exist_ok=True)
        code, _, err = shell("sweep", verb, "empty")
        assert code == 2
        assert "empty holds no sweep" in err


def test_a_name_too_long_for_the_disk_is_refused(shell: Shell, sweep: Path) -> None:
    """Closed form: one line and exit code 2, as `out` of a file and as a folder that is asked."""
    long = "y" * 300
    sweep.write_text(sweep.read_text().replace("runs/tiny", long))
    for verb in ("plan", "run"):
        code, _, err = shell("sweep", verb, "sweep.toml")
        assert (code, err.count("\n")) == (2, 1)
        assert f"{long} cannot be read (File name too long); name another folder" in err
    code, _, err = shell("sweep", "status", long)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{long} is no folder of a sweep" in err
