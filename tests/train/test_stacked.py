"""Stacked replicas: the same numbers as runs one by one, resumed bit by bit, undisturbed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from empirical.errors import UsageError
from empirical.train.configuration import NetworkConfig, OptimizerConfig
from empirical.train.network import build_network
from empirical.train.optimizer_configuration import (
    AdafactorConfig,
    AdamConfig,
    AdamWConfig,
    MuonConfig,
    SGDConfig,
    SGDSaIConfig,
    SignSGDConfig,
    SignumConfig,
    SoftSignSGDConfig,
    SqrtNumelSGDConfig,
)
from empirical.train.optimizers import build_optimizer
from empirical.train.run import StoppedError
from empirical.train.run_configuration import RunConfig, WorkUnit
from empirical.train.run_execution import Materials, execute_unit
from empirical.train.stacked import (
    StackedPath,
    StackedTrainee,
    can_stack,
    compiled_path_missing,
    stacked_paths,
)
from empirical.train.stacked.gradient import DifferentiatedGradient
from empirical.train.stacked.kernels.build import library
from empirical.train.stacked.layout import network_layout
from empirical.train.stacked.network import stacked_losses
from empirical.train.text import load_text
from empirical.train.trainee import SingleTrainee

NETWORK = NetworkConfig(context=10, width=12, depth=2, heads=3)
RATES = (3e-3, 1e-3, 1e-2)
CPU = torch.device("cpu")
PATHS: list[StackedPath] = ["stacked", "stacked-compiled"]

# One configuration per replica, so that numbers of one cannot serve another unnoticed.
CASES: dict[str, Sequence[OptimizerConfig]] = {
    "sgd": [SGDConfig(), SGDConfig(weight_decay=0.1), SGDConfig()],
    "momentum": [SGDConfig(momentum=m, weight_decay=0.01) for m in (0.0, 0.5, 0.9)],
    "signsgd": [SignSGDConfig(weight_decay=d) for d in (0.0, 0.1, 1.0)],
    "signum": [SignumConfig(momentum=m, weight_decay=0.1) for m in (0.0, 0.5, 0.9)],
    "softsign": [SoftSignSGDConfig(epsilon=e, weight_decay=0.1) for e in (0.0, 1e-4, 1.0)],
    "averaged": [SoftSignSGDConfig(epsilon=1e-3, first_decay=b) for b in (0.0, 0.5, 0.9)],
    "adam": [AdamConfig(epsilon=e, weight_decay=0.01) for e in (1e-6, 1e-4, 1.0)],
    "adamw": [AdamWConfig(epsilon=e, second_decay=0.9, weight_decay=0.1) for e in (1e-6, 1e-4, 1)],
    "half-life": [AdamWConfig(epsilon=1e-3, second_half_life_tokens=t) for t in (300.0, 1e3, 3e3)],
}


def batches(steps: int, network: NetworkConfig = NETWORK) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    shape = (steps, 2, 3, 4, network.context)
    return [(x, y) for x, y in torch.randint(0, 256, shape, generator=generator)]


def stack(
    configs: Sequence[OptimizerConfig],
    path: StackedPath,
    dtype: torch.dtype = torch.float64,
    network: NetworkConfig = NETWORK,
) -> StackedTrainee:
    weights = [build_network(network, seed).state_dict() for seed in range(len(configs))]
    return StackedTrainee(
        network, weights, configs, path=path, dtype=dtype, tokens_per_step=4 * network.context
    )


def differences(
    configs: Sequence[OptimizerConfig],
    path: StackedPath,
    dtype: torch.dtype = torch.float64,
    network: NetworkConfig = NETWORK,
    planted: float = 1.0,
) -> tuple[float, float]:
    """Largest relative difference from single runs, of the losses and of a weight's norm."""
    together = stack(configs, path, dtype, network)
    alone = []
    for seed, config in enumerate(configs):
        model = build_network(network, seed, dtype=dtype)
        optimizer = build_optimizer(model, config, 1.0, tokens_per_step=4 * network.context)
        alone.append(SingleTrainee(model, optimizer, dtype=dtype))
    losses = []
    for inputs, targets in batches(30, network):
        mine = together.step(inputs, targets, [planted * rate for rate in RATES])
        plain = [
            one.step(inputs[r : r + 1], targets[r : r + 1], [RATES[r]])
            for r, one in enumerate(alone)
        ]
        losses.append((mine / torch.cat(plain) - 1).abs().max())
    off = [
        (together.weights(r)[name] - weight).norm() / (weight.norm() + 1e-6)
        for r, one in enumerate(alone)
        for name, weight in one.weights(0).items()
    ]
    return float(torch.stack(losses).max()), float(torch.stack(off).max())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", CASES)
