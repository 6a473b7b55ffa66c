"""Configurations of optimizers: half-lives in tokens, epsilons, names."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from empirical.errors import UsageError
from empirical.train.averages import LARGEST_DECAY, half_lives, resolve
from empirical.train.optimizer_configuration import (
    OPTIMIZERS,
    AdamWConfig,
    MuonConfig,
    OptimizerConfig,
    SGDConfig,
    SGDSaIConfig,
    SignSGDConfig,
    SoftSignSGDConfig,
    has_epsilon,
    needs_epsilon,
    optimizer_named,
    optimizer_to_time,
    with_epsilon,
)
from empirical.train.optimizers import build_optimizer
from scaling_theory.errors import InputError
from tests.train.optimizer_cases import CASES, fresh_model

ADAPTER = TypeAdapter[Any](OptimizerConfig)


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_what_is_written_is_read_back(config: OptimizerConfig) -> None:
    """Closed form: as JSON and back the same, a decay that a half-life replaces not written."""
    written = ADAPTER.dump_json(config)
    assert ADAPTER.validate_json(written) == config
    assert ADAPTER.validate_json(written).model_dump_json() == config.model_dump_json()


def test_half_lives_become_decays() -> None:
    """Another library: 10 million tokens at sequences of 512, the digits of arXiv 2507.07101."""
    config = MuonConfig(
        second_half_life_tokens=10e6, momentum_half_life_tokens=1e6, first_decay=0.8
    )
    assert half_lives(config) == {
        "second_half_life_tokens": "second_decay",
        "momentum_half_life_tokens": "momentum",
    }
    found = resolve(config, 256 * 512)
    assert found.clamped == ()
    assert found.config.second_decay == pytest.approx(0.990956, abs=5e-7)
    assert found.config.momentum == pytest.approx(0.5 ** (256 * 512 / 1e6), rel=1e-14)
    assert (found.config.first_decay, half_lives(found.config)) == (0.8, {})
    # Negative control: a percent more tokens per step is seen.
    assert abs(resolve(config, 1.01 * 256 * 512).config.second_decay - 0.990956) > 5e-5


def test_a_half_life_may_be_text() -> None:
    """Closed form: with its unit, or a bare number of tokens."""
    for text in ("10Mtok", "10000ktok", "1e7", "10_000_000"):
        config = AdamWConfig.model_validate({"second_half_life_tokens": text})
        assert config == AdamWConfig(second_half_life_tokens=1e7)


def test_a_clamped_decay_says_so() -> None:
    """Closed form: both bounds, and the value that they replaced."""
    long = resolve(AdamWConfig(second_half_life_tokens=1e12), 64)
    assert long.config.second_decay == LARGEST_DECAY
    (line,) = long.clamped
    assert line == (
        "second_decay clamped to 0.999999: a half-life of 1e+12 tokens at 64 tokens per step "
        "wants 1 - 4.436e-11"
    )
    short = resolve(AdamWConfig(second_half_life_tokens=1e4, smallest_decay=0.5), 1e6)
    assert short.config.second_decay == 0.5
    assert "second_decay clamped to 0.5" in short.clamped[0]
    free = resolve(AdamWConfig(second_half_life_tokens=1e4), 1e6)
    assert free.config.second_decay == pytest.approx(2.0**-100, rel=1e-12)
    assert not free.clamped


def test_without_half_lives_nothing_is_resolved() -> None:
    """Closed form: the same configuration comes back."""
    for config in (AdamWConfig(), SignSGDConfig()):
        assert resolve(config, 512).config is config
    with pytest.raises(InputError, match="tokens per step is 0"):
        resolve(AdamWConfig(second_half_life_tokens=1e6), 0)


def test_an_optimizer_is_built_with_its_half_lives() -> None:
    """Closed form: torch's own option has the decay; without the tokens it is a user error."""
    config = AdamWConfig(first_half_life_tokens=1e5, second_half_life_tokens=10e6)
    optimizer = build_optimizer(fresh_model(), config, 0.1, tokens_per_step=512)
    assert optimizer.param_groups[0]["betas"] == pytest.approx(
        (2 ** (-512 / 1e5), 0.999964511), rel=1e-9
    )
    with pytest.raises(UsageError, match="first_half_life_tokens for adamw without the tokens"):
        build_optimizer(fresh_model(), config, 0.1)


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        (
            AdamWConfig,
            {"second_decay": 0.9, "second_half_life_tokens": 1e6},
            "got second_decay 0.9 and second_half_life_tokens 1e[+]06, wanted one of the two",
        ),
        (SGDConfig, {"momentum_half_life_tokens": 0.0}, "greater than 0"),
        (SGDConfig, {"momentum_half_life_tokens": float("nan")}, "finite|greater than"),
        (SGDConfig, {"momentum_half_life_tokens": "10Mseq"}, "in 'seq'; tokens are wanted"),
        (SGDConfig, {"momentum_half_life_tokens": "soon"}, "'soon' was not understood"),
        (SGDConfig, {"second_half_life_tokens": 1e6}, "Extra inputs"),
        (SignSGDConfig, {"momentum_half_life_tokens": 1e6}, "Extra inputs"),
        (AdamWConfig, {"smallest_decay": 0.9, "largest_decay": 0.5}, "exchange them"),
        (AdamWConfig, {"largest_decay": 1.0}, "less than 1"),
        (SGDSaIConfig, {"variant": "published"}, "'paper' or 'code'"),
        (MuonConfig, {"scale": "moonlight"}, "'adamw' or 'original'"),
    ],
)
def test_nonsense_is_refused(model: type[Any], values: dict[str, Any], words: str) -> None:
    """Closed form: each mistake is found, at construction."""
    with pytest.raises(ValidationError, match=words):
        model(**values)


