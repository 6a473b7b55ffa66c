"""Configurations refuse what makes no sense."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from empirical.train.configuration import (
    AdamWConfig,
    NetworkConfig,
    OptimizerConfig,
    SGDConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
    TrainConfig,
)


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (NetworkConfig, {"widht": 64}, "Extra inputs are not permitted"),
        (NetworkConfig, {"width": 0}, "greater than or equal to 1"),
        (NetworkConfig, {"context": -1}, "greater than or equal to 1"),
        (NetworkConfig, {"depth": 1.5}, "valid integer"),
        (NetworkConfig, {"width": 64, "heads": 3}, "got 3 heads .*64, wanted a divisor"),
        (NetworkConfig, {"width": 4, "heads": 8}, "got 8 heads"),
        (TrainConfig, {"batch_size": 0}, "greater than or equal to 1"),
        (TrainConfig, {"steps": 0}, "greater than or equal to 1"),
        (TrainConfig, {"learning_rate": 0.0}, "greater than 0"),
        (TrainConfig, {"learning_rate": float("nan")}, "finite|greater than 0"),
        (TrainConfig, {"learning_rate": float("inf")}, "finite|less than or equal"),
        (TrainConfig, {"learning_rate": 1e39}, "less than or equal to 1000000"),
        (TrainConfig, {"warmup_steps": -1}, "greater than or equal to 0"),
        (TrainConfig, {"seed": -1}, "greater than or equal to 0"),
        (TrainConfig, {"dtype": "float16"}, "'float32', 'float64' or 'bfloat16'"),
        (TrainConfig, {"heldout_sequences": 1}, "greater than or equal to 2"),
        (TrainConfig, {"optimizer": {"name": "adan"}}, "'adan' found"),
        (TrainConfig, {"optimizer": {"epsilon": 0.1}}, "Unable to extract tag"),
        (TrainConfig, {"optimizer": {"name": "sgd", "epsilon": 0.1}}, "Extra inputs"),
        (AdamWConfig, {"second_decay": 1.0}, "less than 1"),
        (SoftSignSGDConfig, {"epsilon": -0.1}, "greater than or equal to 0"),
        (SoftSignSGDConfig, {"epsilon": float("nan")}, "finite|greater than"),
        (SoftSignSGDConfig, {}, "Field required"),
    ],
)
def test_nonsense_is_refused(model: type[Any], values: dict[str, Any], words: str) -> None:
    """Closed form: each mistake is found, at construction."""
    with pytest.raises(ValidationError, match=words):
        model(**values)


def test_configurations_do_without_torch() -> None:
    """Brute force: a fresh interpreter reads them without importing torch, which takes seconds."""
    code = "import sys, empirical.train.configuration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_configurations_are_frozen() -> None:
    """Closed form: no field can be set afterwards."""
    with pytest.raises(ValidationError, match="frozen"):
        NetworkConfig().width = 32


@pytest.mark.parametrize(
    "optimizer",
    [AdamWConfig(), SGDConfig(momentum=0.5), SignSGDConfig(), SoftSignSGDConfig(epsilon=0.2)],
    ids=lambda optimizer: optimizer.name,
)
def test_an_optimizer_is_known_by_its_name(optimizer: OptimizerConfig) -> None:
    """Closed form: written out and read back, it is the same, alone and inside a run."""
    assert TypeAdapter(OptimizerConfig).validate_python(optimizer.model_dump()) == optimizer
    config = TrainConfig(optimizer=optimizer)
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