def test_a_stack_is_its_runs_one_by_one(name: str, path: StackedPath) -> None:
    """Another library: torch's optimizers and the plain network, 30 steps in float64.

    Rounding enters at 1e-16 per operation; a few hundred operations deep and 30 steps long, 1e-12
    is left. Adam divides the error of a small gradient, 1e-18, by its epsilon, which is therefore
    1e-6 or more here: 1e-14 of a step of a hundredth, and the later steps multiply it. A sign
    turns over only for an entry within rounding of 0, which continuous gradients do not meet;
    those of tokens that do not occur are 0 in both.
    """
    losses, weights = differences(CASES[name], path)
    assert losses < 1e-12
    assert weights < 1e-12


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["sgd", "momentum", "softsign"])
def test_float32_differs_by_rounding(name: str, path: StackedPath) -> None:
    """Another library: as above in float32, where rounding is 6e-8.

    The float64 bound of 1e-12 is 1e4 roundings of 1e-16: the same number of 6e-8 is 6e-4; that a
    loss is a mean of many terms leaves a tenth of it.
    """
    losses, weights = differences(CASES[name], path, torch.float32)
    assert losses < 6e-5
    assert weights < 6e-4


@pytest.mark.parametrize("path", PATHS)
def test_a_tied_network_of_odd_sizes_agrees_too(path: StackedPath) -> None:
    """Another library: tied weights, one block, heads of 5, contexts beyond a vector."""
    network = NetworkConfig(context=19, width=10, depth=1, heads=2, tied=True)
    losses, weights = differences(CASES["adamw"], path, network=network)
    assert losses < 1e-12
    assert weights < 1e-12


@pytest.mark.parametrize("path", PATHS)
def test_a_learning_rate_off_by_a_percent_would_be_seen(path: StackedPath) -> None:
    """Negative control: a planted 1 percent is 1e6 times the tolerance."""
    _, weights = differences(CASES["adamw"], path, planted=1.01)
    assert weights > 1e-6


@pytest.mark.parametrize("path", PATHS)
def test_a_diverged_replica_leaves_the_others_bit_by_bit(path: StackedPath) -> None:
    """Closed form: with NaN in the middle replica the outer two are what they were without it."""
    calm, torn = (stack(CASES["adamw"], path, torch.float32) for _ in range(2))
    state = torn.state()
    state["weights"][1] = math.nan
    torn.load_state(state)
    for inputs, targets in batches(10):
        expected = calm.step(inputs, targets, RATES)
        found = torn.step(inputs, targets, RATES)
        assert torch.equal(found[[0, 2]], expected[[0, 2]])
        assert found[1].isnan()
    assert torn.finite_weights().tolist() == [True, False, True]
    for replica in (0, 2):
        for name, weight in calm.weights(replica).items():
            assert torch.equal(torn.weights(replica)[name], weight)


@pytest.mark.parametrize("path", PATHS)
def test_infinite_weights_are_seen_as_divergence(path: StackedPath) -> None:
    """Closed form: far too high a learning rate ends in losses or weights that are no numbers."""
    trainee = stack(CASES["sgd"], path, torch.float32)
    for inputs, targets in batches(8):
        losses = trainee.step(inputs, targets, [1e30, 1e-3, 1e-3])
    assert not (losses[0].isfinite() and trainee.finite_weights()[0])
    assert losses[1:].isfinite().all()
    assert trainee.finite_weights()[1:].all()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", CASES)
def test_a_resumed_stack_ends_bit_identical(name: str, path: StackedPath) -> None:
    """Closed form: 6 steps, or 3 in one stack and 3 in another that was given its state."""
    whole, first, second = (stack(CASES[name], path, torch.float32) for _ in range(3))
    steps = batches(6)
    expected = [whole.step(*batch, RATES) for batch in steps]
    found = [first.step(*batch, RATES) for batch in steps[:3]]
    second.load_state({key: value.clone() for key, value in first.state().items()})
    found += [second.step(*batch, RATES) for batch in steps[3:]]
    assert torch.equal(torch.stack(found), torch.stack(expected))
    for key, value in whole.state().items():
        assert torch.equal(second.state()[key], value)
    assert not torch.equal(first.state()["weights"], whole.state()["weights"])


@pytest.mark.parametrize("path", PATHS)
def test_a_unit_stopped_again_and_again_ends_bit_identical(
    path: StackedPath, tmp_path: Path
) -> None:
    """Closed form: the run engine with and without interruptions, one run of three diverging."""
    text = tmp_path / "text"
    text.write_bytes(bytes(np.random.default_rng(0).integers(97, 123, 20_000, dtype=np.uint8)))
    run = RunConfig(
        network=NETWORK,
        text_sha256=load_text([text]).sha256,
        optimizer=SGDConfig(momentum=0.9),
        learning_rate=1e-2,
        batch_size=2,
        steps=100,
        heldout_sequences=8,
    )
    runs = [run, run.model_copy(update={"learning_rate": 1e4}), run.model_copy(update={"seed": 1})]
    unit = WorkUnit(runs=tuple(runs), path=path)
    materials, stops = Materials((text,)), 0
    whole = execute_unit(unit, materials)
    while True:
        try:
            # Asked at each reading, every 20 steps; the last one ends the runs before it is asked.
            pieces = execute_unit(unit, materials, state_file=tmp_path / "state", stop=lambda: True)
            break
        except StoppedError:
            stops += 1
    assert stops == 4
    timeless = [[replace(result, seconds=0.0) for result in results] for results in (whole, pieces)]
    assert timeless[0] == timeless[1]
    assert [result.diverged_at is None for result in whole] == [True, False, True]


