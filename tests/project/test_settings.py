"""Settings as typed become a checked model, or one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from empirical.demo.configuration import PRESETS, DemoConfig, bytes_from_text, resolve_config
from empirical.errors import UsageError


def toml(directory: Path, text: str) -> Path:
    path = directory / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_typed_wins_over_the_file_and_the_file_over_the_preset(tmp_path: Path) -> None:
    """Rung: closed form (one key from each place)."""
    file = toml(tmp_path, 'preset = "tiny"\nsteps = 70\nearly-step = 30\n')
    config = resolve_config({"early_step": 40}, file)
    tiny = PRESETS["tiny"]
    assert (config.width, config.steps, config.early_step) == (tiny["width"], 70, 40)


def test_lists_are_sorted_and_a_lone_value_is_a_list(tmp_path: Path) -> None:
    """Rung: closed form."""
    config = resolve_config({}, toml(tmp_path, 'batch_size = [64, 4]\ntext = "a.txt"\n'))
    assert config.batch_size == (4, 64)
    assert config.text == (Path("a.txt"),)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("2GB", 2 * 10**9), ("1.5 KiB", 1536), ("512mib", 512 * 2**20), (7, 7)],
)
def test_sizes(text: object, size: int) -> None:
    """Rung: closed form (powers of 1000 and of 1024)."""
    assert bytes_from_text(text) == size


def test_the_configs_of_the_stages_carry_every_setting() -> None:
    """Rung: closed form (a setting that differs from its default arrives)."""
    config = DemoConfig(
        context=8, width=32, depth=3, heads=2, tie_weights=True,
        optimizer="softsignsgd", optimizer_epsilon=0.5, lr=0.1, warmup_steps=3,
        train_batch_size=5, steps=9, early_step=2, seed=11, dtype="float64", compile=True,
    )  # fmt: skip
    network = config.network_config().model_dump()
    assert network == {"context": 8, "width": 32, "depth": 3, "heads": 2, "tied": True}
    train = config.train_config()
    assert (train.steps, train.batch_size, train.learning_rate) == (9, 5, 0.1)
    assert (train.warmup_steps, train.seed, train.dtype) == (3, 11, "float64")
    assert train.compile_backend == "inductor"
    assert train.optimizer.model_dump()["epsilon"] == 0.5


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("epsilon_ratoi = 1", ("unknown key 'epsilon_ratoi'", "'epsilon_ratio' was meant")),
        ("zzz = 1", ("unknown key 'zzz'", "wanted one of text, out")),
        ("early-step = 1\nearly_step = 1", ("twice", "keep one")),
        ("steps = ", ("not TOML", "correct that place")),
        ("steps = 1.5", ("got 1.5 for steps in", "integer", "change steps")),
        ("epsilon_ratio = [1, -2]", ("got -2 for epsilon_ratio", "greater than or equal to 0")),
        ("batch_size = []", ("got [] for batch_size", "at least 1 item")),
        ("batch_size = [4, 4]", ("got [4, 4] for batch_size", "each value once")),
        ("seed = true", ("got True for seed", "wanted a number")),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(
    tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    """Rung: closed form (a table of messages)."""
    file = toml(tmp_path, text)
    with pytest.raises(UsageError) as refusal:
        resolve_config({}, file)
    message = str(refusal.value)
    assert "\n" not in message
    assert "run.toml" in message
    assert all(part in message for part in parts), message


def test_several_problems_are_counted() -> None:
    """Rung: closed form (two fields are wrong, one of them in two ways)."""
    with pytest.raises(UsageError, match=r"--steps, .*\(1 more after this one\)$"):
        resolve_config({"steps": 0, "batch_size": [0]})