def test_an_epsilon_goes_only_where_there_is_one() -> None:
    """Closed form: asked for, set, checked, and refused with the names of those that have one."""
    assert {config.name for config in CASES.values() if has_epsilon(config)} == {
        *("adamw", "adam", "softsignsgd", "adafactor", "muon", "sgd-sai")
    }
    assert with_epsilon(AdamWConfig(first_decay=0.5), 0.1) == AdamWConfig(
        first_decay=0.5, epsilon=0.1
    )
    half = with_epsilon(AdamWConfig(second_half_life_tokens=1e6), 0.1)
    assert half == AdamWConfig(second_half_life_tokens=1e6, epsilon=0.1)
    with pytest.raises(UsageError, match=r"got epsilon 0.1 for sgd, which has none.*adamw, adam"):
        with_epsilon(SGDConfig(), 0.1)
    with pytest.raises(UsageError, match=r"got -1\.0 for epsilon"):
        with_epsilon(SoftSignSGDConfig(epsilon=1.0), -1.0)


def test_any_optimizer_can_be_timed_by_its_name() -> None:
    """Closed form: as it comes, with some epsilon where it has to be given one."""
    for name, model in OPTIMIZERS.items():
        found = optimizer_to_time(name)
        assert type(found) is model
        assert not needs_epsilon(model) or found.model_dump()["epsilon"] > 0
    assert [name for name, model in OPTIMIZERS.items() if needs_epsilon(model)] == ["softsignsgd"]
    with pytest.raises(UsageError, match="came without its epsilon"):
        optimizer_named("softsignsgd")
    with pytest.raises(UsageError, match=r"got epsilon 1 for sgd, which has none.*adamw, adam"):
        optimizer_named("sgd", 1.0)
    with pytest.raises(UsageError, match="got the optimizer 'lion', wanted one of adamw"):
        optimizer_to_time("lion")


def test_the_table_of_names() -> None:
    """Closed form: every name chooses the model that has it."""
    assert len(OPTIMIZERS) == 10
    for name, model in OPTIMIZERS.items():
        values = {"name": name} | ({"epsilon": 1.0} if name == "softsignsgd" else {})
        assert type(ADAPTER.validate_python(values)) is model


def test_configurations_do_without_torch() -> None:
    """Brute force: a fresh interpreter reads them without importing torch, which takes seconds."""
    code = "import sys, empirical.train.optimizer_configuration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