@pytest.mark.parametrize("path", PATHS)
def test_heldout_losses_are_those_of_the_plain_network(path: StackedPath) -> None:
    """Another library: each replica's losses by the plain network, equal weights or not.

    One forward pass in float64, some hundred roundings: 1e-13.
    """
    inputs, targets = batches(1, NETWORK)[0]
    inputs, targets = inputs.flatten(0, 1)[:11], targets.flatten(0, 1)[:11]
    model = build_network(NETWORK, 7, dtype=torch.float64)
    plain = SingleTrainee(model, build_optimizer(model, SGDConfig(), 1.0))
    (expected,) = plain.heldout_losses(inputs, targets)
    weights = model.state_dict()
    other = build_network(NETWORK, 8, dtype=torch.float64).state_dict()
    for second in (weights, other):
        trainee = StackedTrainee(
            NETWORK, [weights, second], [SGDConfig()] * 2, path=path, dtype=torch.float64
        )
        found = trainee.heldout_losses(inputs, targets)
        assert found.shape == (2, 11)
        np.testing.assert_allclose(found[0], expected, rtol=1e-13)
        assert np.allclose(found[1], expected, rtol=1e-13) == (second is weights)


@pytest.mark.slow
def test_the_network_can_be_compiled_by_torch() -> None:
    """Another library: traced and differentiated ahead of time, without a code generator.

    float64, one gradient: 1e-12 as above.
    """
    layout = network_layout(NETWORK)
    weights = layout.rows([build_network(NETWORK, s).state_dict() for s in range(3)], torch.ones(1))
    weights = weights.double()
    inputs, targets = batches(1)[0]
    found = []
    for losses in (stacked_losses, torch.compile(stacked_losses, backend="aot_eager")):
        gradients = torch.zeros_like(weights)
        DifferentiatedGradient(NETWORK, layout, weights, gradients, losses)(inputs, targets)
        found.append(gradients)
    assert float((found[0] - found[1]).norm() / found[0].norm()) < 1e-12


def test_rules_that_look_at_shapes_are_not_stacked() -> None:
    """Closed form: a table of the ten optimizers."""
    assert all(can_stack(config) for configs in CASES.values() for config in configs)
    others: list[OptimizerConfig] = [
        AdafactorConfig(),
        MuonConfig(),
        SGDSaIConfig(),
        SqrtNumelSGDConfig(),
    ]
    assert not any(can_stack(config) for config in others)


def test_stacks_that_cannot_be_are_refused() -> None:
    """Closed form: what came, what was wanted."""
    weights = [build_network(NETWORK, 0).state_dict()] * 2
    small = build_network(NETWORK.model_copy(update={"width": 6}), 0).state_dict()
    with pytest.raises(UsageError, match="got adamw, sgd for one stack"):
        StackedTrainee(NETWORK, weights, [AdamWConfig(), SGDConfig()])
    with pytest.raises(UsageError, match="got muon for one stack"):
        StackedTrainee(NETWORK, weights, [MuonConfig()] * 2)
    with pytest.raises(UsageError, match="3 optimizers for 2 replicas"):
        StackedTrainee(NETWORK, weights, [SGDConfig()] * 3)
    with pytest.raises(UsageError, match="without the tokens per step"):
        StackedTrainee(NETWORK, weights, [SGDConfig(momentum_half_life_tokens=9.0)] * 2)
    with pytest.raises(UsageError, match="wanted those of the network"):
        StackedTrainee(NETWORK, [weights[0], small], [SGDConfig()] * 2)
    with pytest.raises(UsageError, match="bfloat16 for a stack"):
        StackedTrainee(NETWORK, weights, [SGDConfig()] * 2, dtype=torch.bfloat16)
    stacked = StackedTrainee(NETWORK, weights, [SGDConfig()] * 2)
    with pytest.raises(UsageError, match="give the state of this stack"):
        stacked.load_state(StackedTrainee(NETWORK, weights[:1], [SGDConfig()]).state())


def test_without_a_compiler_the_compiled_path_is_not_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Closed form: $CC names nothing that exists, or the cache cannot be made."""
    assert stacked_paths(CPU) == tuple(PATHS)
    assert compiled_path_missing(CPU) is None
    for name, value, words in (
        ("CC", "no-such-compiler", "no-such-compiler is not installed"),
        ("XDG_CACHE_HOME", "/dev/null", "set XDG_CACHE_HOME"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            library.cache_clear()
            assert stacked_paths(CPU) == ("stacked",)
            assert words in (compiled_path_missing(CPU) or "")
    library.cache_clear()
