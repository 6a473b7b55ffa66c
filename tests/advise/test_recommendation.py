"""What follows from the measured cost of a step: optimizer, accumulation, and the whole answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from empirical.advise.accumulation import judge_accumulation
from empirical.advise.choice import optimizers_that_fit
from empirical.cli.app import run
from empirical.errors import UsageError
from empirical.measure.step_cost import measure_step_cost
from empirical.train.optimizer_configuration import AdamWConfig
from empirical.train.workload import Workload, workload_named

SHAPES = (("a.weight", (1000, 1000)), ("b.weight", (24,)))
COUNT = 1_000_024


def test_the_optimizer_is_the_first_that_fits() -> None:
    """Closed form: Adam keeps 4 numbers a parameter with gradient, momentum 3, SGD 2."""
    for numbers, wanted in ((4.1, "adam"), (3.1, "muon"), (2.1, "adafactor"), (2.0005, "sgd")):
        limit = round(numbers * 4 * COUNT)
        fits = [one.optimizer for one in optimizers_that_fit(SHAPES, 4, 0.0, limit) if one.fits]
        assert fits[0] == wanted
    assert not any(one.fits for one in optimizers_that_fit(SHAPES, 4, 1e9, 4 * 4 * COUNT))


def test_accumulation_by_hand() -> None:
    """Closed form: an update of 40 % of a step, B = B_noise: 30 % of the time for 2.5 x tokens."""
    known = judge_accumulation(8, 1.0, 0.4, 8.0, steps=4)
    assert known.time_saved == pytest.approx(0.3)
    assert known.tokens_factor == pytest.approx(2.5)
    assert not known.worth
    far_below = judge_accumulation(1, 1.0, 0.4, 1e6, steps=4)
    assert far_below.worth
    assert not judge_accumulation(8, 1.0, 0.01, None).worth


def workload() -> Workload:
    """Found by its name, as a user's would be."""
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(4, 1)
    return Workload(
        "a line",
        model,
        lambda model, batch: model(batch).square().mean(),
        lambda count: torch.randn(count, 4, generator=generator),
    )


def test_measuring_leaves_the_model_alone() -> None:
    """Identity: weights and gradients before and after; the bytes kept grow with the batch."""
    mine = workload()
    before = {name: weight.clone() for name, weight in mine.model.state_dict().items()}
    found = measure_step_cost(
        mine, AdamWConfig(), largest=4, limit_bytes=10**9, seconds=0.2, on_progress=lambda s: None
    )
    for name, weight in mine.model.state_dict().items():
        assert torch.equal(weight, before[name])
    assert all(p.grad is None for p in mine.model.parameters())
    assert next(times.batch_size for times in found.times) == 1
    # x [n, 4] of the product and its output [n, 1] of the square, float32
    assert found.bytes_per_sequence == (4 + 1) * 4
    assert found.update_seconds > 0


def test_memory_bounds_the_batch() -> None:
    """Closed form: 20 bytes a sample, room for 2 beyond parameters, gradients and state."""
    mine = workload()
    room = 4 * 5 * 4 + 2 * 20
    found = measure_step_cost(
        mine, AdamWConfig(), largest=64, limit_bytes=room, seconds=0.1, on_progress=lambda s: None
    )
    assert max(times.batch_size for times in found.times) <= 2


def test_the_verb_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """End to end: the built-in network in small, its record, its file and its figure."""
    small = ["--context", "8", "--width", "8", "--depth", "1", "--heads", "2", "--largest", "4"]
    out = tmp_path / "out"
    status = run(["recommend", *small, "--seconds", "0.5", "--json", "--out", str(out)])
    assert status == 0
    record = json.loads(capsys.readouterr().out)
    sizes = [row["batch_size"] for row in record["throughput"]["table"]]
    assert record["batch_size"]["sequences"] in sizes
    assert record["batch_size"]["tokens"] == 8 * record["batch_size"]["sequences"]
    assert record["optimizer"] == "adam" and record["learning_rate"] is None
    half_life = record["beta2"]["half_life_tokens"]
    steps = half_life / record["batch_size"]["tokens"]
    assert record["beta2"]["beta2"] ** steps == pytest.approx(0.5, rel=1e-6)
    assert json.loads((out / "recommend.json").read_text()) == record
    assert (out / "throughput.png").stat().st_size > 10_000


def test_a_batch_that_does_not_fit_is_not_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed form: into 1 KiB no optimizer fits, so that nothing is recommended in words or ink."""
    marked: list[str] = []
    monkeypatch.setattr(
        "empirical.report.figures.throughput.legend_below",
        lambda figure, artists: marked.extend(str(artist.get_label()) for artist in artists),
    )
    small = ["--context", "8", "--width", "8", "--depth", "1", "--heads", "2", "--largest", "4"]
    arguments = [*small, "--seconds", "0.5", "--memory", "1KiB", "--out", str(tmp_path / "out")]
    assert run(["recommend", *arguments]) == 0
    said = capsys.readouterr().out
    assert (
        "batch size     none fits into 9.54e-07 GiB; what follows is for 1 sequence = 8 tok" in said
    )
    assert "<" not in said
    assert marked and not [label for label in marked if "recommended" in label]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--fraction", "0"], "--fraction is 0"),
        (["--memory", "much"], "--memory is 'much'"),
        (["--memory", "0GiB"], "--memory is '0GiB'; more than nothing is wanted"),
        (["--optimizer", "adamx"], "one of"),
        (["--from-lr", "1e-3"], "belong together"),
        (["--workload", "nothing:here"], "cannot import nothing (ModuleNotFoundError"),
        (["--workload", "os:getcwd"], "wanted a Workload"),
        (["--workload", "sys:exit"], "sys:exit ends the program (SystemExit); name a function"),
        (["--workload", "os:getcwd", "--width", "8"], "of the built-in network"),
        (["--heads", "7"], "heads"),
        (["--half-life", "0"], "half-life is 0"),
        (["--out", "/dev/null/x"], "cannot be written"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Caller's mistakes: exit code 2 and one line before anything is timed."""
    assert run(["recommend", *arguments]) == 2
    said = capsys.readouterr().err
    assert wanted in said.strip().splitlines()[-1]
    assert "%" not in said  # of the timing


def test_a_workload_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Identity: what the function returns; in the current folder too; what it raises is told."""
    (tmp_path / "my_training_here.py").write_text(
        "from empirical.train.workload import Workload\n"
        "def workload():\n"
        "    import my_sizes_here\n"
        "    return Workload('mine', None, None, None, my_sizes_here.TOKENS)\n"
        "def broken():\n"
        "    raise OSError('no data')\n"
    )
    (tmp_path / "my_sizes_here.py").write_text("TOKENS = 7\n")
    monkeypatch.chdir(tmp_path)
    assert workload_named("my_training_here:workload").tokens == 7
    assert str(tmp_path) not in sys.path
    with pytest.raises(UsageError, match=r"broken failed \(OSError: no data\); correct"):
        workload_named("my_training_here:broken")
    with pytest.raises(UsageError, match="my_training_here has no function none"):
        workload_named("my_training_here:none")
    with pytest.raises(UsageError, match=r"wanted PACKAGE\.MODULE:FUNCTION"):
        workload_named("tests")
