"""`scaling-theory memory` from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Shell

FACTORIES = """
import torch
from torch import nn

def encoder():
    layer = nn.TransformerEncoderLayer(64, 4, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

def tied():
    model = nn.ModuleDict({"embed": nn.Embedding(50, 8), "head": nn.Linear(8, 50, bias=False)})
    model["head"].weight = model["embed"].weight
    return model

def reads_numbers():
    return nn.Linear(int(torch.ones(()).item()) + 1, 2)

def empty():
    return nn.Tanh()

def words():
    return "a model"

several = 3
"""


@pytest.fixture
def factories(tmp_path: Path) -> str:
    """The name of a module of model factories in the directory where the program runs."""
    (tmp_path / "own_factories.py").write_text(FACTORIES, encoding="utf-8")
    (tmp_path / "ending.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    return "own_factories"


def test_the_table_shows_counted_and_published_figures(shell: Shell) -> None:
    """Closed form: 5.80 and 11.61, 25.10 and 50.21 GiB, the article's beside them, the remark."""
    code, out, err = shell("memory")
    assert (code, err) == (0, "")
    blocks = {block.split(":")[0]: block for block in out.split("\n\n")}
    assert blocks.keys() >= {"gpt2-124m", "gpt2-1.5b", "llama2-7b", "vit-s", "vit-h", "built-in"}
    wanted = {"gpt2-1.5b": ("5.80", "5.93", "11.61", "11.86")}
    wanted["llama2-7b"] = ("25.10", "25.15", "50.21", "49.48")
    for model, (buffer, buffer_paper, adam, adam_paper) in wanted.items():
        lines = {line.split()[0]: line.split() for line in blocks[model].splitlines()[2:]}
        assert lines["sgd-sai"][3:5] == lines["sgdm"][3:5] == [buffer, f"({buffer_paper})"]
        assert lines["adam"][3:5] == [adam, f"({adam_paper})"]
    assert "arXiv 2412.11768, whose table is not self-consistent" in " ".join(out.split())


def test_json_holds_bytes(shell: Shell) -> None:
    """Closed form: one row per optimizer asked for, in that order, in bytes."""
    code, out, _ = shell(
        *("memory", "gpt2-124m", "--optimizer", "adam", "--optimizer", "sgd", "--json"),
        *("--batch-size", "2x8x4seq", "--context", "512"),
    )
    record = json.loads(out)
    assert code == 0
    assert (record["schema"], record["schema_version"]) == ("scaling-theory/memory", 1)
    assert [row["optimizer"] for row in record["rows"]] == ["adam", "sgd"]
    first = record["rows"][0]
    assert first["parameters"] == first["gradients"] == 4 * 124_439_808
    assert first["state"] == 8 * 124_439_808 + 4 * 148  # tensors of GPT-2 124M
    # Accumulation and ranks take no memory here: the micro-batch of 2 counts.
    assert record["micro_batch"] == 2
    assert first["activations"] == 2 * 512 * (4 * 199_443 + 16)
    assert (
        first["total"]
        == sum(first[k] for k in ("parameters", "gradients", "state")) + (first["activations"])
    )
    assert first["paper_state_gib"] is None


def test_the_published_figures_are_of_float32(shell: Shell) -> None:
    """Closed form: beside a state in bfloat16 they would mislead."""
    _, out, _ = shell("memory", "llama2-7b", "--state-dtype", "bfloat16", "--json")
    record = json.loads(out)
    assert all(row["paper_state_gib"] is None for row in record["rows"])
    assert record["notes"] == []
    _, text, _ = shell("memory", "llama2-7b", "--state-dtype", "bfloat16")
    assert "paper" not in text
    assert "in float32, state in bfloat16" in text


def test_a_limit_marks_what_fits(shell: Shell) -> None:
    """Closed form: 75.3 GiB for one buffer, 100.4 for Adam; none fits 10 GiB: exit code 1."""
    code, out, _ = shell("memory", "llama2-7b", "--limit", "80GiB")
    fits = {line.split()[0]: line.split()[-1] for line in out.splitlines()[2:9]}
    assert code == 0
    assert (fits["sgd-sai"], fits["adam"], fits["lora-adam"]) == ("yes", "no", "yes")
    code, _, err = shell("memory", "llama2-7b", "--limit", "10GiB")
    assert (code, err) == (1, "")


def test_a_number_of_parameters_alone(shell: Shell) -> None:
    """Closed form: what needs shapes is a dash with its reason."""
    code, out, _ = shell("memory", "--params", "7e9")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:]}
    assert code == 0
    assert rows["adam"] == ["26.08", "26.08", "52.15", "104.31"]
    assert rows["muon"] == ["26.08", "26.08", "-", "-"]
    assert "-: needs the shapes of the model's matrices: name a model or give its module" in out


def test_a_module_of_the_user(shell: Shell, factories: str) -> None:
    """Closed form: parameters of two encoder layers; a tied matrix counts once."""
    code, out, err = shell(
        "memory", "--module", f"{factories}:encoder", "--input", "2x32x64", "--json"
    )
    assert (code, err) == (0, "")
    inner = 2048
    layer = 4 * 64 * 64 + 4 * 64 + 2 * 64 * inner + inner + 64 + 4 * 64
    for row in json.loads(out)["rows"]:
        assert row["parameter_count"] == 2 * layer
        assert row["activations"] > 2 * 32 * 4 * (2 * inner)
    _, out, _ = shell("memory", "--module", f"{factories}:tied", "--json")
    assert {row["parameter_count"] for row in json.loads(out)["rows"]} == {400}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gpt3",), "there is no model 'gpt3' here: wanted one of gpt2-124m"),
        (("gpt2-15b",), "did you mean 'gpt2-1.5b'?"),
        (("vit-s", "--optimizer", "adan"), "did you mean 'adam'?"),
        (("vit-s", "--params", "1e9"), "the model vit-s and --params came; one of them is wanted"),
        (("--params", "0"), "--params is 0; at least 1 is wanted"),
        (("--params", "nan"), "--params is nan"),
        (("--params", "1e300"), "--params is 1e+300; at most 1e+18 is wanted"),
        (("--module", "sys:exit"), "sys:exit ends the program (SystemExit); name a function"),
        (("--module", "ending:nothing"), "cannot import ending (SystemExit: 3)"),
        (("vit-s", "--input", "2x3"), "--input came without --module"),
        (("vit-s", "--dtype", "int8"), "--dtype is 'int8'; one of float32, bfloat16, float64"),
        (("vit-s", "--batch-size", "16"), "has the unit 'bare' where 'seq' was wanted"),
        (("vit-s", "--batch-size", "-1seq"), "not above 0"),
        (("vit-s", "--limit", "much"), "--limit is 'much': give a size like 2GB"),
        (("vit-s", "--lora-rank", "0"), "--lora-rank is 0; at least 1 is wanted"),
        (("vit-s", "--context", "0"), "--context is 0; at least 1 token is wanted"),
        (("--module", "here"), "wanted PACKAGE.MODULE:FUNCTION"),
        (("--module", "no_such_place:model"), "cannot import no_such_place"),
        (("--module", "own_factories:model"), "own_factories has no function model"),
        (("--module", "own_factories:several"), "own_factories has no function several"),
        (("--module", "own_factories:words"), "gave a str, wanted a torch module"),
        (("--module", "own_factories:empty"), "gave a module without parameters"),
        (("--module", "own_factories:reads_numbers"), "failed on the meta device"),
        (("--module", "own_factories:encoder", "--batch-size", "2seq"), "give --input 4x1024"),
        (("--module", "own_factories:encoder", "--input", "a"), "--input is 'a'; whole numbers"),
        (
            ("--module", "own_factories:encoder", "--input", "2x3x5"),
            "cannot be called with numbers of shape 2x3x5",
        ),
    ],
)
def test_wrong_use_is_one_line(
    shell: Shell, factories: str, arguments: tuple[str, ...], words: str
) -> None:
    """Closed form: exit code 2 and a line that says what came and what was wanted."""
    code, out, err = shell("memory", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
